//! What targets ask for, done by several hands at once. How many there were does not show in what comes out.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::sheet::Taken;
use super::{Engine, Sheet};

/// Tasks that a hand takes at a time.
const BLOCK: usize = 16;

/// Most hands. Each has an engine of its own.
const HANDS: usize = 8;

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
        let blocks: Vec<&[Task<'v>]> = self.tasks.chunks(BLOCK).collect();
        let next = AtomicUsize::new(0);
        let done = Mutex::new(BTreeMap::new());
        let hand = || {
            let engine = Engine::with(templates);
            while let Some((index, block)) = {
                let index = next.fetch_add(1, Ordering::Relaxed);
                blocks.get(index).map(|block| (index, block))
            } {
                let mut sheet = Sheet::new(&engine, &overridden);
                block.iter().for_each(|task| task(&mut sheet));
                if let Ok(mut done) = done.lock() {
                    done.insert(index, sheet.into_taken());
                }
            }
        };
        let hands = thread::available_parallelism().map_or(1, NonZero::get).min(HANDS).min(blocks.len());
        thread::scope(|scope| {
            for _ in 1..hands {
                // Where no thread can be made, the hands that are there do it all.
                drop(thread::Builder::new().spawn_scoped(scope, hand));
            }
            hand();
        });
        let mut out = Taken::default();
        done.into_inner().unwrap_or_default().into_values().for_each(|taken| out.add(taken));
        out
    }
}
