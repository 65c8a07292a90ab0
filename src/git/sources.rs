//! Source repositories: the head of one branch, without blobs, and then just the files that are asked for.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::command::{GitProgram, transfer_fault};
use super::mirror::Mirror;
use super::turns::Turns;
use crate::base::{Class, Fault};
use crate::model::branch::BranchName;
use crate::model::remote_url::{Protocol, RemoteUrl};
use crate::model::{CommitId, RepoPath};
use crate::ports::{Answer, SourceAnswer, SourceBranch, SourceFile, Sources};

/// Largest file that is read, in bytes.
const LARGEST: usize = 1 << 20;

/// Reads source repositories through mirrors of their own.
pub struct GitSources {
    pub(super) program: GitProgram,
    cache: PathBuf,
    contexts: PathBuf,
    turns: Turns,
}

impl GitSources {
    /// Sources under `cache`, spoken to with `program`.
    pub fn new(program: GitProgram, cache: &std::path::Path) -> Self {
        Self { program, cache: cache.join("sources"), contexts: cache.join("contexts"), turns: Turns::default() }
    }

    /// Where mirrors with all blobs are kept.
    pub(super) fn contexts(&self) -> PathBuf {
        self.contexts.clone()
    }

    /// The address, allowed and parsed, and the full name of the branch.
    pub(super) fn checked(&self, source: &SourceBranch) -> Result<(RemoteUrl, String), Fault> {
        let url = RemoteUrl::parse(&source.url)?;
        let allowed = self.program.protocols.contains(&url.protocol()) || (url.protocol() == Protocol::Http && url.is_loopback());
        if !allowed {
            return Err(Fault::new(Class::Config, format!("{url}: sources may not use the protocol {}", url.protocol().word()))
                .hint("the operator may allow it with --allow-protocol"));
        }
        let wanted = match &source.branch {
            Some(branch) => BranchName::parse(branch).map_err(|message| Fault::new(Class::Config, message))?.full(),
            None => "HEAD".to_owned(),
        };
        Ok((url, wanted))
    }

    /// The commit that the branch is at now.
    pub(super) async fn head(&self, mirror: &Mirror, url: &RemoteUrl, wanted: &str) -> Result<CommitId, Fault> {
        let heads = mirror.ls_remote(&self.program, url, &[wanted.to_owned()]).await?;
        let head = heads.iter().find(|(name, _)| name == wanted).map(|(_, id)| id);
        let head = head.ok_or_else(|| {
            let what = wanted.strip_prefix("refs/heads/").map_or("default branch".to_owned(), |name| format!("branch {name}"));
            Fault::new(Class::Missing, format!("{url}: there is no {what}"))
        })?;
        CommitId::parse(head).ok_or_else(|| Fault::new(Class::Malformed, format!("{url}: the head is no object id")))
    }

    async fn read_branch(&self, source: &SourceBranch, paths: &[RepoPath]) -> Result<SourceAnswer, Fault> {
        let (url, wanted) = self.checked(source)?;
        let _turn = self.turns.of(&url).await;
        let mirror = Mirror::open(&self.cache, &url)?;
        let commit = self.head(&mirror, &url, &wanted).await?;
        let head = commit.as_str();
        if !mirror.has(super::objects::oid(head)?) {
            mirror.fetch(&self.program, &url, std::slice::from_ref(&wanted), &["--filter=blob:none"]).await?;
        }
        let regular = self.regular(&mirror, &url, head, paths).await?;
        let mut files = BTreeMap::new();
        let mut present = Vec::new();
        for path in paths {
            match regular.get(path.as_str()).map(String::as_str) {
                Some("100644" | "100755") => present.push(path),
                Some("120000") => {
                    drop(files.insert(path.clone(), Err(Fault::new(Class::Missing, format!("{path}: a symlink is never followed")))));
                }
                Some(_) => drop(files.insert(path.clone(), Err(Fault::new(Class::Missing, format!("{path} is no file"))))),
                None => drop(files.insert(path.clone(), Err(Fault::new(Class::Missing, format!("there is no file {path} in {url}"))))),
            }
        }
        let contents = self.contents(&mirror, &url, head, &present).await?;
        for (path, content) in present.into_iter().zip(contents) {
            files.insert(
                path.clone(),
                content.map(|content| SourceFile { commit: commit.clone(), content }).map_err(|fault| fault.of(path.as_str())),
            );
        }
        Ok(files)
    }

    /// The modes of the asked-for paths. Trees are here after the fetch, so this asks nobody.
    async fn regular(&self, mirror: &Mirror, url: &RemoteUrl, head: &str, paths: &[RepoPath]) -> Result<BTreeMap<String, String>, Fault> {
        let mut arguments = vec!["ls-tree", "-z", "--full-tree", head, "--"];
        arguments.extend(paths.iter().map(RepoPath::as_str));
        let answered = self.program.run(mirror.directory(), &arguments, None).await?;
        if !answered.success {
            return Err(transfer_fault(url, &answered.said));
        }
        let text = String::from_utf8_lossy(&answered.stdout).into_owned();
        Ok(text
            .split('\0')
            .filter_map(|line| line.split_once('\t'))
            .map(|(left, path)| (path.to_owned(), left.split(' ').next().unwrap_or_default().to_owned()))
            .collect())
    }

    /// The contents of regular files, in order. Blobs that are not here yet are asked for by one git process.
    async fn contents(
        &self,
        mirror: &Mirror,
        url: &RemoteUrl,
        head: &str,
        paths: &[&RepoPath],
    ) -> Result<Vec<Result<Vec<u8>, Fault>>, Fault> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let input = paths.iter().fold(String::new(), |input, path| input + head + ":" + path.as_str() + "\n");
        let mut program = self.program.clone();
        // The mirror knows no remote by name; git asks this one for the blobs that the filter left out.
        program.extra.extend(
            [
                ("remote.origin.url", url.as_str()),
                ("remote.origin.promisor", "true"),
                ("remote.origin.partialclonefilter", "blob:none"),
                ("extensions.partialClone", "origin"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        let answered = program.run(mirror.directory(), &["cat-file", "--batch"], Some(input.into_bytes())).await?;
        if !answered.success {
            return Err(transfer_fault(url, &answered.said));
        }
        let mut rest = answered.stdout.as_slice();
        paths
            .iter()
            .map(|_| entry(&mut rest).ok_or_else(|| Fault::new(Class::Malformed, format!("{url}: git's answer ends too soon"))))
            .collect()
    }
}

/// One answer of `cat-file --batch`: `<id> blob <size>`, then the content and a newline.
fn entry(rest: &mut &[u8]) -> Option<Result<Vec<u8>, Fault>> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let (line, tail) = rest.split_at(end);
    let line = String::from_utf8_lossy(line).into_owned();
    *rest = tail.get(1..)?;
    let mut words = line.rsplit(' ');
    let Ok(size) = words.next()?.parse::<usize>() else {
        return Some(Err(Fault::new(Class::Missing, "the file is not there")));
    };
    let content = rest.get(..size)?.to_vec();
    *rest = rest.get(size + 1..)?;
    Some(if size > LARGEST {
        Err(Fault::new(Class::Limit, format!("the file has {size} bytes, more than the {LARGEST} that are read")))
    } else {
        Ok(content)
    })
}

impl Sources for GitSources {
    fn read<'a>(&'a self, branch: &'a SourceBranch, paths: &'a [RepoPath]) -> Answer<'a, Result<SourceAnswer, Fault>> {
        Box::pin(self.read_branch(branch, paths))
    }
}
