//! BuildKit's shell lexer: quotes, escapes, `$V`, `${V}` and ten modifiers, nothing else.

use std::collections::BTreeSet;

use super::pattern;

/// Deepest `${A:-${B:-…}}`. BuildKit knows no bound and would exhaust its stack.
const DEEPEST: usize = 128;

/// Longest expanded word, in bytes, so that arguments that double each other end.
const LONGEST: usize = 64 << 10;

/// What a variable is.
pub(super) enum Variable {
    /// Set to this.
    Set(String),
    /// Nobody here can know: it may come from a base image. It expands to nothing and refuses nothing.
    Unknown,
}

/// What is kept as it is written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Raw {
    /// Quotes.
    pub(super) quotes: bool,
    /// Escape characters.
    pub(super) escapes: bool,
    /// Variables that are not set.
    pub(super) unset: bool,
}

type Lookup<'a> = &'a dyn Fn(&str) -> Option<Variable>;

/// Expands words of one text.
pub(super) struct Lexer<'a> {
    rest: &'a str,
    escape: char,
    lookup: Lookup<'a>,
    raw: Raw,
    /// Whether quotes mean nothing, as in the body of a heredoc.
    plain_quotes: bool,
    /// Whether the text is split into words, of which `word` is the one in hand.
    splits: bool,
    words: Vec<String>,
    word: String,
    depth: usize,
    /// Names that were looked up and are not set.
    pub(super) unset: BTreeSet<String>,
}

/// Whether expansion could change or refuse `word`.
pub(super) fn is_plain(word: &str, escape: char) -> bool {
    let escape = if escape == '`' { b'`' } else { b'\\' };
    !word.bytes().any(|b| matches!(b, b'$' | b'\'' | b'"') || b == escape) && !word.starts_with('\u{feff}')
}

impl<'a> Lexer<'a> {
    pub(super) fn new(escape: char, lookup: Lookup<'a>) -> Self {
        Self {
            rest: "",
            escape,
            lookup,
            raw: Raw::default(),
            plain_quotes: false,
            splits: false,
            words: Vec::new(),
            word: String::new(),
            depth: 0,
            unset: BTreeSet::new(),
        }
    }

    pub(super) fn raw(self, raw: Raw) -> Self {
        Self { raw, ..self }
    }

    pub(super) fn plain_quotes(self) -> Self {
        Self { plain_quotes: true, ..self }
    }

    /// The whole text, expanded.
    pub(super) fn text(&mut self, text: &'a str) -> Result<String, String> {
        self.rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        self.until(None, self.raw.escapes, false)
    }

    /// The text's words, split at white space outside of quotes.
    pub(super) fn words(mut self, text: &'a str) -> Result<Vec<String>, String> {
        self.splits = true;
        self.text(text)?;
        self.end_word();
        Ok(self.words)
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next();
        self.rest = chars.as_str();
        c
    }

    fn end_word(&mut self) {
        if !self.word.is_empty() {
            self.words.push(std::mem::take(&mut self.word));
        }
    }

    fn add(&mut self, c: char) {
        if !self.splits {
            return;
        }
        if c.is_whitespace() { self.end_word() } else { self.word.push(c) }
    }

    /// Everything up to `stop`, which is taken off; up to the end when there is none. `keep` keeps escape
    /// characters; `pattern` doubles them inside quotes, since a pattern is read once more.
    fn until(&mut self, stop: Option<char>, keep: bool, pattern: bool) -> Result<String, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("substitutions nested deeper than {DEEPEST}"));
        }
        let outer = std::mem::replace(&mut self.raw.escapes, keep);
        // The buffer of the word in hand is one for all depths: what an inner text has is gone with it.
        self.word.clear();
        let words = std::mem::take(&mut self.words);
        let result = self.read(stop, pattern);
        if stop.is_some() {
            self.word.clear();
            self.words = words;
        }
        self.raw.escapes = outer;
        self.depth -= 1;
        result
    }

    fn read(&mut self, stop: Option<char>, pattern: bool) -> Result<String, String> {
        let mut out = String::new();
        while let Some(c) = self.peek() {
            if Some(c) == stop {
                self.next();
                return Ok(out);
            }
            if out.len() > LONGEST {
                return Err(format!("a word longer than {LONGEST} bytes"));
            }
            match c {
                '\'' | '"' if !self.plain_quotes => {
                    let text = if c == '"' { self.double(pattern)? } else { self.single(pattern)? };
                    if self.splits {
                        self.word.push_str(&text);
                    }
                    out.push_str(&text);
                }
                '$' => {
                    let text = self.dollar()?;
                    if self.splits {
                        text.chars().for_each(|c| self.add(c));
                    }
                    out.push_str(&text);
                }
                '<' => {
                    let text = self.less();
                    self.word.push_str(text);
                    out.push_str(text);
                }
                c if c == self.escape => {
                    self.next();
                    if self.raw.escapes {
                        self.word.push(c);
                        out.push(c);
                    }
                    let Some(next) = self.next() else { break };
                    self.word.push(next);
                    out.push(next);
                }
                c => {
                    self.next();
                    self.add(c);
                    out.push(c);
                }
            }
        }
        match stop {
            None => Ok(out),
            Some(stop) => Err(format!("a substitution without its `{stop}`")),
        }
    }

    /// `<`, or `<<` and the blanks behind it, which do not end the word.
    fn less(&mut self) -> &'a str {
        let Some(behind) = self.rest.strip_prefix("<<") else {
            self.next();
            return "<";
        };
        let after = behind.trim_start_matches([' ', '\t', '\r']);
        let length = self.rest.len() - after.len();
        let (text, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        text
    }

    fn single(&mut self, pattern: bool) -> Result<String, String> {
        let mut out = String::new();
        let quote = self.next().filter(|_| self.raw.quotes);
        out.extend(quote);
        while let Some(c) = self.next() {
            if c == '\'' {
                out.extend(quote);
                return Ok(out);
            }
            if pattern && c == self.escape {
                out.push(c);
            }
            out.push(c);
        }
        Err("a single quote without its other half".to_owned())
    }

    fn double(&mut self, pattern: bool) -> Result<String, String> {
        let mut out = String::new();
        let quote = self.next().filter(|_| self.raw.quotes);
        out.extend(quote);
        while let Some(c) = self.peek() {
            match c {
                '"' => {
                    self.next();
                    out.extend(quote);
                    return Ok(out);
                }
                '$' => out.push_str(&self.dollar()?),
                c if c == self.escape => {
                    self.next();
                    match self.peek() {
                        None => {}
                        Some(next) if next == '"' || next == '$' || next == self.escape => {
                            if self.raw.escapes {
                                out.push(c);
                            }
                            self.next();
                            out.push(next);
                        }
                        Some(_) => {
                            if self.raw.escapes && (!self.raw.quotes || pattern) {
                                out.push(c);
                            }
                            out.push(c);
                        }
                    }
                }
                c => {
                    self.next();
                    out.push(c);
                }
            }
        }
        Err("a double quote without its other half".to_owned())
    }

    fn name(&mut self) -> &'a str {
        let end = match self.peek() {
            Some(c) if is_digit(c) => self.rest.find(|c| !is_digit(c)),
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => Some(1),
            _ => self.rest.find(|c: char| c != '_' && !is_digit(c) && !is_letter(c)),
        };
        let (name, rest) = self.rest.split_at_checked(end.unwrap_or(self.rest.len())).unwrap_or((self.rest, ""));
        self.rest = rest;
        name
    }

    fn value(&mut self, name: &str) -> Option<Variable> {
        let value = (self.lookup)(name);
        if !matches!(value, Some(Variable::Set(_))) {
            self.unset.insert(name.to_owned());
        }
        value
    }

    fn dollar(&mut self) -> Result<String, String> {
        self.next();
        if self.peek() != Some('{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            return Ok(match self.value(name) {
                Some(Variable::Set(value)) => value,
                _ if self.raw.unset => format!("${name}"),
                _ => String::new(),
            });
        }
        self.next();
        if matches!(self.peek(), None | Some('{' | '}' | ':')) {
            return Err("a substitution without a name".to_owned());
        }
        let name = self.name();
        let missing = || "a substitution without its `}`".to_owned();
        match self.next().ok_or_else(missing)? {
            '}' => Ok(match self.value(name) {
                Some(Variable::Set(value)) => value,
                _ if self.raw.unset => format!("${{{name}}}"),
                _ => String::new(),
            }),
            ':' => {
                let modifier = self.next().ok_or_else(missing)?;
                if matches!(modifier, '#' | '%') {
                    return Err(format!("`:{modifier}` is no modifier of a substitution"));
                }
                self.modified(name, modifier, true)
            }
            modifier @ ('+' | '-' | '?' | '#' | '%') => self.modified(name, modifier, false),
            '/' => self.replaced(name),
            other => Err(format!("`{other}` is no modifier of a substitution")),
        }
    }

    /// `${name[:]modifier word}`.
    fn modified(&mut self, name: &str, modifier: char, empty_is_unset: bool) -> Result<String, String> {
        let is_pattern = matches!(modifier, '#' | '%');
        let word = self.until(Some('}'), is_pattern, is_pattern)?;
        let value = self.value(name);
        let value = match value {
            Some(Variable::Set(value)) => Some(value),
            Some(Variable::Unknown) if modifier == '?' => Some("?".to_owned()),
            _ if self.raw.unset => {
                let colon = if empty_is_unset { ":" } else { "" };
                return Ok(format!("${{{name}{colon}{modifier}{word}}}"));
            }
            _ => None,
        };
        let used = |value: Option<String>| value.filter(|value| !(empty_is_unset && value.is_empty()));
        match modifier {
            '-' => Ok(used(value).unwrap_or(word)),
            '+' => Ok(used(value).map_or_else(String::new, |_| word)),
            '?' => used(value).ok_or_else(|| if word.is_empty() { format!("{name} is not set") } else { format!("{name}: {word}") }),
            '#' | '%' => {
                let longest = word.strip_prefix(modifier);
                pattern::cut(value.as_deref().unwrap_or_default(), longest.unwrap_or(&word), modifier == '%', longest.is_some())
            }
            other => Err(format!("`:{other}` is no modifier of a substitution")),
        }
    }

    /// `${name/pattern/replacement}`, with two slashes for every match.
    fn replaced(&mut self, name: &str) -> Result<String, String> {
        let all = self.peek() == Some('/');
        if all {
            self.next();
        }
        let pattern = self.until(Some('/'), true, true)?;
        let replacement = self.until(Some('}'), true, false)?;
        match self.value(name) {
            Some(Variable::Set(value)) => pattern::replace(&value, &pattern, &replacement, all),
            _ if self.raw.unset => Ok(format!("${{{name}/{pattern}/{replacement}}}")),
            _ => pattern::replace("", &pattern, &replacement, all),
        }
    }
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || (!c.is_ascii() && c.is_numeric() && !c.is_alphabetic())
}

fn is_letter(c: char) -> bool {
    c.is_alphabetic() && !c.is_numeric()
}
