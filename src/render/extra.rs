//! Templates of the config repository that make files of their own: one an image, one a base image, or one for
//! the repository. Nothing is made of them unless the operator allows templates.

use serde::Serialize;

use super::name::object_name;
use super::{Draft, Part, Sheet, Target, View, Work};
use crate::model::{BaseState, Entry, ImageState, Owner, Subject};

/// The target of the repository's own templates.
pub(super) struct Extra;

/// What a template for an image can write. Every key is always there; what is not known is null.
#[derive(Serialize)]
struct Image<'a> {
    name: &'a str,
    /// The name that objects made for it begin with.
    object: String,
    registry: &'a str,
    repository: &'a str,
    repo_url: String,
    version: Option<&'a str>,
    digest: Option<&'a str>,
    bases: &'a [String],
    owner: Option<&'a str>,
    system: Option<&'a str>,
    lifecycle: Option<&'a str>,
    description: Option<&'a str>,
    tags: &'a [String],
    source: Source<'a>,
}

#[derive(Serialize, Default)]
struct Source<'a> {
    provider: Option<&'a str>,
    repo: Option<&'a str>,
    branch: Option<&'a str>,
    dockerfile: Option<&'a str>,
    workflow: Option<&'a str>,
}

/// What a template for a base image can write.
#[derive(Serialize)]
struct Base<'a> {
    name: &'a str,
    object: String,
    repo_url: String,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
    used_by: Vec<&'a str>,
}

/// What every template can write.
#[derive(Serialize)]
struct Values<'a> {
    project: &'a str,
    url: Option<&'a str>,
    branch: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<Image<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<Base<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<Vec<Image<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bases: Option<Vec<Base<'a>>>,
}

impl Target for Extra {
    fn name(&self) -> &'static str {
        "extra"
    }

    fn render<'v>(&'v self, view: View<'v>, work: &mut Work<'v>) {
        for name in view.templates.keys() {
            if let Some(rest) = name.strip_prefix("extra/image/") {
                for (image, state) in view.images {
                    let Some(entry) = view.entries.get(image) else { continue };
                    work.add(move |sheet| {
                        let values = Values { image: Some(of_image(entry, state)), ..common(view) };
                        file(sheet, name, rest, Subject::image(image).into(), &values);
                    });
                }
            } else if let Some(rest) = name.strip_prefix("extra/base/") {
                for (base, state) in view.bases {
                    work.add(move |sheet| {
                        let values = Values { base: Some(of_base(view, state)), ..common(view) };
                        file(sheet, name, rest, Subject::base(base).into(), &values);
                    });
                }
            } else if let Some(rest) = name.strip_prefix("extra/repo/") {
                work.add(move |sheet| {
                    let images = view.images.iter().filter_map(|(image, state)| Some(of_image(view.entries.get(image)?, state)));
                    let bases = view.bases.values().map(|state| of_base(view, state));
                    let values = Values { images: Some(images.collect()), bases: Some(bases.collect()), ..common(view) };
                    file(sheet, name, rest, Owner::repository("extra"), &values);
                });
            }
        }
    }

    fn paths(&self, _subject: &Subject) -> Vec<String> {
        Vec::new()
    }
}

fn file(sheet: &mut Sheet<'_>, template: &str, rest: &str, owner: Owner, values: &Values<'_>) {
    let directory = owner.subject().map_or_else(|| "repo".to_owned(), ToString::to_string);
    let of_all = owner.subject().is_none();
    let parts = vec![Part::of_repository(template, values)];
    sheet.file(Draft { path: format!("rendered/extra/{directory}/{rest}"), owner, of_all, parts });
}

fn common(view: View<'_>) -> Values<'_> {
    let repository = view.settings.repository.as_ref();
    Values {
        project: &view.settings.kargo.project,
        url: repository.map(|repository| repository.url.as_str()),
        branch: repository.map(|repository| repository.branch.as_str()),
        image: None,
        base: None,
        images: None,
        bases: None,
    }
}

fn of_image<'a>(entry: &'a Entry, state: &'a ImageState) -> Image<'a> {
    let catalog = |key| entry.catalog.get(key).map(String::as_str);
    let source = entry.build().map_or_else(Source::default, |build| Source {
        provider: Some(build.source.provider.word()),
        repo: build.source.repo.as_deref(),
        branch: build.source.branch.as_deref(),
        dockerfile: Some(build.source.dockerfile.as_str()),
        workflow: build.source.workflow.as_deref(),
    });
    Image {
        name: entry.name.as_str(),
        object: object_name(&Subject::image(&entry.name)),
        registry: &entry.registry,
        repository: &entry.repository,
        repo_url: entry.repo_url(),
        version: state.current_version.as_deref(),
        digest: state.ledger.current.as_ref().map(crate::model::Digest::as_str),
        bases: &state.base_images,
        owner: catalog("owner"),
        system: catalog("system"),
        lifecycle: catalog("lifecycle"),
        description: catalog("description"),
        tags: &entry.tags,
        source,
    }
}

fn of_base<'a>(view: View<'a>, state: &'a BaseState) -> Base<'a> {
    let uses = |image: &&ImageState| image.base_images.iter().any(|base| base == state.name.as_str());
    Base {
        name: state.name.as_str(),
        object: object_name(&Subject::base(&state.name)),
        repo_url: state.image.repo_url(),
        tag: state.image.tag.as_deref(),
        digest: state.ledger.current.as_ref().map(crate::model::Digest::as_str),
        used_by: view.images.values().map(AsRef::as_ref).filter(uses).map(|image| image.name.as_str()).collect(),
    }
}
