//! A picture: columns from bases to what builds on them, each ordered so that lines are short.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Drawing, Node, Sort};

/// Sizes in pixels.
const BOX_HEIGHT: usize = 40;
const ROW: usize = 56;
const GAP: usize = 90;
const MARGIN: usize = 20;
/// Width of a character of the label's font, about.
const CHARACTER: usize = 7;
/// The same of the small line's.
const SMALL_CHARACTER: usize = 6;
const NARROWEST_BOX: usize = 110;

/// How often the order in the columns is bettered.
const SWEEPS: usize = 4;

/// Where a node is.
#[derive(Debug, Clone, Copy)]
struct Spot {
    x: usize,
    y: usize,
    width: usize,
}

/// The picture, as a document of its own.
pub(in super::super::super) fn svg(drawing: &Drawing) -> String {
    let (spots, width, height) = spots(drawing);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\" role=\"img\">\n<title>Which image builds on which</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n<g fill=\"none\" stroke=\"#8a94a6\" stroke-width=\"1.2\">\n"
    );
    for (image, base) in &drawing.edges {
        let (Some(from), Some(to)) = (spots.get(base.as_str()), spots.get(image.as_str())) else { continue };
        let (x1, y1) = (from.x + from.width, from.y + BOX_HEIGHT / 2);
        let (x2, y2) = (to.x, to.y + BOX_HEIGHT / 2);
        let bend = GAP / 2;
        let look = if drawing.in_a_cycle(image) && drawing.in_a_cycle(base) { " stroke=\"#c0392b\" stroke-dasharray=\"4 3\"" } else { "" };
        let back = x2.saturating_sub(bend);
        let _ = writeln!(out, "<path d=\"M{x1} {y1} C{} {y1} {back} {y2} {x2} {y2}\"{look}/>", x1 + bend);
    }
    out.push_str("</g>\n");
    for node in drawing.nodes.values() {
        if let Some(spot) = spots.get(node.name.as_str()) {
            out.push_str(&drawn(node, *spot));
        }
    }
    out.push_str("</svg>\n");
    out
}

fn drawn(node: &Node, spot: Spot) -> String {
    let Spot { x, y, width } = spot;
    let (fill, stroke, radius) = match node.sort {
        Sort::Managed => ("#e8f1fd", "#2f6fb7", 4),
        Sort::External => ("#f3eefb", "#7a52b3", 12),
        Sort::Base => ("#eef6ee", "#3f8f4f", 20),
    };
    let middle = x + width / 2;
    format!(
        "<g><title>{}</title><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BOX_HEIGHT}\" rx=\"{radius}\" fill=\"{fill}\" stroke=\"{stroke}\"/>\
         <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
         <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\" font-size=\"10\" fill=\"#5b6472\">{}</text></g>\n",
        escaped(&node.reference),
        y + 17,
        escaped(&node.name),
        y + 32,
        escaped(&small_line(node)),
    )
}

/// What stands below the name.
fn small_line(node: &Node) -> String {
    let wave = node.wave.map_or_else(String::new, |wave| format!(" · wave {wave}"));
    format!("{}{wave}", node.freshness())
}

/// Places all nodes; the size of the picture.
fn spots(drawing: &Drawing) -> (BTreeMap<&str, Spot>, usize, usize) {
    let columns = drawing.columns();
    let count = columns.values().max().map_or(0, |last| last + 1);
    let mut ordered: Vec<Vec<&str>> = vec![Vec::new(); count];
    for (name, column) in &columns {
        if let Some(members) = ordered.get_mut(*column) {
            members.push(name);
        }
    }
    order(drawing, &mut ordered);
    let tallest = ordered.iter().map(Vec::len).max().unwrap_or(0);
    let mut spots = BTreeMap::new();
    let mut x = MARGIN;
    for members in &ordered {
        let small = |name: &str| drawing.nodes.get(name).map_or(0, |node| small_line(node).chars().count() * SMALL_CHARACTER);
        let widest =
            members.iter().map(|name| (name.chars().count() * CHARACTER).max(small(name)) + 20).max().unwrap_or(0).max(NARROWEST_BOX);
        let top = MARGIN + (tallest - members.len()) * ROW / 2;
        for (index, name) in members.iter().enumerate() {
            spots.insert(*name, Spot { x, y: top + index * ROW, width: widest });
        }
        x += widest + GAP;
    }
    let width = x.saturating_sub(GAP) + MARGIN;
    (spots, width.max(2 * MARGIN), 2 * MARGIN + tallest * ROW)
}

/// Orders each column by where the neighbours of its nodes are: first by bases from the left, then by dependents from the right.
fn order(drawing: &Drawing, columns: &mut [Vec<&str>]) {
    let mut bases: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut dependents: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (image, base) in &drawing.edges {
        bases.entry(image).or_default().push(base);
        dependents.entry(base).or_default().push(image);
    }
    for sweep in 0..SWEEPS {
        let neighbours = if sweep % 2 == 0 { &bases } else { &dependents };
        // Places as shares of the column, so that a short column lies beside the middle of a long one.
        let mut places: BTreeMap<&str, f64> = BTreeMap::new();
        for members in columns.iter() {
            for (name, index) in members.iter().zip(0u32..) {
                let length = u32::try_from(members.len()).unwrap_or(u32::MAX);
                places.insert(name, (f64::from(index) + 0.5) / f64::from(length));
            }
        }
        for members in columns.iter_mut() {
            let wish = |name: &&str| {
                let around: Vec<f64> = neighbours.get(name).into_iter().flatten().filter_map(|other| places.get(other).copied()).collect();
                let own = places.get(name).copied().unwrap_or(0.5);
                if around.is_empty() { own } else { around.iter().sum::<f64>() / f64::from(u32::try_from(around.len()).unwrap_or(1)) }
            };
            members.sort_by(|a, b| wish(a).total_cmp(&wish(b)).then_with(|| a.cmp(b)));
        }
    }
}

fn escaped(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).fold(String::new(), |mut out, c| {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
        out
    })
}
