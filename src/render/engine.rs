//! minijinja, tied down: strict undefined, an instruction budget, no loader, values always quoted.

use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::base::{Class, Fault, fault::foreign};

/// Instructions one document may cost. A Warehouse takes some two hundred.
const FUEL: u64 = 100_000;

/// The templates of the binary. Their names end in `.yaml`, so every value is written as a JSON string,
/// which YAML reads as exactly that string.
const TEMPLATES: &[(&str, &str)] = &[("kargo/warehouse.yaml", include_str!("../../templates/kargo/warehouse.yaml"))];

/// The template engine.
pub struct Engine {
    environment: Environment<'static>,
    broken: Option<Fault>,
}

impl Engine {
    /// The engine with the templates of the binary.
    pub fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        let mut broken = None;
        for (name, text) in TEMPLATES {
            if let Err(error) = environment.add_template(name, text) {
                broken = Some(fault(name, &error));
            }
        }
        Self { environment, broken }
    }

    /// Renders one template.
    ///
    /// # Errors
    /// [`Class::Internal`] with template and line.
    pub fn render(&self, template: &'static str, values: &impl Serialize) -> Result<String, Fault> {
        if let Some(fault) = &self.broken {
            return Err(fault.clone());
        }
        let template = self.environment.get_template(template).map_err(|error| fault(template, &error))?;
        let mut text = template.render(minijinja::value::Serde(values)).map_err(|error| fault(template.name(), &error))?;
        if !text.ends_with('\n') {
            text.push('\n');
        }
        Ok(text)
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

fn fault(template: &str, error: &minijinja::Error) -> Fault {
    Fault::new(Class::Internal, format!("template {template}: {}", foreign(&error.to_string())))
}
