//! `graph`: which image builds on which, drawn.

use super::super::args::{Format, GraphArgs};
use super::super::output;
use super::super::output::drawing::{self, Drawing};
use super::{Context, looking};
use crate::base::{Class, Fault, fault};
use crate::plan::explain::{self, Input};

/// Draws the graph, or what one image's move reaches.
pub(super) fn graph(context: &Context, args: &GraphArgs) -> Result<u8, Fault> {
    let (owned, drafted) = looking::read(context)?;
    if let Some(code) = looking::refused(context, &drafted) {
        return Ok(code);
    }
    let graph = looking::graph_of(&drafted);
    let mut drawn = Drawing::of(&drafted, &graph);
    if let Some(wanted) = &args.impact {
        let input = Input {
            desired: &drafted.desired,
            recorded: &drafted.recorded,
            plan: &drafted.plan,
            graph: &graph,
            diagnostics: &drafted.diagnostics,
            held: &drafted.held,
            lists: &drafted.lists,
        };
        let subject = explain::subject(&input, wanted).ok_or_else(|| {
            Fault::new(Class::Config, format!("no image `{}` is enrolled or built on", fault::foreign(wanted)))
                .hint("`plimsoll status` lists the names")
        })?;
        let (name, now) = (subject.name.as_str(), owned.world().clock.now());
        drawn = drawn.impact(&graph, name).dated(&graph, name, &drafted, now);
    }
    match context.operator.output {
        Format::Dot => output::print(&drawing::dot(&drawn)),
        Format::Svg => output::print(&drawing::svg(&drawn)),
        Format::Json | Format::Yaml => output::structured(&drawn.document(), context.operator.output),
        _ => output::print(&drawing::mermaid(&drawn)),
    }
    Ok(0)
}
