//! Kargo's expressions inside text: where they begin and end, and the few calls that other rules look at.

use std::sync::LazyLock;

use regex::Regex;

static IMAGE_FROM: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"imageFrom\([ \t]*(?:"([^"]*)"|'([^']*)'|vars\.([0-9A-Za-z_]+))[ \t]*(,[ \t]*warehouse\()?"#).ok());

/// The expressions of a text, without their marks.
///
/// # Errors
/// What is wrong with the marks.
pub(super) fn expressions(text: &str) -> Result<Vec<&str>, &'static str> {
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        let next = [("${{", "}}"), ("${%", "%}")].iter().filter_map(|(open, close)| Some((rest.find(open)?, *open, *close))).min();
        let Some((at, open, close)) = next else { return Ok(out) };
        let inner = rest.get(at + open.len()..).unwrap_or_default();
        // Kargo ends at the first closing mark, wherever it stands.
        let end = inner.find(close).ok_or("an expression is not closed")?;
        let expression = inner.get(..end).unwrap_or_default();
        if expression.trim().is_empty() {
            return Err("an expression is empty");
        }
        if !is_balanced(expression) {
            return Err("an expression ends inside its quotes or brackets; write ${% %} when it holds }}");
        }
        out.push(expression);
        rest = inner.get(end + close.len()..).unwrap_or_default();
    }
}

/// Whether quotes and brackets of an expression match.
pub(super) fn is_balanced(expression: &str) -> bool {
    let mut open = Vec::new();
    let mut chars = expression.chars();
    while let Some(c) = chars.next() {
        match c {
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' if open.pop() != Some(c) => return false,
            '"' | '\'' | '`' => loop {
                match chars.next() {
                    None => return false,
                    Some('\\') if c != '`' => drop(chars.next()),
                    Some(next) if next == c => break,
                    Some(_) => {}
                }
            },
            _ => {}
        }
    }
    open.is_empty()
}

/// What `imageFrom` is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::render::check) enum Asked {
    /// A repository by its text.
    Literal(String),
    /// A repository by a variable.
    Variable(String),
}

/// Every call of `imageFrom` in a text, and whether it names a Warehouse.
pub(in crate::render::check) fn argument_of_image_from(text: &str) -> Vec<(Asked, bool)> {
    let Some(pattern) = IMAGE_FROM.as_ref() else { return Vec::new() };
    let expressions = expressions(text).unwrap_or_default();
    let calls = expressions.iter().flat_map(|expression| pattern.captures_iter(expression));
    calls
        .filter_map(|call| {
            let literal = call.get(1).or_else(|| call.get(2)).map(|text| Asked::Literal(text.as_str().to_owned()));
            let asked = literal.or_else(|| call.get(3).map(|name| Asked::Variable(name.as_str().to_owned())))?;
            Some((asked, call.get(4).is_some()))
        })
        .collect()
}

/// The value of a variable among `variables`.
pub(in crate::render::check) fn variable<'a>(variables: &'a [(String, String)], name: &str) -> Option<&'a str> {
    variables.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_expressions_are() {
        assert_eq!(expressions("a ${{ b }} c ${% {\"x\": {}} %}"), Ok(vec![" b ", " {\"x\": {}} "]));
        assert_eq!(expressions("no marks {} $x"), Ok(vec![]));
        for text in ["${{ a", "${% a }}", "${{ quote({'a': {'b': 1}}) }}", "${{ }}", "${{ ( }}", "${{ 'a }}"] {
            assert!(expressions(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_image_from_is_asked_for() {
        let text = "${{ imageFrom(\"a/b\").Tag }}@${{ imageFrom(vars.repo, warehouse('w')).Digest }} imageFrom('outside')";
        let expected = vec![(Asked::Literal("a/b".into()), false), (Asked::Variable("repo".into()), true)];
        assert_eq!(argument_of_image_from(text), expected);
    }
}
