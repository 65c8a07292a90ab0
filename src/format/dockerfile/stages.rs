//! Stages, what each begins from, which images each uses, and which of them a target needs.

use std::collections::{BTreeMap, BTreeSet};

use super::expand::expand;
use super::flags;
use super::lines::{Instruction, Instructions};
use super::{Base, BuildOptions, Dockerfile, DockerfileError, ErrorKind, ImageUse, Stage, UseKind};
use crate::model::ImageReference;

/// Every instruction there is, with the flags it takes once and those it takes often.
const INSTRUCTIONS: [(&str, &[&str], &[&str]); 18] = [
    ("ADD", &["chown", "chmod", "link", "keep-git-dir", "checksum", "unpack"], &["exclude"]),
    ("ARG", &[], &[]),
    ("CMD", &[], &[]),
    ("COPY", &["chown", "chmod", "link", "from", "parents"], &["exclude"]),
    ("ENTRYPOINT", &[], &[]),
    ("ENV", &[], &[]),
    ("EXPOSE", &[], &[]),
    ("FROM", &["platform"], &[]),
    ("HEALTHCHECK", &["interval", "start-period", "start-interval", "timeout", "retries"], &[]),
    ("LABEL", &[], &[]),
    ("MAINTAINER", &[], &[]),
    ("ONBUILD", &[], &[]),
    ("RUN", &["network", "security"], &["mount", "device"]),
    ("SHELL", &[], &[]),
    ("STOPSIGNAL", &[], &[]),
    ("USER", &[], &[]),
    ("VOLUME", &[], &[]),
    ("WORKDIR", &[], &[]),
];

/// Keys of `RUN --mount`.
const MOUNT_KEYS: [&str; 19] = [
    "type",
    "from",
    "source",
    "src",
    "target",
    "dst",
    "destination",
    "readonly",
    "ro",
    "readwrite",
    "rw",
    "id",
    "required",
    "size",
    "sharing",
    "mode",
    "uid",
    "gid",
    "env",
];

type Resolved<T> = Result<T, DockerfileError>;

/// An instruction that takes something from elsewhere.
struct Taken {
    kind: UseKind,
    line: usize,
    raw: String,
}

/// One stage as written.
struct Draft {
    stage: Stage,
    takes: Vec<Taken>,
    /// What ONBUILD holds for stages on top of this one.
    triggers: Vec<Taken>,
}

/// Resolves all stages for one build.
pub(super) fn resolve(file: &Instructions<'_>, options: &BuildOptions) -> Resolved<Dockerfile> {
    let escape = file.escape;
    let mut globals = Globals::new(options)?;
    let mut drafts: Vec<Draft> = Vec::new();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut unresolved = BTreeSet::new();
    for instruction in &file.list {
        let (given, rest) = read_flags(instruction, escape)?;
        let line = instruction.line;
        match (instruction.word.as_str(), drafts.last_mut()) {
            ("FROM", _) => {
                let stage = from(instruction, &given, rest, escape, &globals, &names, &mut unresolved)?;
                let inherited = match stage.base {
                    Base::Stage(below) => {
                        drafts.get(below).map(|below| below.triggers.iter().map(Taken::triggered).collect()).unwrap_or_default()
                    }
                    _ => Vec::new(),
                };
                if let Some(name) = &stage.name {
                    names.insert(name.clone(), drafts.len());
                }
                drafts.push(Draft { stage, takes: inherited, triggers: Vec::new() });
            }
            ("ARG", None) => globals.define(rest, escape, line)?,
            (_, None) => return Err(DockerfileError::new(ErrorKind::NoStage, line, "the first instruction is FROM, or an ARG before it")),
            ("ONBUILD", Some(draft)) => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                let (word, tail) = rest.split_at(end);
                let inner = Instruction { line, word: word.to_ascii_uppercase(), rest: tail.trim().into() };
                if matches!(inner.word.as_str(), "ONBUILD" | "FROM" | "MAINTAINER") {
                    return Err(DockerfileError::new(ErrorKind::Onbuild, line, format!("ONBUILD can't trigger {}", inner.word)));
                }
                let (given, _) = read_flags(&inner, escape)?;
                draft.triggers.extend(takes(&inner, &given)?.into_iter().map(Taken::kept));
            }
            (_, Some(draft)) => draft.takes.extend(takes(instruction, &given)?),
        }
    }
    if drafts.is_empty() {
        return Err(DockerfileError::new(ErrorKind::NoStage, file.list.first().map_or(1, |first| first.line), "the file has no FROM"));
    }
    link(drafts, &names, options, unresolved)
}

impl Taken {
    /// As it acts in a stage on top.
    fn triggered(&self) -> Self {
        let kind = if self.kind == UseKind::OnbuildCopy { UseKind::Copy } else { UseKind::Mount };
        Self { kind, line: self.line, raw: self.raw.clone() }
    }

    /// As ONBUILD keeps it.
    fn kept(mut self) -> Self {
        self.kind = if self.kind == UseKind::Copy { UseKind::OnbuildCopy } else { UseKind::OnbuildMount };
        self
    }
}

/// Flags of a known instruction, and what follows them.
fn read_flags<'a>(instruction: &'a Instruction<'_>, escape: char) -> Resolved<(Vec<(String, String)>, &'a str)> {
    let line = instruction.line;
    let known = INSTRUCTIONS.iter().find(|(word, _, _)| *word == instruction.word);
    let Some((word, once, often)) = known else {
        return Err(DockerfileError::new(ErrorKind::UnknownInstruction, line, format!("unknown instruction: {}", instruction.word)));
    };
    let (given, rest) = flags::split(&instruction.rest, escape);
    flags::check(&given, once, often, line)?;
    let needs = match *word {
        "RUN" | "CMD" | "ENTRYPOINT" | "VOLUME" | "SHELL" | "FROM" => 0,
        "ADD" | "COPY" if !rest.starts_with('[') && !rest.contains("<<") => 2,
        _ => 1,
    };
    if rest.split_whitespace().take(2).count() < needs {
        return Err(DockerfileError::new(
            ErrorKind::InstructionSyntax,
            line,
            format!("{word} requires at least {needs} argument{}", if needs == 1 { "" } else { "s" }),
        ));
    }
    Ok((given, rest))
}

/// Values of ARGs before the first FROM, and of the platform.
struct Globals<'a> {
    given: &'a BTreeMap<String, String>,
    values: BTreeMap<String, String>,
}

impl<'a> Globals<'a> {
    fn new(options: &'a BuildOptions) -> Resolved<Self> {
        let target = options.platform.as_deref().unwrap_or("linux/amd64");
        let build = options.build_platform.as_deref().unwrap_or(target);
        let mut values = BTreeMap::new();
        for (prefix, platform) in [("TARGET", target), ("BUILD", build)] {
            check_platform(platform, 0)?;
            let mut parts = platform.split('/');
            values.insert(format!("{prefix}PLATFORM"), platform.to_owned());
            for name in ["OS", "ARCH", "VARIANT"] {
                values.insert(format!("{prefix}{name}"), parts.next().unwrap_or_default().to_owned());
            }
        }
        for (name, value) in &mut values {
            if let Some(given) = options.build_args.get(name) {
                value.clone_from(given);
            }
        }
        Ok(Self { given: &options.build_args, values })
    }

    /// `ARG NAME[=default]…`: top-down, what the build gives on top.
    fn define(&mut self, rest: &str, escape: char, line: usize) -> Resolved<()> {
        for word in flags::words(rest, escape) {
            let (name, default) = word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
            let name = expand(name, escape, &|_| None).map_err(|why| DockerfileError::new(ErrorKind::Substitution, line, why))?.text;
            if name.is_empty() {
                return Err(DockerfileError::new(ErrorKind::InstructionSyntax, line, "ARG names can't be blank"));
            }
            let value = match (self.given.get(&name), default) {
                (Some(given), _) => given.clone(),
                (None, Some(default)) => {
                    expand(default, escape, &|name| self.values.get(name).cloned())
                        .map_err(|why| DockerfileError::new(ErrorKind::Substitution, line, why))?
                        .text
                }
                (None, None) => continue,
            };
            self.values.insert(name, value);
        }
        Ok(())
    }

    fn expand(&self, word: &str, escape: char, line: usize, unresolved: &mut BTreeSet<String>) -> Resolved<String> {
        if !word.contains(['$', '\'', '"', escape]) {
            return Ok(word.to_owned());
        }
        let expanded = expand(word, escape, &|name| self.values.get(name).cloned())
            .map_err(|why| DockerfileError::new(ErrorKind::Substitution, line, why))?;
        unresolved.extend(expanded.unset);
        Ok(expanded.text)
    }
}

fn check_platform(platform: &str, line: usize) -> Resolved<()> {
    let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-()".contains(&b));
    let parts = platform.split('/').count();
    if (1..=3).contains(&parts) && platform.split('/').all(word) {
        return Ok(());
    }
    Err(DockerfileError::new(ErrorKind::Platform, line, format!("`{platform}` is no platform of the form os/arch")))
}

/// Reads a FROM. It splits at white space before expansion, and looks earlier stages up as they are written.
fn from(
    instruction: &Instruction<'_>,
    given: &[(String, String)],
    rest: &str,
    escape: char,
    globals: &Globals<'_>,
    names: &BTreeMap<String, usize>,
    unresolved: &mut BTreeSet<String>,
) -> Resolved<Stage> {
    let line = instruction.line;
    let parts: Vec<&str> = rest.split_whitespace().collect();
    let (base_raw, name) = match parts.as_slice() {
        [base] => (*base, None),
        [base, word, name] if word.eq_ignore_ascii_case("as") => (*base, Some(name.to_ascii_lowercase())),
        _ => {
            return Err(DockerfileError::new(
                ErrorKind::FromSyntax,
                line,
                "FROM requires either one argument, or three: FROM <image> AS <name>",
            ));
        }
    };
    if let Some(name) = &name {
        let inner = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b));
        if !inner || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(DockerfileError::new(
                ErrorKind::StageName,
                line,
                format!("`{name}` is no name for a stage: it starts with a letter and has no other signs than - _ ."),
            ));
        }
    }
    let base = globals.expand(base_raw, escape, line, unresolved)?;
    if base.is_empty() {
        return Err(DockerfileError::new(
            ErrorKind::BlankBase,
            line,
            format!("the base name `{base_raw}` is blank: no ARG before the first FROM sets it"),
        ));
    }
    let platform = flags::value(given, "platform")
        .map(|platform| globals.expand(platform, escape, line, unresolved))
        .transpose()?
        .filter(|platform| !platform.is_empty());
    if let Some(platform) = &platform {
        check_platform(platform, line)?;
    }
    let base = match names.get(&base) {
        Some(index) => Base::Stage(*index),
        None if base == "scratch" => Base::Scratch,
        None => Base::Image(image(&base, line)?),
    };
    Ok(Stage { name, line, base_raw: base_raw.to_owned(), base, platform })
}

fn image(text: &str, line: usize) -> Resolved<ImageReference> {
    ImageReference::parse(text).map_err(|error| DockerfileError::new(ErrorKind::Reference, line, format!("`{text}` is no image: {error}")))
}

/// What an instruction takes from stages or images.
fn takes(instruction: &Instruction<'_>, given: &[(String, String)]) -> Resolved<Vec<Taken>> {
    let line = instruction.line;
    let mut out = Vec::new();
    match instruction.word.as_str() {
        "COPY" => {
            if let Some(from) = flags::value(given, "from").filter(|from| !from.is_empty()) {
                out.push(Taken { kind: UseKind::Copy, line, raw: from.to_owned() });
            }
        }
        "RUN" => {
            for (_, value) in given.iter().filter(|(name, _)| name == "mount") {
                if let Some(from) = mount_from(value, line)? {
                    out.push(Taken { kind: UseKind::Mount, line, raw: from });
                }
            }
        }
        _ => {}
    }
    Ok(out)
}

/// The `from=` of a mount.
fn mount_from(value: &str, line: usize) -> Resolved<Option<String>> {
    let refused = |message: String| DockerfileError::new(ErrorKind::Mount, line, message);
    let (mut kind, mut from) = ("bind", None);
    for field in value.split(',').map(|field| field.trim_matches('"')) {
        let (key, text) = field.split_once('=').map_or((field, None), |(key, text)| (key, Some(text)));
        let key_word = key.to_ascii_lowercase();
        if !MOUNT_KEYS.contains(&key_word.as_str()) {
            return Err(refused(format!("`{key}` is no key of a mount")));
        }
        match (key_word.as_str(), text) {
            ("type", Some(text)) => kind = text,
            ("from", Some(text)) => from = Some(text.to_owned()),
            (
                "type" | "from" | "source" | "src" | "target" | "dst" | "destination" | "id" | "size" | "sharing" | "mode" | "uid" | "gid",
                None,
            ) => {
                return Err(refused(format!("`{key}` of a mount needs a value")));
            }
            _ => {}
        }
    }
    match (kind, &from) {
        ("bind" | "cache", _) => Ok(from.filter(|from| !from.is_empty())),
        ("tmpfs" | "secret" | "ssh", None) => Ok(None),
        ("tmpfs" | "secret" | "ssh", Some(_)) => Err(refused(format!("a mount of type {kind} takes nothing from elsewhere"))),
        _ => Err(refused(format!("`{kind}` is no type of mount"))),
    }
}

/// Resolves what stages take from each other, then what the target needs.
fn link(drafts: Vec<Draft>, names: &BTreeMap<String, usize>, options: &BuildOptions, unresolved: BTreeSet<String>) -> Resolved<Dockerfile> {
    let mut images = Vec::new();
    let mut needs: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); drafts.len()];
    for (index, draft) in drafts.iter().enumerate() {
        let needed = &mut BTreeSet::new();
        match &draft.stage.base {
            Base::Stage(below) => drop(needed.insert(*below)),
            Base::Image(image) => images.push(ImageUse {
                kind: UseKind::From,
                stage: index,
                line: draft.stage.line,
                raw: draft.stage.base_raw.clone(),
                image: image.clone(),
            }),
            Base::Scratch => {}
        }
        for taken in draft.takes.iter().chain(&draft.triggers) {
            let number = matches!(taken.kind, UseKind::Copy | UseKind::OnbuildCopy).then(|| taken.raw.parse::<usize>().ok()).flatten();
            let ours = matches!(taken.kind, UseKind::Copy | UseKind::Mount);
            let stage = match number {
                Some(number) if number < drafts.len() => Some(number),
                Some(_) if !ours => continue,
                Some(number) => return Err(DockerfileError::new(ErrorKind::CopyFrom, taken.line, format!("there is no stage {number}"))),
                None => names.get(&taken.raw.to_ascii_lowercase()).copied(),
            };
            match stage {
                Some(stage) if ours => drop(needed.insert(stage)),
                Some(_) => {}
                None => images.push(ImageUse {
                    kind: taken.kind,
                    stage: index,
                    line: taken.line,
                    raw: taken.raw.clone(),
                    image: image(&taken.raw, taken.line)?,
                }),
            }
        }
        if let Some(slot) = needs.get_mut(index) {
            *slot = std::mem::take(needed);
        }
    }
    if let Some(line) = circle(&needs).and_then(|stage| drafts.get(stage)).map(|draft| draft.stage.line) {
        return Err(DockerfileError::new(ErrorKind::StageOrder, line, "this stage needs itself"));
    }
    let target = match options.target.as_deref() {
        None => drafts.len() - 1,
        Some(target) => names
            .get(&target.to_ascii_lowercase())
            .copied()
            .or_else(|| target.parse().ok().filter(|index| *index < drafts.len()))
            .ok_or_else(|| DockerfileError::new(ErrorKind::StageOrder, 1, format!("there is no stage `{target}` to build")))?,
    };
    let mut reachable = BTreeSet::new();
    let mut open = vec![target];
    while let Some(stage) = open.pop() {
        if reachable.insert(stage) {
            open.extend(needs.get(stage).into_iter().flatten());
        }
    }
    Ok(Dockerfile { stages: drafts.into_iter().map(|draft| draft.stage).collect(), images, reachable, unresolved })
}

/// A stage that needs itself, if there is one: what is left when stages without needs are taken off in turn.
fn circle(needs: &[BTreeSet<usize>]) -> Option<usize> {
    let mut missing: Vec<usize> = needs.iter().map(BTreeSet::len).collect();
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    for (stage, below) in needs.iter().enumerate() {
        for below in below {
            if let Some(above) = needed_by.get_mut(*below) {
                above.push(stage);
            }
        }
    }
    let mut free: Vec<usize> = missing.iter().enumerate().filter(|(_, count)| **count == 0).map(|(stage, _)| stage).collect();
    while let Some(stage) = free.pop() {
        for above in needed_by.get(stage).into_iter().flatten() {
            if let Some(count) = missing.get_mut(*above) {
                *count -= 1;
                if *count == 0 {
                    free.push(*above);
                }
            }
        }
    }
    missing.iter().position(|count| *count > 0)
}
