//! `RUN --mount=` and `RUN --device=`: comma-separated fields.

/// Kinds of mounts.
const KINDS: [&str; 5] = ["bind", "cache", "tmpfs", "secret", "ssh"];

/// A mount, checked and expanded.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) kind: String,
    pub(super) from: String,
    pub(super) target: String,
}

type Checked<T> = Result<T, String>;

/// Fields as CSV has them: quoted ones may hold commas, and a doubled quote is one.
fn fields(text: &str) -> Checked<Vec<String>> {
    if text.is_empty() {
        return Err("a mount without any field".to_owned());
    }
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        let Some(mut quoted) = rest.strip_prefix('"') else {
            let (field, tail) = rest.split_once(',').map_or((rest, None), |(field, tail)| (field, Some(tail)));
            if field.contains('"') {
                return Err("a quote inside a field".to_owned());
            }
            out.push(field.to_owned());
            match tail {
                Some(tail) => rest = tail,
                None => return Ok(out),
            }
            continue;
        };
        let mut field = String::new();
        loop {
            let (text, tail) = quoted.split_once('"').ok_or("a field without its closing quote")?;
            field.push_str(text);
            match tail.strip_prefix('"') {
                Some(tail) => {
                    field.push('"');
                    quoted = tail;
                }
                None if tail.is_empty() => {
                    out.push(field);
                    return Ok(out);
                }
                None => {
                    rest = tail.strip_prefix(',').ok_or("text after a closing quote")?;
                    out.push(field);
                    break;
                }
            }
        }
    }
}

/// What is refused before variables are known.
pub(super) fn check_early(text: &str) -> Checked<()> {
    for field in fields(text)? {
        if let Some((key, value)) = field.split_once('=')
            && key.to_lowercase() == "from"
            && value.find('$').is_some_and(|at| at + 1 != value.len())
        {
            return Err("`from` of a mount takes no variables; name a stage instead".to_owned());
        }
    }
    Ok(())
}

/// Where a mount comes from, as it is written.
pub(super) fn from(text: &str) -> String {
    let fields = fields(text).unwrap_or_default();
    let mut found = fields.iter().rev().filter_map(|field| field.split_once('='));
    found.find(|(key, _)| key.to_lowercase() == "from").map_or_else(String::new, |(_, value)| value.to_owned())
}

/// Reads a mount, its values expanded.
pub(super) fn read(text: &str, expand: &mut dyn FnMut(&str) -> Checked<String>) -> Result<Mount, Wrong> {
    let mut mount = Mount { kind: "bind".to_owned(), ..Mount::default() };
    let (mut source, mut id, mut sharing, mut owner) = (String::new(), String::new(), false, false);
    for field in fields(text).map_err(Wrong::Mount)? {
        let (key, value) = field.split_once('=').map_or((field.as_str(), None), |(key, value)| (key, Some(value)));
        let key = key.to_lowercase();
        let wrong = |why: String| Err(Wrong::Mount(why));
        let may_be_required = matches!(mount.kind.as_str(), "secret" | "ssh");
        let Some(value) = value else {
            match key.as_str() {
                "readonly" | "ro" | "readwrite" | "rw" => {}
                "required" if may_be_required => {}
                _ => return wrong(format!("`{field}` of a mount needs a value")),
            }
            continue;
        };
        let value = expand(value).map_err(Wrong::Word)?;
        let right = match key.as_str() {
            "type" => {
                mount.kind = value.to_lowercase();
                KINDS.contains(&mount.kind.as_str())
            }
            "from" => {
                mount.from = value;
                true
            }
            "source" | "src" => {
                source = value;
                true
            }
            "target" | "dst" | "destination" => {
                mount.target = value;
                true
            }
            "readonly" | "ro" | "readwrite" | "rw" => is_bool(&value),
            "required" => may_be_required && is_bool(&value),
            "size" => mount.kind == "tmpfs" && is_size(&value),
            "id" => {
                id = value;
                true
            }
            "sharing" => {
                sharing = true;
                ["shared", "private", "locked"].contains(&value.to_lowercase().as_str())
            }
            "mode" | "uid" | "gid" => {
                owner = true;
                let digits = value.bytes().all(|b| b.is_ascii_digit());
                digits && u32::from_str_radix(&value, if key == "mode" { 8 } else { 10 }).is_ok()
            }
            "env" => true,
            _ => false,
        };
        if !right {
            return wrong(format!("`{field}` has no place in a mount of type {}", mount.kind));
        }
    }
    let secret = mount.kind == "secret";
    let wrong = match mount.kind.as_str() {
        "bind" | "tmpfs" if owner => Some("has no owner or mode"),
        _ if secret && !mount.from.is_empty() => Some("takes nothing from elsewhere"),
        _ if secret && source.is_empty() && mount.target.is_empty() && id.is_empty() => Some("needs a source or a target"),
        _ if secret && !source.is_empty() && !id.is_empty() => Some("has a source or an id, not both"),
        kind if sharing && kind != "cache" => Some("is not shared"),
        _ => None,
    };
    match wrong {
        Some(why) => Err(Wrong::Mount(format!("a mount of type {} {why}", mount.kind))),
        None => Ok(mount),
    }
}

/// What is wrong with a mount.
#[derive(Debug)]
pub(super) enum Wrong {
    /// A value can't be expanded.
    Word(String),
    /// Its fields.
    Mount(String),
}

/// Checks a device.
pub(super) fn device(text: &str) -> Checked<()> {
    let mut named = false;
    for field in fields(text)? {
        match field.split_once('=').map(|(key, value)| (key.to_lowercase(), value)) {
            None if field.to_lowercase() == "required" => {}
            None if !named => named = true,
            None => return Err(format!("`{field}` of a device needs a value")),
            Some((key, _)) if key == "name" && named => return Err("a device has one name".to_owned()),
            Some((key, value)) if key == "name" => named = !value.is_empty(),
            Some((key, value)) if key == "required" => {
                if !is_bool(value) {
                    return Err(format!("`{field}` of a device is true or false"));
                }
            }
            Some(_) if !named => named = true,
            Some(_) => return Err(format!("`{field}` is no field of a device")),
        }
    }
    Ok(())
}

/// What Go's `ParseBool` takes.
pub(super) fn is_bool(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "TRUE" | "true" | "True" | "0" | "f" | "F" | "FALSE" | "false" | "False")
}

/// A size as Docker writes it: a number and up to three letters, `64m`, `1.5GiB`.
fn is_size(text: &str) -> bool {
    let Some(last) = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ') else { return false };
    let (number, unit) = text.split_at(last + 1);
    let number = number.strip_suffix(' ').unwrap_or(number);
    let unit = unit.to_lowercase();
    let scaled = |rest: &str| matches!(rest, "" | "b" | "ib");
    let known = unit.is_empty() || unit == "b" || unit.strip_prefix(['k', 'm', 'g', 't', 'p']).is_some_and(scaled);
    known && number.parse::<f64>().is_ok_and(|number| number >= 0.0)
}
