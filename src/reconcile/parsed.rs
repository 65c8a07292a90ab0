//! Dockerfiles that were parsed: the same content for the same build means the same, so the loop parses it once.

use std::collections::HashMap;

use crate::base::Fingerprint;
use crate::format::dockerfile::BuildOptions;
use crate::plan::observed::DockerfileFact;

/// What was parsed, by content and options. It holds what the last pass needed and no more.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    facts: HashMap<String, Kept>,
    /// The pass in hand, counted.
    pass: u64,
}

#[derive(Debug)]
struct Kept {
    fact: DockerfileFact,
    /// The last pass that needed it.
    needed: u64,
}

impl Parsed {
    /// Another pass begins.
    pub(super) fn begin(&mut self) {
        self.pass += 1;
    }

    /// The pass is over: what it did not need is forgotten.
    pub(super) fn end(&mut self) {
        let pass = self.pass;
        self.facts.retain(|_, kept| kept.needed == pass);
    }

    /// What is known under `key`.
    pub(super) fn get(&mut self, key: &str) -> Option<DockerfileFact> {
        let pass = self.pass;
        self.facts.get_mut(key).map(|kept| {
            kept.needed = pass;
            kept.fact.clone()
        })
    }

    /// Keeps what was parsed.
    pub(super) fn keep(&mut self, key: String, fact: &DockerfileFact) {
        self.facts.insert(key, Kept { fact: fact.clone(), needed: self.pass });
    }
}

/// The key of a content, by its own hash or object id, as a build reads it.
pub(super) fn key(content: &str, options: &BuildOptions) -> String {
    let mut key = Fingerprint::of(content);
    for part in [&options.platform, &options.build_platform, &options.target] {
        key.add(if part.is_some() { "+" } else { "-" });
        key.add(part.as_deref().unwrap_or_default());
    }
    for (name, value) in &options.build_args {
        key.add(name);
        key.add(value);
    }
    key.hex(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pass_did_not_need_is_forgotten() {
        let fact = DockerfileFact::Bases(Vec::new());
        let mut parsed = Parsed::default();
        parsed.begin();
        parsed.keep("a".to_owned(), &fact);
        parsed.keep("b".to_owned(), &fact);
        parsed.end();
        parsed.begin();
        assert_eq!(parsed.get("a"), Some(fact));
        parsed.end();
        assert_eq!((parsed.get("a").is_some(), parsed.get("b")), (true, None));
        assert_eq!(parsed.facts.len(), 1);
    }

    #[test]
    fn each_option_makes_another_key() {
        let with = |change: fn(&mut BuildOptions)| {
            let mut options = BuildOptions::default();
            change(&mut options);
            key("FROM a\n", &options)
        };
        let keys = [
            with(|_| {}),
            with(|options| options.platform = Some("linux/arm64".to_owned())),
            with(|options| options.target = Some("linux/arm64".to_owned())),
            with(|options| options.target = Some(String::new())),
            with(|options| drop(options.build_args.insert("A".to_owned(), "1".to_owned()))),
            key("FROM b\n", &BuildOptions::default()),
        ];
        let mut apart = keys.to_vec();
        apart.sort();
        apart.dedup();
        assert_eq!(apart.len(), keys.len());
    }
}
