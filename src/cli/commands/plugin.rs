//! What Argo CD's config management plugin asks for and says, as its documentation has it.

use serde_json::{Value, json};

use crate::base::{Class, Fault};
use crate::render::TARGETS;

/// The parameters that a plugin's user may set, in the form of a parameters announcement.
pub(super) fn announcement() -> Value {
    let systems: Vec<&str> = TARGETS.iter().map(|target| target.name()).collect();
    json!([{
        "name": "system",
        "title": "System",
        "tooltip": format!("Render only what is for one of {}; everything when empty.", systems.join(", ")),
        "required": false,
        "collectionType": "string",
        "string": "",
    }])
}

/// The parameter `system` of the Application that is rendered, if one is: `ARGOCD_APP_PARAMETERS`, else
/// `PARAM_SYSTEM`.
///
/// # Errors
/// When the parameters are there and can't be read: rendering everything instead would be a surprise.
pub(super) fn system() -> Result<Option<String>, Fault> {
    let variable = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
    let Some(text) = variable("ARGOCD_APP_PARAMETERS") else { return Ok(variable("PARAM_SYSTEM")) };
    named(&text).map(|found| found.or_else(|| variable("PARAM_SYSTEM")))
}

fn named(text: &str) -> Result<Option<String>, Fault> {
    let wrong = || Fault::new(Class::Config, "ARGOCD_APP_PARAMETERS is not the list of parameters that Argo CD writes");
    let parameters: Value = serde_json::from_str(text).map_err(|_| wrong())?;
    if parameters.is_null() {
        return Ok(None);
    }
    let list = parameters.as_array().ok_or_else(wrong)?;
    let Some(parameter) = list.iter().find(|parameter| parameter.get("name").and_then(Value::as_str) == Some("system")) else {
        return Ok(None);
    };
    let value = parameter.get("string").and_then(Value::as_str).ok_or_else(wrong)?;
    Ok(Some(value.to_owned()).filter(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_among_parameters() {
        for (text, expected) in [
            (r#"[{"name":"system","string":"kargo"}]"#, Some(Some("kargo"))),
            (r#"[{"name":"system","string":""}]"#, Some(None)),
            (r#"[{"name":"other","array":["a"]}]"#, Some(None)),
            ("[]", Some(None)),
            ("null", Some(None)),
            (r#"[{"name":"system","array":["kargo"]}]"#, None),
            ("{}", None),
            ("x", None),
        ] {
            let found = named(text).ok();
            assert_eq!(found.as_ref().map(Option::as_deref), expected, "{text}");
        }
    }
}
