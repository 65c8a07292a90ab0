//! minijinja, tied down: strict undefined, an instruction budget, no loader, every value quoted and noted.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

use super::templates::{self, TEMPLATES};
use super::{inert, quote};
use crate::base::{Class, Fault, fault::foreign};

/// Instructions one document may cost. The largest of ours, for a hundred receivers, takes some five thousand.
const FUEL: u64 = 100_000;

/// Largest document, in bytes.
const LARGEST: usize = 1 << 20;

/// What a template made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The text, complete with newline.
    pub text: String,
    /// Every text that was put in, in order: a check finds each of them again.
    pub given: Vec<String>,
}

/// The template engine.
pub struct Engine {
    environment: Environment<'static>,
    given: Arc<Mutex<Vec<String>>>,
    broken: BTreeMap<String, Fault>,
}

impl Engine {
    /// The engine with the templates of the binary.
    pub fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        // A block on a line of its own leaves no line behind. These settings can't be refused; were they, the
        // checks would show it.
        if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
            environment.set_syntax(syntax);
        }
        // What would let a template write a value without its quotes, or past the check on them.
        for filter in ["safe", "escape", "e", "tojson"] {
            environment.remove_filter(filter);
        }
        for global in ["debug", "namespace"] {
            environment.remove_global(global);
        }
        let given = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&given);
        environment.set_formatter(move |out, state, value| {
            let text = if templates::is_markdown(state.name()) { shown(value, &noted)? } else { written(value, &noted)? };
            out.write_str(&text).map_err(minijinja::Error::from)
        });
        let mut engine = Self { environment, given, broken: BTreeMap::new() };
        for template in TEMPLATES {
            engine.add(template.name, template.text);
        }
        engine
    }

    /// The same with templates of the config repository, by path under `templates/`.
    pub(super) fn with(templates: &BTreeMap<String, String>) -> Self {
        let mut engine = Self::new();
        for (name, text) in templates {
            engine.add(&format!("templates/{name}"), text);
        }
        engine
    }

    /// Adds a template of the config repository. Values are quoted in it as everywhere.
    pub fn add(&mut self, name: &str, text: &str) {
        if let Err(error) = self.environment.add_template_owned(name.to_owned(), text.to_owned()) {
            self.broken.insert(name.to_owned(), fault(name, &error));
        }
    }

    /// Renders one template.
    ///
    /// # Errors
    /// [`Class::Config`] with template and line.
    pub fn render(&self, name: &str, values: &Value) -> Result<Rendered, Fault> {
        if let Some(fault) = self.broken.get(name) {
            return Err(fault.clone());
        }
        let template = self.environment.get_template(name).map_err(|error| fault(name, &error))?;
        let mut out = Bounded(Vec::new());
        if let Ok(mut given) = self.given.lock() {
            given.clear();
        }
        template.render_captured_to(values.clone(), &mut out).map_err(|error| fault(name, &error))?;
        let mut text = String::from_utf8(out.0).map_err(|_| Fault::new(Class::Internal, format!("template {name}: no text")))?;
        if !text.ends_with('\n') {
            text.push('\n');
        }
        let given = self.given.lock().map(|mut given| std::mem::take(&mut *given)).unwrap_or_default();
        Ok(Rendered { text, given })
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

/// A value as YAML, in one line. Maps are refused: their keys would be keys of the document.
fn written(value: &Value, given: &Mutex<Vec<String>>) -> Result<String, minijinja::Error> {
    if value.is_safe() {
        // What a template kept of its own text, its values quoted already.
        return Ok(value.to_string());
    }
    Ok(match value.kind() {
        // As YAML has it; the engine's own word is Python's.
        ValueKind::Bool => value.is_true().to_string(),
        ValueKind::Number => value.to_string(),
        ValueKind::None => "null".to_owned(),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            if let Ok(mut given) = given.lock() {
                given.push(text.to_owned());
            }
            quote::text(text)
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let items: Vec<String> = value.try_iter()?.map(|item| written(&item, given)).collect::<Result<_, _>>()?;
            format!("[{}]", items.join(", "))
        }
        ValueKind::Undefined => return Err(minijinja::Error::from(ErrorKind::UndefinedError)),
        kind => return Err(minijinja::Error::new(ErrorKind::InvalidOperation, format!("a {kind} can't stand for a value"))),
    })
}

/// A value as Markdown reads as itself. Lists and maps have no form of their own there.
fn shown(value: &Value, given: &Mutex<Vec<String>>) -> Result<String, minijinja::Error> {
    if value.is_safe() {
        return Ok(value.to_string());
    }
    Ok(match value.kind() {
        ValueKind::Bool => value.is_true().to_string(),
        ValueKind::Number => value.to_string(),
        ValueKind::String => {
            let text = inert::text(value.as_str().unwrap_or_default());
            if let Ok(mut given) = given.lock() {
                given.push(text.clone());
            }
            text
        }
        ValueKind::Undefined => return Err(minijinja::Error::from(ErrorKind::UndefinedError)),
        kind => return Err(minijinja::Error::new(ErrorKind::InvalidOperation, format!("a {kind} can't be shown on a page"))),
    })
}

/// Takes as many bytes as a document may have.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LARGEST {
            return Err(io::Error::other(format!("the document has more than {LARGEST} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn fault(template: &str, error: &minijinja::Error) -> Fault {
    let line = error.line().map(|line| format!(":{line}")).unwrap_or_default();
    // A writer's refusal is the source of an error that says no more than that writing failed.
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    Fault::new(Class::Config, format!("template {template}{line}: {}", foreign(&format!("{}{detail}{cause}", error.kind()))))
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;

    fn rendered(template: &str, values: &Value) -> Result<Rendered, String> {
        let mut engine = Engine::new();
        engine.add("test.yaml", template);
        engine.render("test.yaml", values).map_err(|fault| fault.text)
    }

    #[test]
    fn values_are_quoted_and_noted() {
        let made = rendered("a: {{ x }}\nb: {{ n }}\nc: {{ list }}\n", &context!(x => "a: \"b\"\n", n => 5, list => ["p", "q"])).unwrap();
        assert_eq!(made.text, "a: \"a: \\\"b\\\"\\n\"\nb: 5\nc: [\"p\", \"q\"]\n");
        assert_eq!(made.given, ["a: \"b\"\n", "p", "q"]);
    }

    #[test]
    fn what_a_template_can_not_do() {
        let values = || context!(x => "a", map => context!(key => "v"));
        for (template, expected) in [
            ("{{ y }}", "undefined"),
            ("{{ x.y.z }}", "undefined"),
            ("{{ map }}", "can't stand for a value"),
            ("{{ x | safe }}", "unknown filter"),
            ("{{ x | tojson }}", "unknown filter"),
            ("{% include '/etc/passwd' %}", "not found"),
            ("{% include '../secret.yaml' %}", "not found"),
            ("{% for a in range(100000) %}{% for b in range(100000) %}{{ a }}{% endfor %}{% endfor %}", "fuel"),
            ("{% for a in range(20000) %}{{ 'x' * 200 }}{% endfor %}", "more than"),
            ("{% if %}", "syntax error"),
            ("{{ debug() }}", "unknown"),
        ] {
            let fault = rendered(template, &values()).unwrap_err();
            assert!(fault.contains(expected) && fault.contains("test.yaml"), "{template}: {fault}");
        }
    }
}
