//! What is drawn of small graphs.

use std::collections::BTreeMap;

use super::*;

/// `portal: node worker` draws three nodes and two edges.
fn drawing(text: &str) -> (Drawing, ImageGraph) {
    let of = text.split(';').filter_map(|line| line.split_once(':')).map(|(image, bases)| {
        let bases: BTreeSet<String> = bases.split_whitespace().map(str::to_owned).collect();
        (ImageName::parse(image.trim()).unwrap(), bases)
    });
    let graph = ImageGraph::new(of);
    (Drawing::of(&Drafted::default(), &graph), graph)
}

#[test]
fn each_notation_has_every_node_and_edge() {
    let (drawing, _) = drawing("portal: node; worker: portal");
    insta::assert_snapshot!(mermaid(&drawing), @r#"
    flowchart LR
      n0(["node<br/>no digest yet"])
      n1["portal<br/>no digest yet"]
      n2["worker<br/>no digest yet"]
      n0 --> n1
      n1 --> n2
    "#);
    insta::assert_snapshot!(dot(&drawing), @r#"
    digraph images {
      rankdir=LR;
      node [fontname="sans-serif", fontsize=11];
      "node" [label="node\nno digest yet", shape=ellipse];
      "portal" [label="portal\nno digest yet", shape=box];
      "worker" [label="worker\nno digest yet", shape=box];
      "node" -> "portal";
      "portal" -> "worker";
    }
    "#);
    let picture = svg(&drawing);
    assert_eq!((picture.matches("<path").count(), picture.matches("<g><title>").count()), (2, 3));
}

#[test]
fn an_impact_has_the_date_of_each_image() {
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    // Words of the image's entries → the day in January on which each is due.
    for (left, top, expected) in [
        ("", "", "left 8, right 8, root 8, top 8"),
        // Nothing is due before what it builds on; the first of two is enough.
        ("rebuildDelay: 2w", "", "left 15, right 8, root 8, top 8"),
        ("rebuildDelay: 1d", "rebuildDelay: 1d", "left 8, right 8, root 8, top 8"),
        ("", "rebuildDelay: 2w", "left 8, right 8, root 8, top 15"),
        ("autoRebuild: false", "", "right 8, root 8, top 8"),
        ("pinned", "", "right 8, root 8, top 8"),
        ("", "autoRebuild: false", "left 8, right 8, root 8"),
    ] {
        let (drawn, graph) = drawing("left: root; right: root; top: left right; root: node; other: python");
        let mut drafted = Drafted::default();
        for (name, word) in [("left", left), ("right", ""), ("top", top), ("root", ""), ("other", "")] {
            let own = if word == "pinned" { "" } else { word };
            let text = format!("registry: ghcr.io\nrepository: acme/{name}\nsource: {{provider: local, dockerfile: Dockerfile}}\n{own}\n");
            let images = crate::format::images_yaml::read_one(&format!("images.d/{name}.yaml"), text.as_bytes());
            drafted.desired.entries.extend(images.entries.into_iter().map(|entry| (entry.name.clone(), entry)));
            let image = ImageName::parse(name).unwrap();
            let mut state = crate::model::ImageState::enrolled(image.clone(), now);
            state.pinned.extend((word == "pinned").then(|| "root".to_owned()));
            drafted.plan.images.insert(image, state.into());
        }
        assert_eq!(drafted.desired.entries.len(), 5);
        let drawn = drawn.impact(&graph, "node").dated(&graph, "node", &drafted, now);
        let day = |node: &Node| Some(format!("{} {}", node.name, node.due?.duration_since(now).as_hours() / 24 + 1));
        assert_eq!(drawn.nodes.values().filter_map(day).collect::<Vec<_>>().join(", "), expected, "{left}, {top}");
    }
}

#[test]
fn an_impact_is_drawn_in_waves() {
    let (drawing, graph) = drawing("left: root; right: root; top: left right; root: node; other: python");
    let impact = drawing.impact(&graph, "node");
    assert_eq!(impact.document()["waves"], json!([["root"], ["left", "right"], ["top"]]));
    assert!(!impact.nodes.contains_key("other") && impact.nodes.contains_key("node"));
    assert!(mermaid(&impact).contains("subgraph wave2[\"wave 2\"]\n    n0["), "{}", mermaid(&impact));
}

#[test]
fn cycles_are_drawn_as_such() {
    let (drawing, _) = drawing("a: b; b: a; c: a");
    assert_eq!(drawing.document()["cycles"], json!([["a", "b"]]));
    assert_eq!(mermaid(&drawing).matches("-. cycle .->").count(), 2);
    assert_eq!(svg(&drawing).matches("stroke-dasharray").count(), 2);
    let columns: BTreeMap<&str, usize> = drawing.columns();
    assert_eq!(columns, BTreeMap::from([("a", 0), ("b", 0), ("c", 0)]));
}

#[test]
fn boxes_do_not_lie_on_each_other() {
    let (drawing, _) = drawing("a: x y; b: x; c: a b z; d: c x; e: y");
    let picture = svg(&drawing);
    let numbers =
        |line: &str, key: &str| -> usize { line.split(&format!("{key}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap() };
    let boxes: Vec<(usize, usize)> = picture
        .lines()
        .filter_map(|line| line.split("<rect x=").nth(1).map(|_| line.split_once("<rect ").unwrap().1))
        .map(|line| (numbers(line, "x"), numbers(line, "y")))
        .collect();
    assert_eq!(boxes.iter().collect::<BTreeSet<_>>().len(), 8, "{picture}");
    assert!(svg(&Drawing { nodes: BTreeMap::new(), edges: BTreeSet::new(), cycles: Vec::new(), waves: None }).ends_with("</svg>\n"));
}

#[test]
fn names_of_others_stay_text() {
    let of = [(ImageName::parse("a").unwrap(), BTreeSet::from(["\"<b>&\n".to_owned()]))];
    let graph = ImageGraph::new(of);
    let drawing = Drawing::of(&Drafted::default(), &graph);
    assert!(mermaid(&drawing).contains("#34;#60;b#62;#38;#10;"));
    assert!(dot(&drawing).contains("\"\\\"<b>&\\n\""));
    assert!(svg(&drawing).contains("&quot;&lt;b&gt;&amp;"));
}
