//! Graphviz, for those who lay out by themselves.

use std::fmt::Write as _;

use super::{Drawing, Sort};

/// The graph in Graphviz' language, bases on the left. With waves, each is one rank.
pub(in super::super::super) fn dot(drawing: &Drawing) -> String {
    let mut out = String::from("digraph images {\n  rankdir=LR;\n  node [fontname=\"sans-serif\", fontsize=11];\n");
    for node in drawing.nodes.values() {
        let look = match node.sort {
            Sort::Managed => "shape=box",
            Sort::External => "shape=box, style=rounded",
            Sort::Base => "shape=ellipse",
        };
        let label = format!("{}\n{}", node.name, node.freshness());
        let _ = writeln!(out, "  {} [label={}, {look}];", quoted(&node.name), quoted(&label));
    }
    for wave in drawing.waves.iter().flatten() {
        let names: Vec<String> = wave.iter().map(|image| quoted(image.as_str())).collect();
        let _ = writeln!(out, "  {{ rank=same; {}; }}", names.join("; "));
    }
    for (image, base) in &drawing.edges {
        let look = if drawing.in_a_cycle(image) && drawing.in_a_cycle(base) { " [style=dashed, color=red]" } else { "" };
        let _ = writeln!(out, "  {} -> {}{look};", quoted(base), quoted(image));
    }
    out.push_str("}\n");
    out
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
