//! What targets ask for, done by several hands at once. How many there were does not show in what comes out.

use std::collections::{BTreeMap, BTreeSet};

use super::sheet::Taken;
use super::{Engine, Sheet};
use crate::base::hands;

/// Tasks that a hand takes at a time.
const BLOCK: usize = 16;

type Task<'v> = Box<dyn Fn(&mut Sheet<'_>) + Send + Sync + 'v>;

/// The tasks of a rendering, in order.
#[derive(Default)]
pub struct Work<'v> {
    tasks: Vec<Task<'v>>,
}

impl<'v> Work<'v> {
    /// Adds a task. On its sheet it sees what it wrote itself, and nothing of others.
    pub fn add(&mut self, task: impl Fn(&mut Sheet<'_>) + Send + Sync + 'v) {
        self.tasks.push(Box::new(task));
    }

    /// Does them. `templates` are those of the config repository.
    pub(super) fn done(self, templates: &BTreeMap<String, String>) -> Taken {
        let overridden: BTreeSet<String> = templates.keys().cloned().collect();
        // Each hand has an engine of its own.
        let taken = hands::in_blocks(
            &self.tasks,
            BLOCK,
            || Engine::with(templates),
            |engine, block| {
                let mut sheet = Sheet::new(engine, &overridden);
                for task in block {
                    task(&mut sheet);
                }
                sheet.into_taken()
            },
        );
        let mut out = Taken::default();
        for taken in taken {
            out.add(taken);
        }
        out
    }
}
