//! ARGs before the first FROM, and those that every build has.

use std::collections::{BTreeSet, HashMap};

use super::node::{Node, Words};
use super::platform::Platform;
use super::words::{Lexer, Variable, is_plain};
use super::{BuildOptions, DockerfileError, ErrorKind, GlobalArg, Refused};

/// What a build runs on and builds for.
pub(super) struct Platforms {
    target: Platform,
    build: Platform,
}

impl Platforms {
    /// Reads the platforms of a build, which come before anything in the file.
    pub(super) fn of(options: &BuildOptions) -> Refused<Self> {
        let platform = |text: &str| {
            Platform::parse(text)
                .map(Platform::normalised)
                .ok_or_else(|| DockerfileError::new(ErrorKind::Platform, 1, format!("`{text}` is no platform of the form os/arch")))
        };
        let target = platform(options.platform.as_deref().unwrap_or("linux/amd64"))?;
        let build = options.build_platform.as_deref().map_or_else(|| Ok(target.clone()), platform)?;
        Ok(Self { target, build })
    }
}

/// What FROM lines can use.
pub(super) struct Globals<'o> {
    given: &'o std::collections::BTreeMap<String, String>,
    values: HashMap<String, String>,
    platforms: Platforms,
    target_stage: String,
    escape: char,
    /// What was declared, in order.
    pub(super) declared: Vec<GlobalArg>,
    /// Names that FROM lines use and nothing sets.
    pub(super) unresolved: BTreeSet<String>,
}

impl<'o> Globals<'o> {
    pub(super) fn new(options: &'o BuildOptions, platforms: Platforms, target_stage: &str, escape: char) -> Self {
        let target_stage = if target_stage.is_empty() { "default" } else { target_stage }.to_owned();
        let (values, declared, unresolved) = (HashMap::new(), Vec::new(), BTreeSet::new());
        Self { given: &options.build_args, values, platforms, target_stage, escape, declared, unresolved }
    }

    /// The value of an ARG.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned().or_else(|| {
            let predefined = self.predefined(name)?;
            Some(self.given.get(name).cloned().unwrap_or(predefined))
        })
    }

    fn predefined(&self, name: &str) -> Option<String> {
        if name == "TARGETSTAGE" {
            return Some(self.target_stage.clone());
        }
        let (platform, rest) = match name.strip_prefix("TARGET") {
            Some(rest) => (&self.platforms.target, rest),
            None => (&self.platforms.build, name.strip_prefix("BUILD")?),
        };
        Some(match rest {
            "PLATFORM" if name.starts_with('T') => platform.full_text(),
            "PLATFORM" => platform.text(),
            "OS" => platform.os.clone(),
            "OSVERSION" => platform.version.clone(),
            "ARCH" => platform.arch.clone(),
            "VARIANT" => platform.variant.clone(),
            _ => return None,
        })
    }

    /// `ARG NAME[=default]…`: top-down, what the build gives on top.
    pub(super) fn declare(&mut self, node: &Node<'_>) -> Refused<()> {
        for word in Words::new(node.rest(), self.escape) {
            let (name, default) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
            let value = match (self.given.get(name), default) {
                (Some(given), _) => Some(given.clone()),
                (None, Some(default)) => Some(self.lexed(default, node.line)?.0),
                (None, None) => None,
            };
            if let Some(value) = value {
                self.values.insert(name.to_owned(), value);
            }
            self.declared.push(GlobalArg { name: name.to_owned(), value: self.get(name) });
        }
        Ok(())
    }

    /// Expands a word of a FROM line.
    pub(super) fn expand(&mut self, word: &str, line: usize) -> Refused<String> {
        let (text, unset) = self.lexed(word, line)?;
        self.unresolved.extend(unset);
        Ok(text)
    }

    fn lexed(&self, word: &str, line: usize) -> Refused<(String, BTreeSet<String>)> {
        if is_plain(word, self.escape) {
            return Ok((word.to_owned(), BTreeSet::new()));
        }
        let lookup = |name: &str| self.get(name).map(Variable::Set);
        let mut lexer = Lexer::new(self.escape, &lookup);
        let text = lexer.text(word).map_err(|why| DockerfileError::new(ErrorKind::Substitution, line, why))?;
        Ok((text, lexer.unset))
    }
}
