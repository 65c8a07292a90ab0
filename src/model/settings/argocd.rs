//! `argocd:`: what Argo CD gets.

/// Applications that follow `rendered/`. Rendered only when the section is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgocdSettings {
    /// The namespace Argo CD runs in.
    pub namespace: String,
    /// The `AppProject`, and the first part of the names of Applications.
    pub project: String,
    /// The API server of the cluster that is deployed to.
    pub server: String,
    /// One `ApplicationSet` instead of an Application a system.
    pub application_set: bool,
    /// Config repositories beside this one that the `ApplicationSet` covers.
    pub more_repositories: Vec<String>,
    /// The Kargo Stage that may update the Applications, as `project:stage`.
    pub authorized_stage: Option<String>,
}

impl Default for ArgocdSettings {
    fn default() -> Self {
        Self {
            namespace: "argocd".to_owned(),
            project: "plimsoll".to_owned(),
            server: "https://kubernetes.default.svc".to_owned(),
            application_set: false,
            more_repositories: Vec::new(),
            authorized_stage: None,
        }
    }
}
