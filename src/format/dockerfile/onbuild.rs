//! ONBUILD: what a stage holds for those on top of it.

use super::node::{Node, Verb};
use super::stages::{At, Command, Resolver, SCRATCH, index};
use super::{DockerfileError, ErrorKind, ImageUse, Refused, UseKind, flags, instruction, lines, mount};
use crate::model::ImageReference;

impl Resolver<'_> {
    /// Puts what ONBUILD of the base holds before a stage's own instructions. Says whether that needs more states.
    pub(super) fn trigger(&mut self, index: usize) -> Refused<bool> {
        let Some((base, line)) = self.states.get(index).filter(|state| !state.triggered).and_then(|s| Some((s.base?, s.line))) else {
            return Ok(false);
        };
        let held: Vec<String> = self.states.get(base).map_or_else(Vec::new, |base| {
            let nodes = base.commands.iter().filter_map(|command| self.node(command.at));
            nodes.filter(|node| node.verb == Verb::Onbuild).map(trigger_text).collect()
        });
        let mut commands = Vec::with_capacity(held.len());
        let mut more = false;
        for text in held {
            let node = trigger_node(&text, line)?;
            self.triggered.push(node);
            let at = At::Triggered(self.triggered.len() - 1);
            let sources = self.sources(at, line, index)?;
            self.need(index, &sources, line);
            more |= !sources.is_empty();
            commands.push(Command { at, line, sources });
        }
        if let Some(state) = self.states.get_mut(index) {
            state.triggered = true;
            commands.append(&mut state.commands);
            state.commands = commands;
        }
        Ok(more)
    }

    /// Images that ONBUILD of a stage names. What can't be read is refused only where it is triggered.
    pub(super) fn held_images(&self, stage: usize, images: &mut Vec<ImageUse>) {
        let commands = self.states.get(stage).map_or(&[][..], |state| &state.commands);
        for node in commands.iter().filter_map(|command| self.node(command.at)).filter(|node| node.verb == Verb::Onbuild) {
            if !matches!(node.trigger, Some((Verb::Copy | Verb::Run, ..))) {
                continue;
            }
            let Ok(held) = trigger_node(&trigger_text(node), node.line) else { continue };
            let named: Vec<String> = match held.verb {
                Verb::Copy => flags::value(&held, "from").filter(|from| index(from).is_none()).map(str::to_owned).into_iter().collect(),
                _ => flags::values(&held, "mount").map(mount::from).collect(),
            };
            let kind = if held.verb == Verb::Copy { UseKind::OnbuildCopy } else { UseKind::OnbuildMount };
            for raw in named {
                if raw != SCRATCH
                    && self.find(&raw).is_none()
                    && let Ok(image) = ImageReference::parse(&raw)
                {
                    images.push(ImageUse { kind, stage, line: node.line, raw, image });
                }
            }
        }
    }
}

/// What ONBUILD triggers, heredocs behind it.
fn trigger_text(node: &Node<'_>) -> String {
    let text = node.joined.trim_start_matches(super::directives::BLANKS);
    let text = text.get("ONBUILD".len()..).unwrap_or_default();
    let mut out = text.trim_start_matches(super::directives::BLANKS).to_owned();
    for heredoc in &node.heredocs {
        out.push('\n');
        out.push_str(&heredoc.body);
        out.push_str(&heredoc.operator.name);
    }
    out
}

/// Reads what ONBUILD triggers, as if it stood at `line`. The escape character is the backslash again.
fn trigger_node(text: &str, line: usize) -> Refused<Node<'static>> {
    let at_line = |error: DockerfileError| DockerfileError { line, ..error };
    let mut nodes = lines::parse(text).map_err(at_line)?.nodes;
    let (Some(node), true) = (nodes.pop(), nodes.is_empty()) else {
        return Err(DockerfileError::new(ErrorKind::Onbuild, line, "ONBUILD triggers more than one instruction"));
    };
    let node = node.at(line);
    match instruction::check(&node, '\\').map_err(at_line)? {
        Some(_) => Err(DockerfileError::new(ErrorKind::Onbuild, line, "ONBUILD can't trigger FROM")),
        None => Ok(node.into_owned()),
    }
}
