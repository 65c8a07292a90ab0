//! Parser directives: `# escape=`, `# syntax=` and `# check=`, before anything else in the file.

use crate::model::ImageReference;

/// What a regular expression's `\s` means to BuildKit.
pub(super) const BLANKS: [char; 5] = ['\t', '\n', '\u{c}', '\r', ' '];

const NAMES: [&str; 3] = ["syntax", "escape", "check"];

/// The frontend that a file asks for with `# syntax=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syntax {
    /// What stands there.
    pub raw: String,
    /// The image it means: its first word. `None` when that is no reference.
    pub image: Option<ImageReference>,
}

/// What parser directives have said so far; they end at the first line that is none.
#[derive(Default)]
pub(super) struct Directives {
    done: bool,
    seen: [bool; NAMES.len()],
    pub(super) escape: Option<char>,
}

impl Directives {
    /// Looks at one line, its leading white space gone.
    pub(super) fn look(&mut self, line: &str) -> Result<(), String> {
        if self.done {
            return Ok(());
        }
        if let Some(("escape", value)) = self.take(line, "#")? {
            self.escape = Some(match value {
                "\\" => '\\',
                "`" => '`',
                _ => return Err("the escape character is \\ or `".to_owned()),
            });
        }
        Ok(())
    }

    /// Whether no further line can be a directive.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// The directive of a line, after `comment`.
    fn take<'a>(&mut self, line: &'a str, comment: &str) -> Result<Option<(&'static str, &'a str)>, String> {
        let found = line.strip_prefix(comment).and_then(|rest| key_and_value(rest.trim_start()));
        let known = found.and_then(|(key, value)| {
            let index = NAMES.iter().position(|name| key.eq_ignore_ascii_case(name))?;
            Some((index, NAMES.get(index).copied()?, value))
        });
        let Some((index, name, value)) = known else {
            self.done = true;
            return Ok(None);
        };
        if let Some(seen) = self.seen.get_mut(index) {
            if *seen {
                return Err(format!("the directive `{name}` stands here a second time"));
            }
            *seen = true;
        }
        Ok(Some((name, value)))
    }
}

/// `key = value`; a value of blanks alone is the last of them.
fn key_and_value(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once('=')?;
    let key = key.trim_end_matches(BLANKS);
    let word = key.starts_with(|c: char| c.is_ascii_alphabetic()) && key.bytes().all(|b| b.is_ascii_alphanumeric());
    let trimmed = value.trim_matches(BLANKS);
    let value = if trimmed.is_empty() { value.char_indices().next_back().and_then(|(at, _)| value.get(at..))? } else { trimmed };
    word.then_some((key, value))
}

/// Whether `# check=` has options that the linter takes: `skip=`, `experimental=` and `error=`, between semicolons.
pub(super) fn check_is_whole(text: &str) -> bool {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = if text.starts_with("#!") { text.split_once('\n').map_or("", |(_, rest)| rest) } else { text };
    let mut directives = Directives::default();
    let found = text.lines().map_while(|line| directives.take(line, "#").ok().flatten()).find(|(name, _)| *name == "check");
    let options = found.and_then(|(_, value)| value.split(' ').next()).map_or("", str::trim);
    options.is_empty()
        || options.splitn(3, ';').all(|option| match option.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
            Some(("skip" | "experimental", _)) => true,
            Some(("error", value)) => super::mount::is_bool(value),
            _ => false,
        })
}

/// The frontend a file asks for: `# syntax=`, `// syntax=` or a JSON object with `syntax`, after a `#!` line if any.
pub(super) fn syntax(text: &str) -> Option<Syntax> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = if text.starts_with("#!") { text.split_once('\n').map_or("", |(_, rest)| rest) } else { text };
    let raw = ["#", "//"].into_iter().find_map(|comment| {
        let mut directives = Directives::default();
        for line in text.lines() {
            match directives.take(line, comment) {
                Ok(Some(("syntax", value))) => return Some(value.to_owned()),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return None,
            }
        }
        None
    });
    let raw = raw.or_else(|| {
        let object = text.trim_start().starts_with('{').then(|| serde_json::from_str::<serde_json::Value>(text).ok())??;
        Some(object.get("syntax")?.as_str()?.to_owned())
    })?;
    let image = raw.split(' ').next().and_then(|word| ImageReference::parse(word).ok());
    Some(Syntax { raw, image })
}
