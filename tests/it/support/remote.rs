//! Real git repositories, made and asked with the real git program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs git in `directory`; panics when it fails.
pub(crate) fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = try_git(directory, arguments);
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Runs git in `directory`.
pub(crate) fn try_git(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("git");
    command.current_dir(directory).args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", "/nonexistent").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "A person").env(format!("GIT_{role}_EMAIL"), "person@example.com");
    }
    command.output().unwrap()
}

/// A bare repository and a work tree that people commit from.
pub(crate) struct Remote {
    directory: tempfile::TempDir,
}

impl Remote {
    /// A remote whose `main` holds one commit of `files`.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let remote = Self { directory: tempfile::tempdir().unwrap() };
        let root = remote.directory.path();
        git(root, &["init", "--quiet", "--bare", "--initial-branch=main", "config.git"]);
        git(root, &["clone", "--quiet", "config.git", "work"]);
        git(&remote.work(), &["checkout", "--quiet", "-B", "main"]);
        remote.commit("Start", files);
        remote
    }

    /// The bare repository.
    pub(crate) fn bare(&self) -> PathBuf {
        self.directory.path().join("config.git")
    }

    /// The people's work tree.
    pub(crate) fn work(&self) -> PathBuf {
        self.directory.path().join("work")
    }

    pub(crate) fn url(&self) -> String {
        format!("file://{}", self.bare().display())
    }

    /// People pull, write `files` (an empty content deletes), commit and push.
    pub(crate) fn commit(&self, message: &str, files: &[(&str, &str)]) -> String {
        let work = self.work();
        try_git(&work, &["pull", "--quiet", "--rebase", "origin", "main"]);
        for (path, content) in files {
            let path = work.join(path);
            if content.is_empty() {
                std::fs::remove_file(path).unwrap();
            } else {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, content).unwrap();
            }
        }
        git(&work, &["add", "--all"]);
        git(&work, &["commit", "--quiet", "--allow-empty", "-m", message]);
        git(&work, &["push", "--quiet", "origin", "HEAD:main"]);
        self.head("main")
    }

    /// The commit a branch is at.
    pub(crate) fn head(&self, branch: &str) -> String {
        git(&self.bare(), &["rev-parse", &format!("refs/heads/{branch}")])
    }

    /// How many commits a branch has.
    pub(crate) fn commits(&self, branch: &str) -> usize {
        git(&self.bare(), &["rev-list", "--count", branch]).parse().unwrap()
    }

    /// A file's content at a branch's head.
    pub(crate) fn file(&self, branch: &str, path: &str) -> Option<String> {
        let output = try_git(&self.bare(), &["show", &format!("{branch}:{path}")]);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Every path at a branch's head, with its blob.
    pub(crate) fn tree(&self, branch: &str) -> BTreeMap<String, String> {
        let listed = git(&self.bare(), &["ls-tree", "-r", branch]);
        listed
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .map(|(left, path)| (path.to_owned(), left.split(' ').nth(2).unwrap_or_default().to_owned()))
            .collect()
    }

    /// Makes pushes to `branch` fail with `words`, as a protection rule would.
    pub(crate) fn protect(&self, branch: &str, words: &str) {
        use std::os::unix::fs::PermissionsExt;
        let hook = self.bare().join("hooks/update");
        std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
        std::fs::write(&hook, format!("#!/bin/sh\nif test \"$1\" = refs/heads/{branch}; then echo '{words}' >&2; exit 1; fi\n")).unwrap();
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Takes the protection away.
    pub(crate) fn unprotect(&self) {
        std::fs::remove_file(self.bare().join("hooks/update")).unwrap();
    }

    /// Panics when the object database is not whole.
    pub(crate) fn fsck(&self) {
        git(&self.bare(), &["fsck", "--strict", "--full", "--no-dangling"]);
    }
}
