//! One question to both sides. Where we mean to differ, the reason is listed here and counted.

use plimsoll::format::inspect;
use serde_json::{Value, json};

use super::cases::Case;
use super::program::Oracle;

/// What a comparison gave.
pub(super) enum Outcome {
    /// Both say the same.
    Same,
    /// They differ, and are meant to.
    Meant(&'static str),
    /// They differ.
    Differs(String),
}

fn differs(what: &str, ours: &Value, theirs: &Value) -> Outcome {
    Outcome::Differs(format!("{what}\n  ours:   {ours}\n  theirs: {theirs}"))
}

/// One Dockerfile.
pub(super) fn dockerfile(case: &Case, oracle: &mut Oracle) -> Outcome {
    let options = &case.options;
    let theirs = oracle.ask(&json!({
        "kind": "dockerfile",
        "text": case.text,
        "buildArgs": options.build_args,
        "platform": options.platform,
        "buildPlatform": options.build_platform,
        "target": options.target,
    }));
    let ours = serde_json::to_value(inspect::dockerfile(&case.text, options)).unwrap();
    if let Some(why) = meant(case, &ours, &theirs) {
        return Outcome::Meant(why);
    }
    match (&ours["error"], &theirs["error"]) {
        (Value::Null, Value::Null) => {}
        (ours, theirs) if ours["kind"] == theirs["kind"] => {
            // The origin gives some faults no line; ours always have one.
            let same = theirs["line"] == 0 || ours["line"] == theirs["line"];
            return if same { Outcome::Same } else { differs("line of the error", ours, theirs) };
        }
        (ours, theirs) => return differs("error", ours, theirs),
    }
    for key in ["escape", "syntax", "globalArgs", "stages", "reachableImages", "onbuildImages", "unresolvedArgs"] {
        // What ONBUILD triggers is resolved for the stages that are needed only, so the registries asked tell it.
        if list(&ours[key]) != list(&theirs[key]) {
            return differs(key, &ours[key], &theirs[key]);
        }
    }
    let written =
        |side: &Value| list(&side["images"]).as_array().unwrap().iter().filter(|used| !triggered(used, side)).cloned().collect::<Value>();
    let sorted = |side: Value| {
        let mut uses: Vec<Value> = side.as_array().cloned().unwrap_or_default();
        uses.sort_by_key(|used| (used["stage"].as_u64(), used["line"].as_u64()));
        Value::from(uses)
    };
    let (ours_written, theirs_written) = (sorted(written(&ours)), sorted(written(&theirs)));
    if ours_written != theirs_written {
        return differs("images", &ours_written, &theirs_written);
    }
    Outcome::Same
}

/// Go writes a list of nothing as `null`.
fn list(value: &Value) -> Value {
    if value.is_null() { json!([]) } else { value.clone() }
}

/// Whether an image comes from ONBUILD of a stage's base: it stands at the line of the stage.
fn triggered(used: &Value, side: &Value) -> bool {
    let stage = usize::try_from(used["stage"].as_u64().unwrap()).unwrap();
    used["source"] != "from" && used["line"] == side["stages"][stage]["line"]
}

/// Where we mean to differ.
fn meant(case: &Case, ours: &Value, theirs: &Value) -> Option<&'static str> {
    let their_kind = theirs["error"]["kind"].as_str().unwrap_or_default();
    let their_words = theirs["error"]["message"].as_str().unwrap_or_default();
    let our_words = ours["error"]["message"].as_str().unwrap_or_default();
    if theirs.get("panic").is_some() {
        return Some("the origin panics");
    }
    if their_kind == "other" {
        return Some("modes, ports, signals, checksums, addresses and dates that no image depends on are not checked");
    }
    let our_kind = ours["error"]["kind"].as_str().unwrap_or_default();
    if our_kind == "reference" && their_kind == "reference" && ours["error"]["line"] != theirs["error"]["line"] {
        return Some("where several references are bad, the origin names any of them and we the first");
    }
    if our_words.contains("in a circle") && their_words.contains("circular dependency") && ours["error"]["line"] != theirs["error"]["line"]
    {
        return Some("where stages need each other in several circles, the origin names any of them and we the first");
    }
    if their_kind == "substitution" && our_kind != "substitution" && case.text.contains('?') {
        return Some("a variable may come from the base image, whose configuration is not looked at");
    }
    if ours["error"].is_null() && their_words.contains("invalid mount target") {
        return Some("a mount's target may be under the base image's working directory");
    }
    if our_words.contains("nested deeper than") || our_words.contains("longer than") || our_words.contains("too large") {
        return Some("depth and length of what is expanded are bounded");
    }
    if case.text.contains("_.") && (our_words.contains("is no image") || their_kind == "reference") && host_without_registry(case) {
        return Some("a first part with a dot that is no host name is refused");
    }
    None
}

fn host_without_registry(case: &Case) -> bool {
    case.text.split_whitespace().any(|word| odd_host(word.rsplit('=').next().unwrap_or(word)))
}

/// `my_host.local/app`: the original takes it for a repository of no registry at all.
fn odd_host(text: &str) -> bool {
    text.split_once('/').is_some_and(|(first, _)| first.contains(['.', ':']) && first.contains(['_', '-', '.']))
}

/// One reference.
pub(super) fn reference(input: &str, oracle: &mut Oracle) -> Outcome {
    let theirs = oracle.ask(&json!({"kind": "ref", "text": input}));
    let ours = serde_json::to_value(inspect::reference(input)).unwrap();
    if ours == theirs {
        return Outcome::Same;
    }
    if theirs["registry"] == "" {
        return Outcome::Meant(
            "a first part with a dot or colon that is no host name is refused, not taken for a name without any registry",
        );
    }
    if ours["canonical"] == theirs["canonical"] && ours["familiar"] == ours["canonical"] {
        return Outcome::Meant("the short form keeps docker.io/ where it would be read as another registry's");
    }
    differs("reference", &ours, &theirs)
}

/// One scenario of tags.
pub(super) fn scenario(scenario: &Value, oracle: &mut Oracle) -> Outcome {
    let theirs = oracle.ask(&json!({"kind": "tags", "scenario": scenario}));
    let text = json!([scenario]).to_string();
    let ours = serde_json::to_value(inspect::tags(&text).unwrap()).unwrap()[0].clone();
    let same = if theirs.get("error").is_some() { ours["error"] == theirs["error"] } else { ours["selected"] == theirs["selected"] };
    if same { Outcome::Same } else { differs("tags", &ours, &theirs) }
}
