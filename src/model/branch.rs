//! Names of branches.

/// A branch name as `git check-ref-format --branch` accepts it, without `@{…}` and without a leading `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BranchName(String);

impl BranchName {
    /// Parses a name.
    ///
    /// # Errors
    /// A sentence that says what is expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || text.len() > 255 {
            return Err("a branch name has 1 to 255 characters");
        }
        if text.starts_with('-') {
            return Err("a branch name does not start with `-`");
        }
        let odd = |c: char| c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\');
        if text == "@" || text == "HEAD" || text.contains("..") || text.contains("@{") || text.contains(odd) || text.ends_with('.') {
            return Err("git does not take this for a branch name");
        }
        if text.split('/').any(|part| part.is_empty() || part.starts_with('.') || part.strip_suffix(".lock").is_some()) {
            return Err("a part of the branch name is empty, starts with `.` or ends with `.lock`");
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The full ref, `refs/heads/…`.
    pub fn full(&self) -> String {
        format!("refs/heads/{}", self.0)
    }
}

impl std::fmt::Display for BranchName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branch_names() {
        for text in ["main", "release/1.2", "a@b", "feature/x-y_z", "ä"] {
            assert!(BranchName::parse(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "-x",
            "--output=x",
            "a..b",
            "@{u}",
            "refs/heads/../../x",
            "x\n",
            "x.lock",
            "x.lock/y",
            ".x",
            "a/.b",
            "a//b",
            "/a",
            "a/",
            "a b",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[",
            "a\\b",
            "a.",
            "@",
            "HEAD",
        ] {
            assert!(BranchName::parse(text).is_err(), "{text:?}");
        }
    }
}
