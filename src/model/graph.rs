//! Which image builds on which, and in what order a change travels through them.

use std::collections::{BTreeMap, BTreeSet};

use super::name::ImageName;

/// Images and the names they build on. A name that is no image of the graph is a base image: it has no bases
/// here, and others may build on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageGraph {
    of: BTreeMap<ImageName, BTreeSet<String>>,
    by: BTreeMap<String, BTreeSet<ImageName>>,
}

impl ImageGraph {
    /// The graph of `image → names of its bases`.
    pub fn new(of: impl IntoIterator<Item = (ImageName, BTreeSet<String>)>) -> Self {
        let of: BTreeMap<_, BTreeSet<String>> = of.into_iter().collect();
        let mut by: BTreeMap<String, BTreeSet<ImageName>> = BTreeMap::new();
        for (image, bases) in &of {
            for base in bases {
                by.entry(base.clone()).or_default().insert(image.clone());
            }
        }
        Self { of, by }
    }

    /// The images, in the order of their names. Base images are not among them.
    pub fn images(&self) -> impl Iterator<Item = &ImageName> {
        self.of.keys()
    }

    /// Every edge, as (image, name of its base), in the order of names.
    pub fn edges(&self) -> impl Iterator<Item = (&ImageName, &str)> {
        self.of.iter().flat_map(|(image, bases)| bases.iter().map(move |base| (image, base.as_str())))
    }

    /// What `image` builds on directly.
    pub fn bases(&self, image: &ImageName) -> impl Iterator<Item = &str> {
        self.of.get(image).into_iter().flatten().map(String::as_str)
    }

    /// The images that build directly on `name`.
    pub fn dependents(&self, name: &str) -> impl Iterator<Item = &ImageName> {
        self.by.get(name).into_iter().flatten()
    }

    /// The images that a move of `name` reaches, directly or through others. `name` itself is among them only
    /// when it is in a cycle.
    pub fn reached(&self, name: &str) -> BTreeSet<ImageName> {
        let mut out = BTreeSet::new();
        let mut next: Vec<&ImageName> = self.dependents(name).collect();
        while let Some(image) = next.pop() {
            if out.insert(image.clone()) {
                next.extend(self.dependents(image.as_str()));
            }
        }
        out
    }

    /// `affected` in topological waves: an image is one wave after its latest affected base, so that a diamond
    /// is rebuilt once. An image in a cycle, and what builds on one, is in no wave: there is no order for it.
    /// Names that are no images of the graph are left out.
    pub fn waves(&self, affected: &BTreeSet<ImageName>) -> Vec<Vec<ImageName>> {
        let mut open: BTreeMap<&ImageName, usize> = BTreeMap::new();
        for image in affected.iter().filter(|image| self.of.contains_key(*image)) {
            let waits_for = self.bases(image).filter_map(|base| ImageName::parse(base).ok());
            let count = waits_for.filter(|base| affected.contains(base) && self.of.contains_key(base)).count();
            open.insert(image, count);
        }
        let mut waves = Vec::new();
        let mut wave: Vec<ImageName> = open.iter().filter(|(_, waits)| **waits == 0).map(|(image, _)| (*image).clone()).collect();
        while !wave.is_empty() {
            let mut next = BTreeSet::new();
            for dependent in wave.iter().flat_map(|image| self.dependents(image.as_str())) {
                if let Some(waits) = open.get_mut(dependent) {
                    *waits = waits.saturating_sub(1);
                    if *waits == 0 {
                        next.insert(dependent.clone());
                    }
                }
            }
            waves.push(std::mem::replace(&mut wave, next.into_iter().collect()));
        }
        waves
    }

    /// The cycles: sets of images that build on each other, or one that builds on itself. Each image is in at
    /// most one; they are in the order of their first names.
    pub fn cycles(&self) -> Vec<BTreeSet<ImageName>> {
        let mut left: BTreeSet<ImageName> = self.of.keys().cloned().collect();
        for wave in self.waves(&left) {
            for image in wave {
                left.remove(&image);
            }
        }
        let mut out: Vec<BTreeSet<ImageName>> = Vec::new();
        // What is left is in a cycle or behind one. Images that finish last are the heads of the rest.
        let mut order = self.finished(&left);
        while let Some(image) = order.pop() {
            if !left.contains(&image) {
                continue;
            }
            let members = self.gathered(&image, &mut left);
            let alone = members.len() == 1 && !self.bases(&image).any(|base| base == image.as_str());
            if !alone {
                out.push(members);
            }
        }
        out.sort();
        out
    }

    /// The images of `within`, each after all that depend on it and were not met before (depth first).
    fn finished(&self, within: &BTreeSet<ImageName>) -> Vec<ImageName> {
        let mut met = BTreeSet::new();
        let mut order = Vec::new();
        for start in within {
            // A stack of our own: the depth is that of people's files.
            let mut stack = vec![(start, false)];
            while let Some((image, done)) = stack.pop() {
                if done {
                    order.push(image.clone());
                } else if met.insert(image) {
                    stack.push((image, true));
                    stack.extend(self.dependents(image.as_str()).filter(|next| within.contains(*next)).map(|next| (next, false)));
                }
            }
        }
        order
    }

    /// Takes out of `left` all that `image` builds on, directly or not, itself included.
    fn gathered(&self, image: &ImageName, left: &mut BTreeSet<ImageName>) -> BTreeSet<ImageName> {
        let mut members = BTreeSet::new();
        let mut next = vec![image.clone()];
        while let Some(image) = next.pop() {
            if left.remove(&image) {
                next.extend(self.bases(&image).filter_map(|base| ImageName::parse(base).ok()));
                members.insert(image);
            }
        }
        members
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `portal: node worker; worker: node`.
    fn graph(text: &str) -> ImageGraph {
        ImageGraph::new(
            text.split(';')
                .filter_map(|line| line.split_once(':'))
                .map(|(image, bases)| (ImageName::parse(image.trim()).unwrap(), bases.split_whitespace().map(str::to_owned).collect())),
        )
    }

    fn shown(waves: &[Vec<ImageName>]) -> String {
        waves.iter().map(|wave| wave.iter().map(ImageName::as_str).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn what_a_base_reaches_and_in_which_waves() {
        for (text, base, expected) in [
            ("a: node; b: node; c: python", "node", "a b"),
            ("a: node; b: a; c: b", "node", "a | b | c"),
            ("top: left right; left: root; right: root; root: node", "node", "root | left right | top"),
            ("long: mid root; mid: root; root: node", "node", "root | mid | long"),
            ("a: node; b: a", "a", "b"),
            ("a: node", "python", ""),
            ("x: node y; y: x; z: y; w: node", "node", "w"),
        ] {
            let graph = graph(text);
            assert_eq!(shown(&graph.waves(&graph.reached(base))), expected, "{base} of {text}");
        }
    }

    #[test]
    fn an_image_that_is_not_affected_does_not_hold_others_up() {
        let graph = graph("a: node; b: a; c: b");
        let affected = ["a", "c"].map(|name| ImageName::parse(name).unwrap()).into();
        assert_eq!(shown(&graph.waves(&affected)), "a c");
    }

    #[test]
    fn cycles_are_named_and_what_is_behind_them_is_none() {
        for (text, expected) in [
            ("a: b; b: node", ""),
            ("a: a", "a"),
            ("a: b; b: a; c: a; d: node", "a b"),
            ("a: b; b: a; m: a; y: z m; z: y", "a b | y z"),
            ("a: b; b: c; c: a d; d: c", "a b c d"),
        ] {
            let cycles: Vec<Vec<ImageName>> = graph(text).cycles().into_iter().map(|cycle| cycle.into_iter().collect()).collect();
            assert_eq!(shown(&cycles), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn each_image_is_after_its_bases_or_bound_to_a_cycle(edges in proptest::collection::vec((0usize..12, 0usize..12), 0..30)) {
            let name = |index: usize| ImageName::parse(&format!("i{index:02}")).unwrap();
            let mut of: BTreeMap<ImageName, BTreeSet<String>> = (0..12).map(|index| (name(index), BTreeSet::new())).collect();
            for (image, base) in edges {
                of.get_mut(&name(image)).unwrap().insert(name(base).to_string());
            }
            let graph = ImageGraph::new(of.clone());
            let all: BTreeSet<ImageName> = of.keys().cloned().collect();
            let waves = graph.waves(&all);
            let place: BTreeMap<&ImageName, usize> = waves.iter().enumerate().flat_map(|(at, wave)| wave.iter().map(move |image| (image, at))).collect();
            prop_assert_eq!(place.len(), waves.iter().map(Vec::len).sum::<usize>());
            for (image, at) in &place {
                for base in graph.bases(image) {
                    prop_assert!(place[&ImageName::parse(base).unwrap()] < *at);
                }
            }
            let in_cycles: BTreeSet<ImageName> = graph.cycles().into_iter().flatten().collect();
            for image in &all {
                prop_assert_eq!(in_cycles.contains(image), graph.reached(image.as_str()).contains(image));
            }
            // What has no place is in a cycle, or behind one.
            for image in all.iter().filter(|image| !place.contains_key(image)) {
                prop_assert!(in_cycles.iter().any(|member| member == image || graph.reached(member.as_str()).contains(image)));
            }
        }
    }
}
