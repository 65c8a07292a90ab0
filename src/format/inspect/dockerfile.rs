//! `inspect dockerfile`: stages, images and arguments of a file for one build, or why a build refuses it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Image;
use crate::format::dockerfile::{self as read, Base, BuildOptions, DockerfileError, UseKind};
use crate::model::ImageReference;

/// A file, resolved for one build. Lists are empty when it is refused.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dockerfile {
    /// Why a build refuses it.
    pub error: Option<Refusal>,
    /// The escape character.
    pub escape: char,
    /// The frontend it asks for.
    pub syntax: Option<Syntax>,
    /// ARGs before the first FROM, in order.
    pub global_args: Vec<GlobalArg>,
    /// Stages, in order.
    pub stages: Vec<Stage>,
    /// Every use of an image, by stage and line.
    pub images: Vec<ImageUse>,
    /// Images of all stages, sorted, without those that ONBUILD holds for others.
    pub unique_images: Vec<String>,
    /// Images that the target needs, sorted.
    pub reachable_images: Vec<String>,
    /// Images that ONBUILD holds for others, sorted.
    pub onbuild_images: Vec<String>,
    /// ARGs that FROM lines use and nothing sets, sorted.
    pub unresolved_args: Vec<String>,
}

/// Why a build refuses a file.
#[derive(Debug, Clone, Serialize)]
pub struct Refusal {
    /// Which rule.
    pub kind: &'static str,
    /// Where, from 1.
    pub line: usize,
    /// The cause.
    pub message: String,
}

/// `# syntax=`.
#[derive(Debug, Clone, Serialize)]
pub struct Syntax {
    /// As it is written.
    pub raw: String,
    /// The image, in full form.
    pub canonical: Option<String>,
}

/// An ARG before the first FROM.
#[derive(Debug, Clone, Serialize)]
pub struct GlobalArg {
    /// Name.
    pub name: String,
    /// Value.
    pub value: Option<String>,
}

/// A stage.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_field_names, reason = "the names are the JSON's")]
pub struct Stage {
    /// Place in the file, from 0.
    pub index: usize,
    /// Name, in lower case.
    pub name: Option<String>,
    /// Line of its FROM, from 1.
    pub line: usize,
    /// What FROM says.
    pub base_raw: String,
    /// The same, expanded.
    pub base: String,
    /// `image`, `stage` or `scratch`.
    pub kind: &'static str,
    /// The stage it begins from.
    pub base_stage: Option<usize>,
    /// Its `--platform`, expanded.
    pub platform: Option<String>,
}

/// One use of an image.
#[derive(Debug, Clone, Serialize)]
pub struct ImageUse {
    /// `from`, `copy`, `mount`, `onbuild-copy` or `onbuild-mount`.
    pub source: &'static str,
    /// In which stage.
    pub stage: usize,
    /// Line of the instruction, from 1; of the stage's FROM for what ONBUILD of its base triggered.
    pub line: usize,
    /// As it is written.
    pub raw: String,
    /// What it means.
    #[serde(flatten)]
    pub image: Image,
    /// The stage's `--platform`, for FROM.
    pub platform: Option<String>,
}

/// Looks at one file.
pub fn dockerfile(text: &str, options: &BuildOptions) -> Dockerfile {
    let syntax =
        read::syntax(text).map(|syntax| Syntax { raw: syntax.raw, canonical: syntax.image.as_ref().map(ImageReference::canonical) });
    let escape = read::escape(text);
    match read::read(text, options) {
        Ok(file) => told(file, escape, syntax),
        Err(error) => refused(error, escape, syntax),
    }
}

fn refused(error: DockerfileError, escape: char, syntax: Option<Syntax>) -> Dockerfile {
    Dockerfile {
        error: Some(Refusal { kind: error.kind.word(), line: error.line, message: error.message }),
        escape,
        syntax,
        global_args: Vec::new(),
        stages: Vec::new(),
        images: Vec::new(),
        unique_images: Vec::new(),
        reachable_images: Vec::new(),
        onbuild_images: Vec::new(),
        unresolved_args: Vec::new(),
    }
}

fn told(file: read::Dockerfile, escape: char, syntax: Option<Syntax>) -> Dockerfile {
    let ours = |kind| matches!(kind, UseKind::From | UseKind::Copy | UseKind::Mount);
    let sorted = |wanted: &dyn Fn(&read::ImageUse) -> bool| {
        let images = file.images.iter().filter(|used| wanted(used)).map(|used| used.image.canonical());
        images.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    let unique_images = sorted(&|used| ours(used.kind));
    let reachable_images = sorted(&|used| ours(used.kind) && file.reachable.contains(&used.stage));
    let onbuild_images = sorted(&|used| !ours(used.kind));
    let images = file.images.iter().map(|used| ImageUse {
        source: match used.kind {
            UseKind::From => "from",
            UseKind::Copy => "copy",
            UseKind::Mount => "mount",
            UseKind::OnbuildCopy => "onbuild-copy",
            UseKind::OnbuildMount => "onbuild-mount",
        },
        stage: used.stage,
        line: used.line,
        raw: used.raw.clone(),
        image: Image::from(&used.image),
        platform: file.stages.get(used.stage).filter(|_| used.kind == UseKind::From).and_then(|stage| stage.platform.clone()),
    });
    let images = images.collect();
    let stages = file.stages.into_iter().enumerate().map(|(index, stage)| {
        let (kind, base_stage) = match stage.base {
            Base::Image(_) => ("image", None),
            Base::Stage(base) => ("stage", Some(base)),
            Base::Scratch => ("scratch", None),
        };
        let (name, line, base_raw, base, platform) = (stage.name, stage.line, stage.base_raw, stage.base_name, stage.platform);
        Stage { index, name, line, base_raw, base, kind, base_stage, platform }
    });
    Dockerfile {
        error: None,
        escape,
        syntax,
        global_args: file.global_args.into_iter().map(|arg| GlobalArg { name: arg.name, value: arg.value }).collect(),
        stages: stages.collect(),
        images,
        unique_images,
        reachable_images,
        onbuild_images,
        unresolved_args: file.unresolved.into_iter().collect(),
    }
}
