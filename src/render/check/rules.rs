//! The list of rules.

/// A rule: its id, and what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Stable id.
    pub id: &'static str,
    /// What it asks for, one sentence.
    pub about: &'static str,
}

/// Every rule, in the order of the documentation. Ids beginning with A, R and D are those of the notes on
/// Kargo's behaviour that they come from: admission, run time, drift.
pub const RULES: &[Rule] = &[
    Rule { id: "Y1", about: "The document is one that all YAML readers read alike: no key twice, no alias, no tag." },
    Rule { id: "Y2", about: "It is a Kubernetes object with `apiVersion` and `kind`." },
    Rule { id: "Y3", about: "Every value that went in stands there as a value." },
    Rule { id: "Y4", about: "No object stands in two places." },
    Rule { id: "N1", about: "Names are RFC 1123 subdomains of at most 63 characters." },
    Rule { id: "N2", about: "Labels and annotations are quoted text, labels in their own form." },
    Rule { id: "D4", about: "There is no `status`." },
];
