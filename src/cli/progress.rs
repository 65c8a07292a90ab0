//! Progress on standard error, when it is a terminal and nobody asked for quiet.

use std::io::IsTerminal;
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};

use crate::ports::Progress;

/// One line that is redrawn and disappears.
pub(super) struct Line {
    bar: Mutex<Option<ProgressBar>>,
    shown: bool,
}

impl Line {
    /// A line that draws only on a terminal that can redraw it.
    pub(super) fn new(quiet: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { bar: Mutex::new(None), shown: !quiet && !dumb && std::io::stderr().is_terminal() }
    }
}

impl Progress for Line {
    fn begin(&self, step: &str, items: Option<u64>) {
        tracing::debug!(step, items, "step");
        if !self.shown {
            return;
        }
        let bar = items.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        let template = if items.is_some() { "{spinner} {msg} {pos}/{len}" } else { "{spinner} {msg}" };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(step.to_owned());
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        if let Ok(mut current) = self.bar.lock()
            && let Some(old) = current.replace(bar)
        {
            old.finish_and_clear();
        }
    }

    fn advance(&self) {
        if let Ok(bar) = self.bar.lock()
            && let Some(bar) = bar.as_ref()
        {
            bar.inc(1);
        }
    }

    fn end(&self) {
        if let Ok(mut bar) = self.bar.lock()
            && let Some(bar) = bar.take()
        {
            bar.finish_and_clear();
        }
    }
}
