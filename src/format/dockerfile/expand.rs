//! Variables in words, as BuildKit's shell lexer expands them: `$V`, `${V}` and ten modifiers, nothing else.

use std::collections::BTreeSet;

use regex::RegexBuilder;

/// Largest compiled pattern of `${V#pattern}` and its like, in bytes.
const PATTERN_LIMIT: usize = 1 << 20;

/// Deepest `${A:-${B:-…}}`.
const DEEPEST: usize = 32;

/// An expanded word, and the names it used that nothing sets.
pub(super) struct Expanded {
    pub(super) text: String,
    pub(super) unset: BTreeSet<String>,
}

/// Expands a word: quotes and escapes are taken off, variables looked up.
pub(super) fn expand(word: &str, escape: char, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Expanded, String> {
    let mut lexer = Lexer { chars: word.chars().collect(), at: 0, escape, lookup, unset: BTreeSet::new(), depth: 0 };
    let text = lexer.until(None, false)?;
    Ok(Expanded { text, unset: lexer.unset })
}

struct Lexer<'a> {
    chars: Vec<char>,
    at: usize,
    escape: char,
    lookup: &'a dyn Fn(&str) -> Option<String>,
    unset: BTreeSet<String>,
    depth: usize,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    /// Everything up to `stop`, which is taken off; up to the end when there is none.
    fn until(&mut self, stop: Option<char>, raw_escapes: bool) -> Result<String, String> {
        let mut out = String::new();
        while let Some(c) = self.next() {
            match c {
                c if Some(c) == stop => return Ok(out),
                '\'' => self.single(&mut out)?,
                '"' => self.double(&mut out)?,
                '$' => self.dollar(&mut out)?,
                c if c == self.escape => {
                    if raw_escapes {
                        out.push('\\');
                    }
                    out.extend(self.next());
                }
                c => out.push(c),
            }
        }
        match stop {
            None => Ok(out),
            Some(stop) => Err(format!("a substitution without its `{stop}`")),
        }
    }

    fn single(&mut self, out: &mut String) -> Result<(), String> {
        while let Some(c) = self.next() {
            if c == '\'' {
                return Ok(());
            }
            out.push(c);
        }
        Err("a single quote without its other half".to_owned())
    }

    fn double(&mut self, out: &mut String) -> Result<(), String> {
        while let Some(c) = self.next() {
            match c {
                '"' => return Ok(()),
                '$' => self.dollar(out)?,
                c if c == self.escape => match self.peek() {
                    Some(next) if next == '"' || next == '$' || next == self.escape => out.extend(self.next()),
                    _ => out.push(c),
                },
                c => out.push(c),
            }
        }
        Err("a double quote without its other half".to_owned())
    }

    fn name(&mut self) -> String {
        match self.peek() {
            Some(c) if c.is_ascii_digit() => self.take_while(|c| c.is_ascii_digit()),
            Some(c @ ('@' | '*' | '#' | '?' | '-' | '$' | '!')) => {
                self.at += 1;
                c.to_string()
            }
            _ => self.take_while(|c| c.is_ascii_alphanumeric() || c == '_'),
        }
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut out = String::new();
        while let Some(c) = self.peek().filter(|c| wanted(*c)) {
            out.push(c);
            self.at += 1;
        }
        out
    }

    fn value(&mut self, name: &str) -> Option<String> {
        let value = (self.lookup)(name);
        if value.is_none() {
            self.unset.insert(name.to_owned());
        }
        value
    }

    fn dollar(&mut self, out: &mut String) -> Result<(), String> {
        if self.peek() != Some('{') {
            let name = self.name();
            if name.is_empty() {
                out.push('$');
            } else {
                out.push_str(&self.value(&name).unwrap_or_default());
            }
            return Ok(());
        }
        self.at += 1;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("substitutions nested deeper than {DEEPEST}"));
        }
        let substituted = self.substitution()?;
        self.depth -= 1;
        out.push_str(&substituted);
        Ok(())
    }

    /// What stands between `${` and `}`.
    fn substitution(&mut self) -> Result<String, String> {
        if matches!(self.peek(), None | Some('}' | ':')) {
            return Err("a substitution without a name".to_owned());
        }
        let name = self.name();
        let mut modifier = self.next().ok_or("a substitution without its `}`")?;
        let empty_is_unset = modifier == ':';
        if empty_is_unset {
            modifier = self.next().ok_or("a substitution without its `}`")?;
            if !matches!(modifier, '+' | '-' | '?') {
                return Err(format!("`:{modifier}` is no modifier of a substitution"));
            }
        }
        match modifier {
            '}' => Ok(self.value(&name).unwrap_or_default()),
            '+' | '-' | '?' => {
                let word = self.until(Some('}'), false)?;
                let value = (self.lookup)(&name).filter(|value| !(empty_is_unset && value.is_empty()));
                match (modifier, value) {
                    ('+', Some(_)) | ('-', None) => Ok(word),
                    ('+', None) => Ok(String::new()),
                    (_, Some(value)) => Ok(value),
                    (_, None) if word.is_empty() => Err(format!("{name} is not set")),
                    (_, None) => Err(format!("{name}: {word}")),
                }
            }
            '#' | '%' => {
                let longest = self.peek() == Some(modifier);
                self.at += usize::from(longest);
                let pattern = self.until(Some('}'), true)?;
                let value = self.value(&name).unwrap_or_default();
                cut(&value, &pattern, modifier == '%', longest)
            }
            '/' => {
                let all = self.peek() == Some('/');
                self.at += usize::from(all);
                let pattern = self.until(Some('/'), true)?;
                let replacement = self.until(Some('}'), false)?;
                let value = self.value(&name).unwrap_or_default();
                let found = compile(&glob(&pattern, true))?;
                let count = usize::from(!all);
                Ok(found.replacen(&value, count, regex::NoExpand(&replacement)).into_owned())
            }
            other => Err(format!("`{other}` is no modifier of a substitution")),
        }
    }
}

/// Cuts the shortest or longest match off the beginning, or off the end: that is the beginning of both reversed.
fn cut(value: &str, pattern: &str, end: bool, longest: bool) -> Result<String, String> {
    let turned = |text: &str| if end { text.chars().rev().collect() } else { text.to_owned() };
    let pieces = pieces(pattern, longest);
    let ordered: Vec<String> = if end { pieces.into_iter().rev().collect() } else { pieces };
    let value = turned(value);
    let found = compile(&format!("^(?s:{})", ordered.concat()))?;
    let rest = found.find(&value).map_or(value.as_str(), |found| value.get(found.end()..).unwrap_or_default());
    Ok(turned(rest))
}

fn compile(pattern: &str) -> Result<regex::Regex, String> {
    RegexBuilder::new(pattern).size_limit(PATTERN_LIMIT).build().map_err(|_| "a pattern that is too large".to_owned())
}

fn glob(pattern: &str, longest: bool) -> String {
    format!("(?s:{})", pieces(pattern, longest).concat())
}

/// A shell pattern's characters as pieces of a regular expression.
fn pieces(pattern: &str, longest: bool) -> Vec<String> {
    let mut out = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '*' if longest => ".*".to_owned(),
            '*' => ".*?".to_owned(),
            '?' => ".".to_owned(),
            '\\' => chars.next().map(|c| regex::escape(&c.to_string())).unwrap_or_default(),
            c => regex::escape(&c.to_string()),
        });
    }
    out
}
