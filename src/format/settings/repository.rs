//! The section `repository`.

use schemars::JsonSchema;

use super::names::is_plain_https;
use crate::format::fields::Fields;
use crate::model::settings::ConfigRepository;

const KEYS: [&str; 2] = ["url", "branch"];

/// Where this repository is, as clusters and catalogs see it.
#[derive(JsonSchema)]
#[schemars(rename = "Repository")]
#[allow(dead_code, reason = "only its schema is used")]
pub(in crate::format) struct RepositorySchema {
    /// Its `https://` address, without credentials.
    url: String,
    /// The branch that `rendered/` is on [main].
    branch: Option<String>,
}

pub(super) fn read(fields: &mut Fields<'_>) -> Option<ConfigRepository> {
    let (map, at) = fields.map("repository")?;
    let mut child = fields.child(at, map);
    child.unknown_keys(&KEYS);
    let url = child.required("url", "the `https://` address that clusters fetch this repository from").map(str::to_owned);
    let branch = child.version_text("branch").unwrap_or("main").to_owned();
    if url.as_ref().is_some_and(|url| !is_plain_https(url)) {
        let at = child.place("url");
        child.error("bad-url", at, "`url` is an https:// address without credentials, query or fragment", None);
    }
    let good = |c: char| c.is_ascii_alphanumeric() || "._/-".contains(c);
    if branch.is_empty() || branch.len() > 255 || !branch.chars().all(good) || !branch.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        let at = child.place("branch");
        child.error("bad-branch", at, "`branch` is letters, digits, `.`, `_`, `/` and `-`, at most 255", None);
    }
    let failed = child.failed;
    fields.failed |= failed;
    Some(ConfigRepository { url: url?, branch }).filter(|_| !failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::schema::keys;

    #[test]
    fn the_schema_names_exactly_the_keys_that_are_read() {
        assert_eq!(keys::<RepositorySchema>(), KEYS.map(str::to_owned).into());
    }
}
