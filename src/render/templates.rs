//! The templates of the binary.

/// A template. Its name ends in `.yaml`; each makes one document.
pub struct Template {
    /// Its path under `templates/`.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
    /// Whether someone evaluates expressions in what it makes. Then no value may hold the marks of one.
    pub evaluated: bool,
}

macro_rules! templates {
    ($($name:literal $evaluated:ident,)*) => {
        /// All of them, in the order of the documentation.
        pub const TEMPLATES: &[Template] = &[$(Template {
            name: $name,
            text: include_str!(concat!("../../templates/", $name)),
            evaluated: templates!(@$evaluated),
        }),*];
    };
    (@evaluated) => { true };
    (@inert) => { false };
}

templates! {
    "kargo/project.yaml" evaluated,
    "kargo/project-config.yaml" evaluated,
    "kargo/dispatch-github.yaml" evaluated,
    "kargo/dispatch-gitlab.yaml" evaluated,
    "kargo/service-account.yaml" evaluated,
    "kargo/role.yaml" evaluated,
    "kargo/role-binding.yaml" evaluated,
    "kargo/analysis-template.yaml" evaluated,
    "kargo/warehouse.yaml" evaluated,
    "kargo/freight.yaml" evaluated,
    "kargo/analysis-stage.yaml" evaluated,
    "kargo/rebuild-stage.yaml" evaluated,
    "argocd/app-project.yaml" evaluated,
    "argocd/application.yaml" evaluated,
    "argocd/application-set.yaml" evaluated,
    "backstage/managed-image.yaml" inert,
    "backstage/base-image.yaml" inert,
    "backstage/component.yaml" inert,
    "backstage/resource.yaml" inert,
    "backstage/system.yaml" inert,
    "backstage/location.yaml" inert,
    "backstage/config-map.yaml" inert,
    "backstage/enrol-image.yaml" evaluated,
}

/// Pages that a repository may have a template of its own for. Without one they are written without a template.
pub const PAGES: [&str; 2] = ["backstage/mkdocs.yml", "backstage/index.md"];

/// Whether a template makes Markdown rather than YAML.
pub(super) fn is_markdown(name: &str) -> bool {
    matches!(name.rsplit_once('.'), Some((_, "md")))
}

/// Where a repository's own templates lie that make files of their own, under `templates/`.
pub const EXTRA: [&str; 3] = ["extra/image/", "extra/base/", "extra/repo/"];

/// Whether the config repository may have a template of this name: one of the binary's, or one of its own.
pub fn is_known(name: &str) -> bool {
    let own = EXTRA
        .iter()
        .any(|directory| name.strip_prefix(directory).and_then(|rest| rest.strip_suffix(".yaml")).is_some_and(|rest| !rest.is_empty()));
    own || PAGES.contains(&name) || find(name).is_some()
}

/// The template of a name.
pub fn find(name: &str) -> Option<&'static Template> {
    TEMPLATES.iter().find(|template| template.name == name)
}
