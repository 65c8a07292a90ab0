//! Stages, what each begins from, which images each uses, and which of them a target needs.
//!
//! The steps and their order are those of BuildKit's `dockerfile2llb`: a file with two faults is refused for
//! the same one.

use std::collections::{BTreeSet, HashMap};

use super::globals::{Globals, Platforms};
use super::instruction;
use super::lines::Parsed;
use super::node::{Node, Verb};
use super::platform::Platform;
use super::{Base, BuildOptions, Dockerfile, DockerfileError, ErrorKind, ImageUse, Refused, Stage, UseKind, dispatch, flags, mount, words};
use crate::model::ImageReference;

/// The name of no image.
pub(super) const SCRATCH: &str = "scratch";

/// Where an instruction stands: in the file, or in what ONBUILD triggered.
#[derive(Debug, Clone, Copy)]
pub(super) enum At {
    File(usize),
    Triggered(usize),
}

/// An instruction of a stage.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) at: At,
    /// Line that errors name: of the stage for what ONBUILD triggered.
    pub(super) line: usize,
    /// What it takes from: a COPY's one, or one for each mount of a RUN.
    pub(super) sources: Vec<usize>,
}

/// A stage, or an image that stands for one in COPY or a mount.
#[derive(Debug)]
pub(super) struct State {
    name: Option<String>,
    base_name: String,
    raw: String,
    pub(super) line: usize,
    platform: Option<String>,
    pub(super) base: Option<usize>,
    pub(super) commands: Vec<Command>,
    /// What it takes from, each with the line of the last instruction that does.
    needs: Vec<(usize, usize)>,
    image: Option<ImageReference>,
    /// An image in COPY or a mount: how, and in which stage.
    stands_in: Option<(UseKind, usize)>,
    /// Whether what ONBUILD of its base holds is already among its commands.
    pub(super) triggered: bool,
}

impl State {
    /// Whether it begins from nothing.
    pub(super) fn is_from_scratch(&self) -> bool {
        self.base.is_none() && self.image.is_none()
    }

    /// Whether it is an image in COPY or a mount.
    pub(super) fn is_stand_in(&self) -> bool {
        self.stands_in.is_some()
    }
}

/// Everything that is being resolved.
pub(super) struct Resolver<'a> {
    nodes: Vec<Node<'a>>,
    pub(super) triggered: Vec<Node<'static>>,
    pub(super) escape: char,
    pub(super) states: Vec<State>,
    names: HashMap<String, usize>,
    /// How many of the states are stages of the file.
    stages: usize,
    /// States whose reference has been read.
    read: usize,
}

/// Resolves all stages for one build.
pub(super) fn resolve(parsed: Parsed<'_>, options: &BuildOptions, platforms: Platforms) -> Refused<Dockerfile> {
    let Parsed { escape, nodes } = parsed;
    let mut from = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        match instruction::check(node, escape)? {
            Some((base, name)) => from.push((index, base.to_owned(), name)),
            None if from.is_empty() && node.verb != Verb::Arg => {
                return Err(DockerfileError::new(ErrorKind::NoStage, node.line, "the first instruction is FROM, or an ARG before it"));
            }
            None => {}
        }
    }
    let Some((first, _, last_name)) = from.last().map(|last| (from.first().map_or(0, |first| first.0), &last.1, last.2.clone())) else {
        let line = nodes.first().map_or(1, |first| first.line);
        return Err(DockerfileError::new(ErrorKind::NoStage, line, "the file has no FROM"));
    };
    let target_stage = options.target.clone().filter(|target| !target.is_empty()).or(last_name).unwrap_or_default();
    let mut globals = Globals::new(options, platforms, &target_stage, escape);
    for node in nodes.iter().take(first) {
        globals.declare(node)?;
    }
    let mut resolver = Resolver {
        nodes,
        triggered: Vec::new(),
        escape,
        states: Vec::with_capacity(from.len()),
        names: HashMap::with_capacity(from.len()),
        stages: from.len(),
        read: 0,
    };
    let ends: Vec<usize> = from.iter().skip(1).map(|(index, ..)| *index).chain([resolver.nodes.len()]).collect();
    for ((index, base, name), end) in from.into_iter().zip(ends) {
        resolver.add_stage(index, base, name, end, &mut globals)?;
    }
    let target = resolver.target(options)?;
    resolver.link()?;
    let reachable = resolver.reach(target)?;
    dispatch::run(&resolver, &reachable, &globals, &options.build_args)?;
    Ok(resolver.told(reachable, globals))
}

impl<'a> Resolver<'a> {
    pub(super) fn node(&self, at: At) -> Option<&Node<'a>> {
        match at {
            At::File(index) => self.nodes.get(index),
            // A node without borrowing serves as one with any.
            At::Triggered(index) => self.triggered.get(index),
        }
    }

    fn add_stage(&mut self, index: usize, raw: String, name: Option<String>, end: usize, globals: &mut Globals<'_>) -> Refused<()> {
        let Some(node) = self.nodes.get(index) else { return Ok(()) };
        let line = node.line;
        let base_name = globals.expand(&raw, line)?;
        if base_name.is_empty() {
            let why = format!("the base name `{raw}` is blank: no ARG before the first FROM sets it");
            return Err(DockerfileError::new(ErrorKind::BlankBase, line, why));
        }
        let platform = match flags::value(node, "platform") {
            None => None,
            Some(given) => {
                let text = globals.expand(given, line)?;
                if Platform::parse(&text).is_none() {
                    let why = format!("`{text}` is no platform of the form os/arch");
                    return Err(DockerfileError::new(ErrorKind::Platform, line, why));
                }
                Some(text)
            }
        };
        let command = |index: usize| {
            let line = self.nodes.get(index)?.line;
            Some(Command { at: At::File(index), line, sources: Vec::new() })
        };
        let state = State {
            base: self.names.get(&base_name).copied(),
            commands: (index + 1..end).filter_map(command).collect(),
            name: name.clone(),
            base_name,
            raw,
            line,
            platform,
            needs: Vec::new(),
            image: None,
            stands_in: None,
            triggered: false,
        };
        if let Some(name) = name {
            self.names.insert(name, self.states.len());
        }
        self.states.push(state);
        Ok(())
    }

    fn target(&self, options: &BuildOptions) -> Refused<usize> {
        match options.target.as_deref() {
            None | Some("") => Ok(self.states.len().saturating_sub(1)),
            Some(target) => self
                .find(target)
                .ok_or_else(|| DockerfileError::new(ErrorKind::StageOrder, 1, format!("there is no stage `{target}` to build"))),
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        if let Some(found) = self.names.get(name) {
            return Some(*found);
        }
        self.names.get(&super::node::lower(name)).copied()
    }

    /// What every stage takes from others.
    fn link(&mut self) -> Refused<()> {
        for stage in 0..self.stages {
            let count = self.states.get(stage).map_or(0, |state| state.commands.len());
            for index in 0..count {
                let Some((at, line)) = self.states.get(stage).and_then(|state| state.commands.get(index)).map(|c| (c.at, c.line)) else {
                    continue;
                };
                let sources = self.sources(at, line, stage)?;
                self.need(stage, &sources, line);
                if let Some(command) = self.states.get_mut(stage).and_then(|state| state.commands.get_mut(index)) {
                    command.sources = sources;
                }
            }
        }
        match self.circle() {
            Some(line) => Err(DockerfileError::new(ErrorKind::StageOrder, line, "stages need each other in a circle")),
            None => Ok(()),
        }
    }

    pub(super) fn need(&mut self, index: usize, sources: &[usize], line: usize) {
        let Some(state) = self.states.get_mut(index) else { return };
        for source in sources {
            match state.needs.iter_mut().find(|(known, _)| known == source) {
                Some((_, last)) => *last = line,
                None => state.needs.push((*source, line)),
            }
        }
    }

    /// The states an instruction takes from. Images become states of their own, which indexes can then mean.
    pub(super) fn sources(&mut self, at: At, line: usize, stage: usize) -> Refused<Vec<usize>> {
        let Some(node) = self.node(at) else { return Ok(Vec::new()) };
        match node.verb {
            Verb::Copy => {
                let Some(from) = flags::value(node, "from").map(str::to_owned) else { return Ok(Vec::new()) };
                check_copy_from(&from, self.escape, line)?;
                if let Some(index) = index(&from) {
                    let known = usize::try_from(index).ok().filter(|index| *index < self.states.len());
                    return match known {
                        Some(index) => Ok(vec![index]),
                        None => Err(DockerfileError::new(ErrorKind::CopyFrom, line, format!("there is no stage {index}"))),
                    };
                }
                let found = self.find(&from);
                Ok(vec![found.unwrap_or_else(|| self.stand_in(from, UseKind::Copy, stage, line))])
            }
            Verb::Run => {
                let from: Vec<String> = flags::values(node, "mount").map(mount::from).collect();
                let mut states: Vec<usize> = Vec::with_capacity(from.len());
                let mut new = Vec::new();
                // All are looked up before any is added.
                for from in from {
                    let from = if from.is_empty() { SCRATCH.to_owned() } else { from };
                    if let Some(found) = self.find(&from) {
                        states.push(found);
                    } else {
                        states.push(self.states.len() + new.len());
                        new.push(from);
                    }
                }
                for from in new {
                    self.stand_in(from, UseKind::Mount, stage, line);
                }
                Ok(states)
            }
            _ => Ok(Vec::new()),
        }
    }

    fn stand_in(&mut self, name: String, kind: UseKind, stage: usize, line: usize) -> usize {
        self.states.push(State {
            name: None,
            base: None,
            base_name: name.clone(),
            raw: name,
            line,
            platform: None,
            commands: Vec::new(),
            needs: Vec::new(),
            image: None,
            stands_in: Some((kind, stage)),
            triggered: false,
        });
        self.states.len() - 1
    }

    /// The first line of a circle of stages that take from each other. What a stage begins from is no part of it.
    fn circle(&self) -> Option<usize> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            Open,
            Done,
        }
        let mut marks = vec![Mark::New; self.states.len()];
        for start in 0..self.stages {
            if marks.get(start) != Some(&Mark::New) {
                continue;
            }
            // Each step: the state, and how many of its needs have been followed.
            let mut path = vec![(start, 0)];
            if let Some(mark) = marks.get_mut(start) {
                *mark = Mark::Open;
            }
            while let Some((state, followed)) = path.last_mut() {
                let Some((next, _)) = self.states.get(*state).and_then(|state| state.needs.get(*followed)) else {
                    if let Some(mark) = marks.get_mut(*state) {
                        *mark = Mark::Done;
                    }
                    path.pop();
                    continue;
                };
                *followed += 1;
                match marks.get_mut(*next) {
                    Some(Mark::Open) => {
                        let (first, followed) = path.first()?;
                        return self.states.get(*first)?.needs.get(followed - 1).map(|(_, line)| *line);
                    }
                    Some(mark @ Mark::New) => {
                        *mark = Mark::Open;
                        path.push((*next, 0));
                    }
                    _ => {}
                }
            }
        }
        None
    }

    /// States that the target needs, with what ONBUILD triggers on the way.
    fn reach(&mut self, target: usize) -> Refused<BTreeSet<usize>> {
        loop {
            self.read_references()?;
            let mut reachable = BTreeSet::new();
            let mut open = vec![target];
            while let Some(index) = open.pop() {
                if reachable.insert(index)
                    && let Some(state) = self.states.get(index)
                {
                    open.extend(state.base);
                    open.extend(state.needs.iter().map(|(source, _)| *source));
                }
            }
            let mut more = false;
            for index in &reachable {
                more |= self.trigger(*index)?;
            }
            if !more {
                return Ok(reachable);
            }
        }
    }

    /// Reads what stages and stand-ins are made from, whether they are reachable or not.
    fn read_references(&mut self) -> Refused<()> {
        for state in self.states.iter_mut().skip(self.read) {
            if state.base.is_none() && state.base_name != SCRATCH {
                state.image = Some(ImageReference::parse(&state.base_name).map_err(|error| {
                    DockerfileError::new(ErrorKind::Reference, state.line, format!("`{}` is no image: {error}", state.base_name))
                })?);
            }
        }
        self.read = self.states.len();
        Ok(())
    }

    fn told(self, reachable: BTreeSet<usize>, globals: Globals<'_>) -> Dockerfile {
        let mut images = Vec::new();
        for (index, state) in self.states.iter().enumerate() {
            let (kind, stage) = state.stands_in.unwrap_or((UseKind::From, index));
            if let Some(image) = &state.image {
                images.push(ImageUse { kind, stage, line: state.line, raw: state.raw.clone(), image: image.clone() });
            }
            if index < self.stages {
                self.held_images(index, &mut images);
            }
        }
        images.sort_by_key(|image| (image.stage, image.line));
        let count = self.stages;
        let stages = self.states.into_iter().take(count).map(|state| Stage {
            name: state.name,
            line: state.line,
            base_raw: state.raw,
            base_name: state.base_name,
            base: match (state.base, state.image) {
                (Some(stage), _) => Base::Stage(stage),
                (None, Some(image)) => Base::Image(image),
                (None, None) => Base::Scratch,
            },
            platform: state.platform,
        });
        Dockerfile {
            stages: stages.collect(),
            images,
            reachable: reachable.into_iter().filter(|index| *index < count).collect(),
            unresolved: globals.unresolved,
            global_args: globals.declared,
        }
    }
}

/// `COPY --from=` takes no variables, quotes or escapes.
fn check_copy_from(from: &str, escape: char, line: usize) -> Refused<()> {
    if words::is_plain(from, escape) {
        return Ok(());
    }
    let expanded =
        words::Lexer::new(escape, &|_| None).text(from).map_err(|why| DockerfileError::new(ErrorKind::Substitution, line, why))?;
    if expanded == from {
        return Ok(());
    }
    Err(DockerfileError::new(ErrorKind::CopyFrom, line, "`--from` takes no variables; name a stage instead"))
}

/// A number as Go reads it: digits, perhaps with a sign.
pub(super) fn index(text: &str) -> Option<i64> {
    text.strip_prefix('+').filter(|rest| !rest.starts_with(['+', '-'])).unwrap_or(text).parse().ok()
}
