//! A Mermaid flowchart, for READMEs, wikis and pull requests.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Drawing, Node, Sort};

/// The flowchart, bases on the left. With waves, each is a box of its own.
pub(in super::super::super) fn mermaid(drawing: &Drawing) -> String {
    let ids: BTreeMap<&str, String> = drawing.nodes.keys().enumerate().map(|(index, name)| (name.as_str(), format!("n{index}"))).collect();
    let id = |name: &str| ids.get(name).cloned().unwrap_or_default();
    let mut out = String::from("flowchart LR\n");
    for node in drawing.nodes.values().filter(|node| node.wave.is_none()) {
        let _ = writeln!(out, "  {}{}", id(&node.name), shape(node));
    }
    for (index, wave) in drawing.waves.iter().flatten().enumerate() {
        let _ = writeln!(out, "  subgraph wave{0}[\"wave {0}\"]", index + 1);
        for node in wave.iter().filter_map(|image| drawing.nodes.get(image.as_str())) {
            let _ = writeln!(out, "    {}{}", id(&node.name), shape(node));
        }
        out.push_str("  end\n");
    }
    for (image, base) in &drawing.edges {
        let arrow = if drawing.in_a_cycle(image) && drawing.in_a_cycle(base) { "-. cycle .->" } else { "-->" };
        let _ = writeln!(out, "  {} {arrow} {}", id(base), id(image));
    }
    out
}

fn shape(node: &Node) -> String {
    let label = format!("{}<br/>{}", text(&node.name), text(&node.freshness()));
    match node.sort {
        Sort::Managed => format!("[\"{label}\"]"),
        Sort::External => format!("(\"{label}\")"),
        Sort::Base => format!("([\"{label}\"])"),
    }
}

/// Text in a quoted label. Names have no such characters; recorded ones may be anybody's.
fn text(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_alphanumeric() || " .,-_/:".contains(c) { c.to_string() } else { format!("#{};", u32::from(c)) })
        .collect()
}
