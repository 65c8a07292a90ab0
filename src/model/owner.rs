//! Whose a rendered file is: the second line of its head names it.

use super::Subject;

/// What a rendered file was made for. A file goes when its owner no longer asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// One image or base image: `images/portal`.
    Subject(Subject),
    /// The repository as a whole, for one system: `repo/kargo`.
    Repository(String),
}

impl Owner {
    /// The repository as a whole, for one system.
    pub fn repository(system: &str) -> Self {
        Self::Repository(system.to_owned())
    }

    /// Reads `images/portal` or `repo/kargo`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("repo/") {
            Some(system) => {
                let word = !system.is_empty() && system.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
                word.then(|| Self::repository(system))
            }
            None => Subject::parse(text).map(Self::Subject),
        }
    }

    /// The subject, unless it is the repository.
    pub fn subject(&self) -> Option<&Subject> {
        match self {
            Self::Subject(subject) => Some(subject),
            Self::Repository(_) => None,
        }
    }

    /// The file its rendered files are made from, for their first line.
    pub fn made_from(&self) -> String {
        self.subject().map_or_else(|| "plimsoll.yaml".to_owned(), Subject::state_path)
    }
}

impl From<Subject> for Owner {
    fn from(subject: Subject) -> Self {
        Self::Subject(subject)
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Subject(subject) => subject.fmt(f),
            Self::Repository(system) => write!(f, "repo/{system}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_read_back() {
        for text in ["images/portal", "base-images/node-22", "repo/kargo"] {
            assert_eq!(Owner::parse(text).unwrap().to_string(), text);
        }
        for text in ["repo/", "repo/a/b", "repo/A", "images/", "kargo"] {
            assert_eq!(Owner::parse(text), None, "{text}");
        }
    }
}
