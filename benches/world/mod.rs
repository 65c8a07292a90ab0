//! Config repositories of any size: each image has its own two-stage Dockerfile of 27 lines.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) const BASES: [&str; 10] = [
    "node:22-bookworm-slim",
    "python:3.12-slim",
    "golang:1.24-bookworm",
    "debian:bookworm-slim",
    "alpine:3.20",
    "eclipse-temurin:21-jre",
    "nginx:1.27",
    "redis:7",
    "ruby:3.3-slim",
    "rust:1.80-slim",
];

fn git(directory: &Path, arguments: &[&str]) {
    let done = Command::new("git")
        .current_dir(directory)
        .args(["-c", "user.name=bench", "-c", "user.email=bench@example.com"])
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(done.expect("git").success(), "git {arguments:?}");
}

/// A bare repository of `size` images, filled by one push, as a forge would have it.
pub(crate) fn remote(root: &Path, size: usize, registry: &str) -> PathBuf {
    let work = root.join(format!("{size}.work"));
    let mut list = String::new();
    for index in 0..size {
        let name = format!("app{index:05}");
        let _ = write!(
            list,
            "- name: {name}\n  registry: {registry}\n  repository: org/{name}\n  source:\n    provider: local\n    dockerfile: apps/{name}/Dockerfile\n  rebuildDelay: 7d\n  autoRebuild: true\n"
        );
        let directory = work.join("apps").join(&name);
        fs::create_dir_all(&directory).expect("a directory");
        fs::write(directory.join("Dockerfile"), dockerfile(index, registry)).expect("a Dockerfile");
    }
    fs::write(work.join("images.yaml"), list).expect("a list");
    let bare = root.join(format!("{size}.git"));
    git(root, &["init", "--quiet", "--bare", "--initial-branch=main", &bare.display().to_string()]);
    git(&work, &["init", "--quiet", "--initial-branch=main"]);
    git(&work, &["add", "--all"]);
    git(&work, &["commit", "--quiet", "-m", "Enrol"]);
    git(&work, &["push", "--quiet", &bare.display().to_string(), "main"]);
    git(&bare, &["repack", "-adq"]);
    bare
}

fn dockerfile(index: usize, registry: &str) -> String {
    // Bases of the measured case are Docker Hub's, as people write them.
    let from = if registry == "ghcr.io" { String::new() } else { format!("{registry}/") };
    let mut lines = vec![format!("# app {index}"), format!("FROM {from}{} AS build", BASES[index % 10]), "WORKDIR /src".into()];
    lines.extend((0..4).map(|number| format!("ENV APP_{number}=value{index}")));
    lines.push("COPY . .".into());
    lines.extend((0..10).map(|step| format!("RUN echo step {step} of {index} && true")));
    lines.push(format!("FROM {from}{}", BASES[(index * 7 + 3) % 10]));
    lines.extend(
        [
            "COPY --from=build /src /app",
            "ENV A=b",
            "USER 1000",
            "WORKDIR /app",
            "EXPOSE 8080",
            "LABEL a=b",
            "HEALTHCHECK CMD true",
            "CMD [\"/app/run\"]",
        ]
        .map(str::to_owned),
    );
    lines.join("\n") + "\n"
}
