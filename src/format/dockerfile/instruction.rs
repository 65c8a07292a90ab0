//! What BuildKit refuses when it reads an instruction, before anything is resolved.

use super::flags;
use super::heredoc;
use super::mount;
use super::node::{self, Node, Verb, Words, blank_separated};
use super::{DockerfileError, ErrorKind, Refused};

/// Checks one instruction. A FROM gives its base and name.
pub(super) fn check<'n>(node: &'n Node<'_>, escape: char) -> Refused<Option<(&'n str, Option<String>)>> {
    let refused = |kind, why: &str| DockerfileError::new(kind, node.line, why);
    let syntax = |why: &str| Err(refused(ErrorKind::InstructionSyntax, why));
    let rest = node.rest();
    match node.verb {
        Verb::Unknown => {
            return Err(DockerfileError::new(ErrorKind::UnknownInstruction, node.line, format!("unknown instruction: {}", node.word())));
        }
        Verb::From => {
            let named = from(node)?;
            flags::check(node)?;
            return Ok(Some(named));
        }
        // Flags of these are taken off and never looked at.
        Verb::Arg => {
            let mut words = Words::new(rest, escape).peekable();
            if words.peek().is_none() {
                return syntax("ARG requires at least one argument");
            }
            if words.any(|word| word.starts_with('=')) {
                return syntax("the name of an ARG is blank");
            }
        }
        Verb::Stopsignal if rest.is_empty() => return syntax("STOPSIGNAL requires exactly one argument"),
        Verb::Stopsignal => {}
        Verb::Maintainer | Verb::User | Verb::Workdir => {
            if rest.is_empty() {
                return syntax(&format!("{} requires exactly one argument", node.word()));
            }
            flags::check(node)?;
        }
        Verb::Env | Verb::Label => {
            flags::check(node)?;
            let pairs = node::pairs(rest, escape);
            if pairs.is_empty() {
                return syntax(&format!("{} requires at least one argument", node.word()));
            }
            if pairs.iter().any(|(key, _)| key.is_empty()) {
                return syntax("a name is blank");
            }
        }
        Verb::Add | Verb::Copy => sources(node)?,
        Verb::Onbuild => {
            if node.trigger.is_none() {
                return syntax("ONBUILD requires at least one argument");
            }
            flags::check(node)?;
            if matches!(node.trigger, Some((Verb::Onbuild | Verb::From | Verb::Maintainer, ..))) {
                return Err(refused(ErrorKind::Onbuild, &format!("ONBUILD can't trigger {}", node.trigger_word())));
            }
        }
        Verb::Run => {
            flags::check(node)?;
            run(node)?;
        }
        Verb::Expose if rest.is_empty() => return syntax("EXPOSE requires at least one argument"),
        Verb::Expose | Verb::Cmd | Verb::Entrypoint => flags::check(node)?,
        Verb::Volume => volume(node)?,
        Verb::Shell => {
            flags::check(node)?;
            if node.json.as_ref().is_none_or(Vec::is_empty) {
                return syntax("SHELL takes a list in the JSON form");
            }
        }
        Verb::Healthcheck => healthcheck(node)?,
    }
    Ok(None)
}

/// Base and name of a stage.
fn from<'n>(node: &'n Node<'_>) -> Refused<(&'n str, Option<String>)> {
    let mut words = blank_separated(node.rest());
    let found = (words.next(), words.next(), words.next(), words.next());
    let is_as = |word: &str| word.eq_ignore_ascii_case("as") || (word.len() == 3 && node::lower(word).replace('ſ', "s") == "as");
    match found {
        (Some(base), None, ..) => Ok((base, None)),
        (Some(base), Some(word), Some(name), None) if is_as(word) => {
            let lower = if name.is_ascii() { name.to_ascii_lowercase() } else { node::lower(name) };
            let valid = lower.starts_with(|c: char| c.is_ascii_lowercase())
                && lower.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b));
            if !valid {
                let why = format!("`{name}` is no name for a stage: it starts with a letter and has no other signs than - _ .");
                return Err(DockerfileError::new(ErrorKind::StageName, node.line, why));
            }
            Ok((base, Some(lower)))
        }
        _ => Err(DockerfileError::new(ErrorKind::FromSyntax, node.line, "FROM is followed by an image, or an image AS a name")),
    }
}

/// COPY and ADD: from somewhere, to somewhere that is no heredoc.
fn sources(node: &Node<'_>) -> Refused<()> {
    let (count, last) = match &node.json {
        Some(words) => (words.len(), words.last().map(String::as_str)),
        None => blank_separated(node.rest()).fold((0, None), |(count, _), word| (count + 1, Some(word))),
    };
    if count < 2 {
        let why = format!("{} requires at least two arguments", node.word());
        return Err(DockerfileError::new(ErrorKind::InstructionSyntax, node.line, why));
    }
    flags::check(node)?;
    match last.map(heredoc::operator) {
        Some(Ok(Some(_))) => {
            let why = format!("{} can't put things into a heredoc", node.word());
            Err(DockerfileError::new(ErrorKind::Heredoc, node.line, why))
        }
        _ => Ok(()),
    }
}

/// Values of flags that RUN looks at early.
fn run(node: &Node<'_>) -> Refused<()> {
    for device in flags::values(node, "device") {
        mount::device(device).map_err(|why| DockerfileError::new(ErrorKind::Flag, node.line, why))?;
    }
    for given in flags::values(node, "mount") {
        mount::check_early(given).map_err(|why| DockerfileError::new(ErrorKind::Mount, node.line, why))?;
    }
    for (name, known) in [("network", ["default", "none", "host"].as_slice()), ("security", &["sandbox", "insecure"])] {
        if let Some(value) = flags::values(node, name).next().filter(|value| !known.contains(value)) {
            return Err(DockerfileError::new(ErrorKind::Flag, node.line, format!("--{name} can't be `{value}`")));
        }
    }
    Ok(())
}

fn volume(node: &Node<'_>) -> Refused<()> {
    let refused = |why: &str| Err(DockerfileError::new(ErrorKind::InstructionSyntax, node.line, why));
    let count = node.json.as_ref().map_or_else(|| blank_separated(node.rest()).count(), Vec::len);
    if count == 0 {
        return refused("VOLUME requires at least one argument");
    }
    flags::check(node)?;
    let blank = node.json.iter().flatten().any(|volume| volume.trim().is_empty())
        || (node.json.is_none() && blank_separated(node.rest()).any(|volume| volume.trim().is_empty()));
    if blank { refused("a VOLUME is blank") } else { Ok(()) }
}

fn healthcheck(node: &Node<'_>) -> Refused<()> {
    let refused = |why: String| Err(DockerfileError::new(ErrorKind::InstructionSyntax, node.line, why));
    let (kind, command) = node::healthcheck(node.rest());
    let bare = node.json.as_ref().map_or(command.is_empty(), Vec::is_empty);
    if kind.is_empty() {
        return refused("HEALTHCHECK requires at least one argument".to_owned());
    }
    if kind.eq_ignore_ascii_case("NONE") {
        return if bare { Ok(()) } else { refused("HEALTHCHECK NONE takes no arguments".to_owned()) };
    }
    flags::check(node)?;
    if !kind.eq_ignore_ascii_case("CMD") {
        return refused(format!("HEALTHCHECK knows CMD and NONE, not `{kind}`"));
    }
    if bare {
        return refused("HEALTHCHECK CMD lacks its command".to_owned());
    }
    for name in ["interval", "timeout", "start-period", "start-interval"] {
        if let Some(value) = flags::value(node, name)
            && !is_interval(value)
        {
            return Err(DockerfileError::new(ErrorKind::Flag, node.line, format!("--{name} can't be `{value}`")));
        }
    }
    if let Some(retries) = flags::value(node, "retries")
        && !retries.strip_prefix('+').unwrap_or(retries).parse::<i32>().is_ok_and(|retries| retries >= 0)
    {
        return Err(DockerfileError::new(ErrorKind::Flag, node.line, format!("--retries can't be `{retries}`")));
    }
    Ok(())
}

/// A Go duration that is nothing or at least a millisecond: `1h2m3.5s`.
fn is_interval(text: &str) -> bool {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return true;
    }
    let mut nanoseconds = 0.0f64;
    let mut any = false;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let scale = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 6e10,
            "h" => 3.6e12,
            _ => return false,
        };
        let Ok(number) = number.parse::<f64>() else { return false };
        nanoseconds += number * scale;
        rest = tail;
        any = true;
    }
    // Go holds a duration in 63 bits.
    any && nanoseconds < 9.223_372_036_854_776e18 && (nanoseconds < 1.0 || (!negative && nanoseconds >= 1e6))
}
