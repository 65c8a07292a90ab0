//! Addresses of source code, in the forms that Backstage's readers take.

use crate::model::entry::{Provider, Source};
use crate::model::settings::ConfigRepository;

/// What a reader takes for the branch that the host itself calls the default.
const DEFAULT_BRANCH: &str = "HEAD";

/// How a host addresses a directory of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Github,
    Gitlab,
    /// No known form: only the repository itself has an address.
    Other,
}

/// A repository with an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repository {
    url: String,
    style: Style,
}

impl Repository {
    /// The config repository. A host is GitLab's when its name says so, and otherwise taken for GitHub, whose
    /// form Gitea and Forgejo do not share.
    pub(super) fn of_config(repository: &ConfigRepository) -> Self {
        let url = trimmed(&repository.url);
        let host = url.strip_prefix("https://").and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let style = if host.split('.').any(|part| part == "gitlab") { Style::Gitlab } else { Style::Github };
        Self { url, style }
    }

    /// The repository of a source, unless it is the config repository or has no web address.
    pub(super) fn of_source(source: &Source) -> Option<Self> {
        let repo = source.repo.as_deref()?;
        match source.provider {
            Provider::Github => Some(Self { url: format!("https://github.com/{repo}"), style: Style::Github }),
            Provider::Gitlab => Some(Self { url: format!("https://gitlab.com/{repo}"), style: Style::Gitlab }),
            Provider::Git if repo.starts_with("https://") => Some(Self { url: repo.to_owned(), style: Style::Other }),
            Provider::Git | Provider::Local => None,
        }
    }

    /// `owner/name` on github.com.
    pub(super) fn github_slug(&self) -> Option<&str> {
        self.slug("https://github.com/")
    }

    /// `group/…/name` on gitlab.com.
    pub(super) fn gitlab_slug(&self) -> Option<&str> {
        self.slug("https://gitlab.com/")
    }

    fn slug(&self, host: &str) -> Option<&str> {
        self.url.strip_prefix(host).filter(|slug| slug.contains('/'))
    }

    /// Host, owner and name, when the host is taken for GitHub.
    pub(super) fn github_parts(&self) -> Option<(&str, &str, &str)> {
        if self.style != Style::Github {
            return None;
        }
        let mut parts = self.url.strip_prefix("https://")?.split('/');
        match (parts.next()?, parts.next()?, parts.next()?, parts.next()) {
            (host, owner, name, None) if !owner.is_empty() && !name.is_empty() => Some((host, owner, name)),
            _ => None,
        }
    }

    /// A directory, with `/` at its end.
    pub(super) fn tree(&self, branch: Option<&str>, directory: &str) -> String {
        let directory = if directory.is_empty() { String::new() } else { format!("{}/", encoded(directory)) };
        match (self.style, branch) {
            (Style::Other, _) => self.url.clone(),
            (_, None) if directory.is_empty() => self.url.clone(),
            (Style::Github, branch) => format!("{}/tree/{}/{directory}", self.url, encoded(branch.unwrap_or(DEFAULT_BRANCH))),
            (Style::Gitlab, branch) => format!("{}/-/tree/{}/{directory}", self.url, encoded(branch.unwrap_or(DEFAULT_BRANCH))),
        }
    }

    /// A file, to look at.
    pub(super) fn view(&self, branch: &str, path: &str) -> Option<String> {
        self.file("blob", branch, path)
    }

    /// A file, to edit in the browser.
    pub(super) fn edit(&self, branch: &str, path: &str) -> Option<String> {
        self.file("edit", branch, path)
    }

    fn file(&self, verb: &str, branch: &str, path: &str) -> Option<String> {
        let between = match self.style {
            Style::Github => "",
            Style::Gitlab => "-/",
            Style::Other => return None,
        };
        Some(format!("{}/{between}{verb}/{}/{}", self.url, encoded(branch), encoded(path)))
    }
}

fn trimmed(url: &str) -> String {
    let url = url.trim_end_matches('/');
    url.strip_suffix(".git").unwrap_or(url).to_owned()
}

/// Percent-encoded, with `/` left alone.
fn encoded(path: &str) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let mut out = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.extend([byte >> 4, byte & 15].iter().filter_map(|digit| DIGITS.get(usize::from(*digit))));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let config = |url: &str| Repository::of_config(&ConfigRepository { url: url.into(), branch: "main".into() });
        for (url, directory, expected) in [
            ("https://github.com/acme/images.git", "", "https://github.com/acme/images"),
            ("https://github.com/acme/images/", "a b/c#d", "https://github.com/acme/images/tree/HEAD/a%20b/c%23d/"),
            ("https://gitlab.acme.example/ops/images", "x", "https://gitlab.acme.example/ops/images/-/tree/HEAD/x/"),
        ] {
            assert_eq!(config(url).tree(None, directory), expected);
        }
        let github = config("https://ghe.acme.example/ops/images");
        assert_eq!(github.tree(Some("release/1"), ""), "https://ghe.acme.example/ops/images/tree/release/1/");
        assert_eq!(github.view("main", "images.yaml").unwrap(), "https://ghe.acme.example/ops/images/blob/main/images.yaml");
        assert_eq!(github.github_parts(), Some(("ghe.acme.example", "ops", "images")));
        assert_eq!((github.github_slug(), config("https://github.com/a/b").github_slug()), (None, Some("a/b")));
        let gitlab = config("https://gitlab.com/a/b/c");
        assert_eq!(gitlab.edit("main", "images.d/x.yaml").unwrap(), "https://gitlab.com/a/b/c/-/edit/main/images.d/x.yaml");
        assert_eq!((gitlab.github_parts(), gitlab.gitlab_slug()), (None, Some("a/b/c")));
    }
}
