//! Files made from code: fresh, or written anew with `make bless`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use plimsoll::plan::Reason;
use plimsoll::plan::explain::Fact;

use crate::commands::leaves;
use crate::commands::page::page;
use crate::support::program::Plimsoll;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a file with what it should be, or writes it when `PLIMSOLL_BLESS` is set.
fn fresh(path: &str, wanted: &str) {
    let path: PathBuf = root().join(path);
    if std::env::var_os("PLIMSOLL_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "{} is stale: run `make bless`", path.display());
}

#[test]
fn schemas() {
    let schemas = plimsoll::format::schema::all();
    for (name, text) in &schemas {
        fresh(&format!("schema/{name}"), text);
    }
    let kept = std::fs::read_dir(root().join("schema")).unwrap().count();
    assert_eq!(kept, schemas.len(), "schema/ holds a file that no type makes");
}

#[test]
fn command_line() {
    let plimsoll = Plimsoll::new().with("COLUMNS", "100");
    let mut out = String::from("# Command line\n\nMade from the program's own help; `make bless` writes it anew.\n");
    for command in [String::new()].into_iter().chain(leaves()) {
        let arguments: Vec<&str> = command.split(' ').chain(["--help"]).filter(|word| !word.is_empty()).collect();
        let help = plimsoll.run(&arguments).expect(0).stdout;
        // Operator options are the same everywhere: they are shown once.
        let own = if command.is_empty() { help.as_str() } else { help.split("Operator options:").next().unwrap() };
        let own: Vec<&str> = own.trim_end().lines().map(str::trim_end).collect();
        let _ = write!(out, "\n## plimsoll {command}\n\n```text\n{}\n```\n", own.join("\n"));
    }
    let _ = write!(
        out,
        "\n## Exit codes\n\n| Code | Meaning |\n|---|---|\n| 0 | done; for `plan`: nothing to change |\n| 1 | failed |\n| 2 | `plan`, `pin`: changes pending |\n| 3 | config invalid and nothing could be planned; `validate`: any error |\n| 4 | partly done: some items failed or are held |\n| 64 | wrong usage |\n"
    );
    fresh("docs/reference/cli.md", &out.replace("## plimsoll \n", "## plimsoll\n"));
}

#[test]
fn decisions() {
    let mut out = String::from(
        "# Decisions on rebuilds\n\nWhat `explain` and `rebuild` say of a managed image: one closed set; `make bless` writes this page anew.\n\n| Code | Meaning | What would change it |\n|---|---|---|\n",
    );
    for code in plimsoll::plan::rebuild::Code::ALL {
        let _ = writeln!(out, "| `{}` | {} | {} |", code.word(), code.meaning(), code.change());
    }
    fresh("docs/reference/explain.md", &out);
}

#[test]
fn words_of_inspect() {
    use plimsoll::format::dockerfile::ErrorKind;
    use plimsoll::model::{reference::ReferenceError, tags::Rejection};
    let mut out = String::from(
        "# Words of `inspect`\n\nThe closed sets of words in its JSON; `make bless` writes this page anew.\n\n\
         ## Why a Dockerfile is refused\n\n| `error.kind` | Meaning |\n|---|---|\n",
    );
    for (kind, meaning) in ErrorKind::ALL {
        let _ = writeln!(out, "| `{}` | {meaning} |", kind.word());
    }
    out.push_str("\n## Why a text is no image reference\n\n| `reason` | Meaning |\n|---|---|\n");
    for error in ReferenceError::ALL {
        let _ = writeln!(out, "| `{}` | {error} |", error.word());
    }
    out.push_str("\n## Why a tag is not chosen\n\n| Rule | Meaning |\n|---|---|\n");
    for (rule, meaning) in Rejection::ALL {
        let _ = writeln!(out, "| `{}` | {meaning} |", rule.word());
    }
    fresh("docs/reference/inspect.md", &out);
}

#[test]
fn commands_by_example() {
    fresh("docs/reference/commands.md", &page());
}

#[test]
fn facts() {
    let mut out = String::from(
        "# Facts\n\nWhat `plimsoll explain` says of an image, as `code` in JSON; `make bless` writes this page anew. Topic `rebuild` has\nthe decisions of [explain.md](explain.md) as codes too.\n\n| Topic | Code | Meaning |\n|---|---|---|\n",
    );
    for (topic, code, meaning) in Fact::ALL {
        let _ = writeln!(out, "| {} | `{code}` | {meaning} |", topic.word());
    }
    fresh("docs/reference/facts.md", &out);
}

#[test]
fn reasons() {
    let mut out = String::from(
        "# Reasons\n\nWhy a file changes, as `reason.code` in JSON; `make bless` writes this page anew.\n\n| Code | Meaning |\n|---|---|\n",
    );
    for (code, meaning) in Reason::ALL {
        let _ = writeln!(out, "| `{code}` | {meaning} |");
    }
    fresh("docs/reference/reasons.md", &out);
}

#[test]
fn checks() {
    let mut out = String::from(
        "# Checks\n\nEvery rendered file passes these before it is committed, and `plimsoll validate --rendered DIR` looks for them in any\ntree; `make bless` writes this page anew. A file that breaks one is refused with the rule's id, and what stood there\nstays. Y is for YAML, N for names, A for what Kargo's admission refuses, R for what fails or misbehaves later, D for\nwhat Argo CD would show as a difference for ever, C for Argo CD's own objects, B for Backstage's entities.\n\n| Id | Rule |\n|---|---|\n",
    );
    for rule in plimsoll::render::check::RULES {
        let _ = writeln!(out, "| {} | {} |", rule.id, rule.about);
    }
    fresh("docs/reference/checks.md", &out);
}
