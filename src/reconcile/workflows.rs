//! Workflows that are files of the config repository itself: whether they can be dispatched, and found again.

use crate::base::Fault;
use crate::format::workflow_file::{self, KEY_INPUT};
use crate::format::yaml::Limits;
use crate::model::entry::Provider;
use crate::model::{CommitId, Diagnostic, Place, Severity};
use crate::plan::Desired;
use crate::ports::Repository;

/// Where GitHub looks for workflows.
const DIRECTORY: &str = ".github/workflows";

/// Warnings about the workflows of `local` entries. Those of other repositories are no matter of a directory.
pub(super) fn findings(desired: &Desired, repository: &dyn Repository, config: &CommitId) -> Result<Vec<Diagnostic>, Fault> {
    let wanted: Vec<(&str, Place)> = desired
        .entries
        .values()
        .filter_map(|entry| Some((entry, &entry.build()?.source)))
        .filter(|(_, source)| source.provider == Provider::Local)
        .filter_map(|(entry, source)| {
            Some((source.workflow.as_deref()?, Place { file: entry.defined_in.clone(), line: entry.line, column: 1 }))
        })
        .collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let listing = repository.list(config, &[DIRECTORY])?;
    let mut findings: Vec<Diagnostic> = Vec::new();
    for (name, entry) in wanted {
        let path = format!("{DIRECTORY}/{}", name.trim_start_matches(".github/workflows/"));
        let found = match listing.files.get(&path) {
            Some(file) => workflow(&path, &repository.read(&file.blob, Limits::FILE.bytes as u64)?),
            None => Some(warning(
                "workflow-missing",
                entry,
                format!("there is no workflow {path}"),
                "write the file's name under .github/workflows",
            )),
        };
        // Several entries may share one workflow.
        findings.extend(found.filter(|finding| !findings.contains(finding)));
    }
    Ok(findings)
}

fn warning(code: &'static str, place: Place, message: String, hint: &str) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, code, place, message, hint: Some(hint.to_owned()) }
}

fn workflow(path: &str, content: &[u8]) -> Option<Diagnostic> {
    let place = |at: crate::format::yaml::Position| Place { file: path.to_owned(), line: at.line, column: at.column };
    match workflow_file::read(content) {
        Err(error) => Some(warning("workflow-unreadable", place(error.at), error.message, "correct the file; GitHub reads it too")),
        Ok(file) if !file.dispatchable => Some(warning(
            "workflow-not-dispatchable",
            place(file.at),
            "the workflow can't be dispatched: `workflow_dispatch` is not among its triggers".to_owned(),
            "add `workflow_dispatch:` under `on:`",
        )),
        Ok(file) if !file.prints_key => Some(warning(
            "workflow-without-key",
            place(file.at),
            format!(
                "the workflow does not take and print `{KEY_INPUT}`, so a rebuild whose answer is lost can't be told from one that was never sent"
            ),
            "add `run-name: rebuild ${{ inputs.plimsoll_key }}`, and `plimsoll_key: {required: false}` to the inputs of `workflow_dispatch`",
        )),
        Ok(_) => None,
    }
}
