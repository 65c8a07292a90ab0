//! Instructions of reachable stages in order, as far as they can refuse a build: words that can't be expanded,
//! mounts that can't be read, and stages that are used before they are made.
//!
//! The environment of a base image is not known here. A variable that may come from it refuses nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::globals::Globals;
use super::node::{Node, Verb, Words, blank_separated, pairs};
use super::stages::{Command, Resolver};
use super::words::{Lexer, Variable, is_plain};
use super::{DockerfileError, ErrorKind, Refused, flags, heredoc, mount};

/// Variables of a stage.
#[derive(Clone)]
struct Env {
    values: HashMap<String, String>,
    /// Whether all variables are known: nothing comes from a base image.
    whole: bool,
    escape: char,
}

impl Env {
    fn lookup(&self, name: &str) -> Option<Variable> {
        match self.values.get(name) {
            Some(value) => Some(Variable::Set(value.clone())),
            None if name == "PATH" => Some(Variable::Set("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned())),
            None if self.whole => None,
            None => Some(Variable::Unknown),
        }
    }

    fn expand(&self, word: &str) -> Result<String, String> {
        if is_plain(word, self.escape) {
            return Ok(word.to_owned());
        }
        Lexer::new(self.escape, &|name| self.lookup(name)).text(word)
    }

    /// Whether a word can be expanded, when nobody asks to what.
    fn check(&self, word: &str) -> Result<(), String> {
        if is_plain(word, self.escape) { Ok(()) } else { self.expand(word).map(drop) }
    }
}

/// Goes through the instructions of `reachable` stages.
pub(super) fn run(
    resolver: &Resolver<'_>,
    reachable: &BTreeSet<usize>,
    globals: &Globals<'_>,
    given: &BTreeMap<String, String>,
) -> Refused<()> {
    let mut environments: HashMap<usize, Env> = HashMap::new();
    for index in reachable {
        let Some(state) = resolver.states.get(*index) else { continue };
        let whole = state.is_from_scratch();
        let fresh = || Env { values: HashMap::new(), whole, escape: resolver.escape };
        let mut env = state.base.and_then(|base| environments.get(&base)).map_or_else(fresh, Clone::clone);
        for command in &state.commands {
            let Some(node) = resolver.node(command.at) else { continue };
            let here = Stage { resolver, index: *index, command };
            match node.verb {
                Verb::Env => here.env(node, &mut env)?,
                Verb::Arg => here.arg(node, &mut env, globals, given)?,
                _ => here.check(node, &env)?,
            }
        }
        environments.insert(*index, env);
    }
    Ok(())
}

/// One instruction of a stage.
struct Stage<'r, 'a> {
    resolver: &'r Resolver<'a>,
    index: usize,
    command: &'r Command,
}

impl Stage<'_, '_> {
    fn word(&self, why: String) -> DockerfileError {
        DockerfileError::new(ErrorKind::Substitution, self.command.line, why)
    }

    fn env(&self, node: &Node<'_>, env: &mut Env) -> Refused<()> {
        let mut set = Vec::new();
        for (key, value) in pairs(node.rest(), env.escape) {
            let expanded = env.expand(key).and_then(|key| Ok((key, env.expand(value)?)));
            set.push(expanded.map_err(|why| self.word(why))?);
        }
        env.values.extend(set);
        Ok(())
    }

    fn arg(&self, node: &Node<'_>, env: &mut Env, globals: &Globals<'_>, given: &BTreeMap<String, String>) -> Refused<()> {
        let escape = env.escape;
        for word in Words::new(node.rest(), escape) {
            let (name, default) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
            let value = match (given.get(name), default) {
                (Some(given), _) => Some(given.clone()),
                (None, Some(default)) => Some(env.expand(default).map_err(|why| self.word(why))?),
                (None, None) => globals.get(name),
            };
            if let Some(value) = value {
                env.values.insert(name.to_owned(), value);
            }
        }
        Ok(())
    }

    fn check(&self, node: &Node<'_>, env: &Env) -> Refused<()> {
        let rest = node.rest();
        let check = |word: &str| env.check(word).map_err(|why| self.word(why));
        match node.verb {
            Verb::Label => pairs(rest, env.escape).into_iter().try_for_each(|(key, value)| check(key).and_then(|()| check(value))),
            Verb::User | Verb::Workdir | Verb::Stopsignal => check(rest),
            Verb::Volume | Verb::Expose => match &node.json {
                Some(words) => words.iter().try_for_each(|word| check(word)),
                None => blank_separated(rest).try_for_each(check),
            },
            Verb::Add | Verb::Copy => self.copy(node, env),
            Verb::Run => self.mounts(node, env),
            _ => Ok(()),
        }
    }

    fn copy(&self, node: &Node<'_>, env: &Env) -> Refused<()> {
        let check = |word: &str| env.check(word).map_err(|why| self.word(why));
        for name in ["chown", "chmod"].into_iter().chain((node.verb == Verb::Add).then_some("checksum")) {
            flags::value(node, name).map_or(Ok(()), check)?;
        }
        let mut bodies = Vec::new();
        let mut source = |word: &str| match heredoc::operator(word) {
            Ok(Some(operator)) => {
                bodies.extend(operator.expand.then_some(operator.name));
                Ok(())
            }
            _ => check(word),
        };
        match &node.json {
            Some(words) => words.iter().try_for_each(|word| source(word))?,
            None => blank_separated(node.rest()).try_for_each(&mut source)?,
        }
        for name in bodies {
            if let Some(heredoc) = node.heredocs.iter().rfind(|heredoc| heredoc.operator.name == name) {
                let expanded = Lexer::new('\\', &|name| env.lookup(name)).plain_quotes().text(&heredoc.body);
                expanded.map_err(|why| self.word(why))?;
            }
        }
        match self.command.sources.first() {
            Some(source) if !self.is_made(*source) => {
                Err(DockerfileError::new(ErrorKind::StageOrder, self.command.line, "the stage to copy from comes later"))
            }
            _ => Ok(()),
        }
    }

    fn mounts(&self, node: &Node<'_>, env: &Env) -> Refused<()> {
        let mut mounts = Vec::new();
        for text in flags::values(node, "mount") {
            let read = mount::read(text, &mut |word| env.expand(word));
            mounts.push(read.map_err(|wrong| match wrong {
                mount::Wrong::Word(why) => self.word(why),
                mount::Wrong::Mount(why) => DockerfileError::new(ErrorKind::Mount, self.command.line, why),
            })?);
        }
        for (mount, source) in mounts.iter().zip(&self.command.sources) {
            let takes = !mount.from.is_empty() || mount.kind == "cache";
            if takes && !self.is_made(*source) {
                return Err(DockerfileError::new(ErrorKind::StageOrder, self.command.line, "the stage to mount comes later"));
            }
            let inner = !matches!(mount.kind.as_str(), "secret" | "ssh");
            if inner && is_root(&mount.target) {
                return Err(DockerfileError::new(ErrorKind::Mount, self.command.line, "nothing is mounted over /"));
            }
        }
        Ok(())
    }

    /// Whether a state is there by now: an image, an earlier stage, or this one as far as it is made.
    fn is_made(&self, source: usize) -> bool {
        source <= self.index || self.resolver.states.get(source).is_some_and(super::stages::State::is_stand_in)
    }
}

/// Whether an absolute path means the root.
fn is_root(path: &str) -> bool {
    let mut depth = 0usize;
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => depth = depth.saturating_sub(1),
            _ => depth += 1,
        }
    }
    path.starts_with('/') && depth == 0
}
