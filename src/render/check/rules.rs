//! The list of rules.

/// A rule: its id, and what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Stable id.
    pub id: &'static str,
    /// What it asks for, one sentence.
    pub about: &'static str,
}

macro_rules! rules {
    ($($id:literal $about:literal)*) => {
        /// Every rule, in the order of the documentation: Y for YAML, N for names, A for what Kargo's admission
        /// refuses, R for what fails or misbehaves at run time, D for what drifts, C for Argo CD, B for Backstage.
        pub const RULES: &[Rule] = &[$(Rule { id: $id, about: $about }),*];
    };
}

rules! {
    "Y1" "The document is one that all YAML readers read alike: no key twice, no alias, no tag."
    "Y2" "It is a Kubernetes object with `apiVersion` and `kind`."
    "Y3" "Every value that went in stands there as a value."
    "Y4" "No object stands in two places."
    "N1" "Names are RFC 1123 subdomains of at most 63 characters."
    "N2" "Labels and annotations are text, labels in their own form."
    "A1" "The Project of an object's namespace is there."
    "A2" "A ProjectConfig is named like its namespace; a Project has no spec."
    "A3" "A promotion policy has exactly one of `stage` and `stageSelector`."
    "A4" "No Stage has two exact policies; patterns of Stages compile."
    "A5" "Receivers have names of their own, one system, a Secret; generic targets are Warehouses with a selector."
    "A6" "A Warehouse has subscriptions, each of exactly one kind."
    "A7" "Repository addresses and branches are such as Kargo takes."
    "A8" "Selection strategies exist."
    "A9" "`Digest` has a `constraint`."
    "A10" "The `constraint` of `SemVer` is a range."
    "A11" "`discoveryLimit` is 1 to 100."
    "A12" "`platform` is os/arch or os/arch/variant; `cacheByTag` is a flag, set in all Warehouses of a Project or in none (warning)."
    "A13" "No repository is subscribed to twice in one Warehouse, however it is spelt."
    "A14" "A Stage requests Freight, of each Warehouse once."
    "A15" "`MatchUpstream` has exactly one upstream Stage and nothing direct."
    "A16" "Aliases of steps are unique and not reserved."
    "A17" "A step has exactly one of `uses` and `task`; one with `task` has no `if`, `config`, `retry` or `continueOnError`."
    "A18" "A task has steps, each with `uses`."
    "A19" "Durations have the form that the CRDs take."
    "A20" "Names of variables are identifiers."
    "A21" "Freight has an origin, one artifact of each subscription, and the name of its content."
    "R1" "No subscription has a key that Kargo ignores or fails on."
    "R2" "Expressions on tags compile; one that reads like a tag is anchored (warning)."
    "R3" "A step is registered in the open edition, and its config has the keys it knows and needs, with values of their type."
    "R4" "Expressions are closed, balanced and not empty."
    "R5" "Arguments of a verification are not empty, and quoted where they could become a number."
    "R6" "`imageFrom` is asked for a repository exactly as one requested Warehouse spells it."
    "R7" "An `http` step that is no GET has success and failure expressions and a time limit."
    "R8" "Requested Freight comes from somewhere."
    "R9" "The objects an object names are there. Secrets are never rendered and not looked for."
    "R10" "A Stage with a verification has steps."
    "R11" "No Freight soaks in a Stage without steps."
    "R12" "A Stage is promoted to by some policy (warning)."
    "R13" "Metrics have short names of their own, and use declared arguments only."
    "R14" "`platform` is set (warning)."
    "R15" "A git subscription leaves out our own commits."
    "D1" "Durations are written as Go writes them."
    "D2" "What Kargo's admission would add stands there."
    "D3" "The label kargo.akuity.io/shard is not set."
    "D4" "There is no `status`."
    "C1" "No annotation of Argo CD's own is set."
    "C2" "An Application has a source and one destination."
    "C3" "Automated Applications say `allowEmpty: false`."
    "C4" "Sync options are well formed, retries limited, nothing is replaced."
    "C5" "An ApplicationSet uses Go templates and fails on a missing key."
    "C6" "An Application names one Stage that may update it, as `project:stage`; one of a Project that is there is there too."
    "B1" "An entity has `apiVersion`, `kind`, `metadata`, `spec` and no other field."
    "B2" "Namespace, title and description of an entity have values that the catalog takes, or are left out."
    "B3" "Keys of annotations and labels have their form; addresses of sources and pages their prefix; no label holds a digest."
    "B4" "Tags are lower case, of a few signs, at most 63."
    "B5" "Links lead to https, http or mailto addresses."
    "B6" "What the kind of an entity needs is there."
    "B7" "Owner, system and relations are references that can be followed; lists are sorted."
    "B8" "A Template uses the scaffolder's own actions and those of its GitHub module only."
    "B9" "A ConfigMap of the catalog holds entities that pass, and has at most 1 MiB."
}
