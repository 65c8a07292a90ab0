//! Dockerfiles: branches are read several at once, one at a time in each mirror, and what did not change is not
//! parsed again.

use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use plimsoll::base::Fault;
use plimsoll::git::{GitProgram, GitSources};
use plimsoll::model::remote_url::Protocol;
use plimsoll::model::{BlobId, CommitId, RepoPath, Snapshot};
use plimsoll::ports::{Answer, CommitFacts, Listing, Proposal, Publication, Repository, SourceAnswer, SourceBranch, SourceFile, Sources};
use plimsoll::reconcile::{Memory, Options, World, pass};

use crate::laws::fake::{FakeClock, FakeRegistry, FakeRepository, Unseen};
use crate::support::remote::{Remote, git};

/// Sources that count how many are read at the same moment, and a repository that counts what is read of it.
#[derive(Default)]
struct Counting {
    repository: FakeRepository,
    now: AtomicUsize,
    most: AtomicUsize,
    branches: AtomicUsize,
    dockerfiles: AtomicUsize,
}

impl Sources for Counting {
    fn read<'a>(&'a self, _: &'a SourceBranch, paths: &'a [RepoPath]) -> Answer<'a, Result<SourceAnswer, Fault>> {
        Box::pin(async move {
            self.branches.fetch_add(1, Ordering::Relaxed);
            self.most.fetch_max(self.now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
            self.now.fetch_sub(1, Ordering::Relaxed);
            let file = || SourceFile { commit: CommitId::parse(&"a".repeat(40)).unwrap(), content: b"FROM scratch\n".to_vec() };
            Ok(paths.iter().map(|path| (path.clone(), Ok(file()))).collect())
        })
    }
}

impl Repository for Counting {
    fn snapshot(&self) -> Answer<'_, Result<Snapshot, Fault>> {
        self.repository.snapshot()
    }

    fn list(&self, commit: &CommitId, paths: &[&str]) -> Result<Listing, Fault> {
        self.repository.list(commit, paths)
    }

    fn read(&self, blob: &BlobId, limit: u64) -> Result<Vec<u8>, Fault> {
        let content = self.repository.read(blob, limit)?;
        self.dockerfiles.fetch_add(usize::from(content.starts_with(b"FROM ")), Ordering::Relaxed);
        Ok(content)
    }

    fn facts(&self, commit: &CommitId) -> Result<CommitFacts, Fault> {
        self.repository.facts(commit)
    }

    fn blob_id(&self, content: &[u8]) -> Result<BlobId, Fault> {
        self.repository.blob_id(content)
    }

    fn publish<'a>(&'a self, proposal: &'a Proposal) -> Answer<'a, Result<Publication, Fault>> {
        self.repository.publish(proposal)
    }
}

impl Counting {
    fn with(files: &[(String, String)]) -> Self {
        let counting = Self::default();
        counting.commit(files);
        counting
    }

    fn commit(&self, files: &[(String, String)]) {
        self.repository.commit(|tree| tree.extend(files.iter().map(|(path, content)| (path.clone(), content.clone().into_bytes()))));
    }

    fn pass(&self, memory: &mut Memory) {
        let world = World {
            repository: self,
            sources: Some(self),
            forge: None,
            registry: &FakeRegistry::default(),
            clock: &FakeClock(Timestamp::from_second(1_790_000_000).unwrap()),
            progress: &Unseen,
            outside: None,
            workshop: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(pass(&world, &Options::default(), memory));
    }
}

fn entry(name: &str, source: &str) -> (String, String) {
    (format!("images.d/{name}.yaml"), format!("registry: reg.example\nrepository: acme/{name}\nsource:\n{source}"))
}

#[test]
fn branches_are_read_several_at_once_and_not_too_many() {
    let source = |number: usize| format!("  provider: git\n  repo: https://git.example/{number}.git\n  dockerfile: Dockerfile\n");
    let files: Vec<(String, String)> = (0..30).map(|number| entry(&format!("app{number}"), &source(number))).collect();
    let counting = Counting::with(&files);
    counting.pass(&mut Memory::default());
    assert_eq!((counting.branches.load(Ordering::Relaxed), counting.most.load(Ordering::Relaxed)), (30, 8));
}

#[test]
fn a_dockerfile_that_did_not_change_is_not_read_again() {
    let source = |number: usize| format!("  provider: local\n  dockerfile: d/{number}\n");
    let mut files: Vec<(String, String)> = (0..10).map(|number| entry(&format!("app{number}"), &source(number))).collect();
    files.extend((0..10).map(|number| (format!("d/{number}"), format!("FROM base:{number}\n"))));
    let (counting, mut memory) = (Counting::with(&files), Memory::default());
    let mut pass = |files: &[(&str, &str)]| {
        let files: Vec<(String, String)> = files.iter().map(|(path, content)| ((*path).to_owned(), (*content).to_owned())).collect();
        counting.commit(&files);
        counting.pass(&mut memory);
        counting.dockerfiles.swap(0, Ordering::Relaxed)
    };
    let read = [
        pass(&[]),
        pass(&[("README.md", "Ours\n")]),
        pass(&[("d/3", "FROM other:1\n")]),
        // Another stage is wanted of the same file.
        pass(&[("images.d/app4.yaml", &format!("{}  target: one\n", entry("app4", &source(4)).1))]),
        pass(&[("d/3", "FROM base:3\n")]),
    ];
    assert_eq!(read, [10, 0, 1, 1, 1]);
}

#[test]
fn branches_of_one_repository_share_a_mirror() {
    let remote = Remote::new(&[("Dockerfile", "FROM main:1\n")]);
    git(&remote.work(), &["push", "--quiet", "origin", "HEAD:other", "HEAD:third"]);
    let cache = tempfile::tempdir().unwrap();
    let sources = GitSources::new(GitProgram::new([Protocol::File]), cache.path());
    let path = [RepoPath::parse("Dockerfile").unwrap()];
    let branch = |name: &str| SourceBranch { url: remote.url(), branch: Some(name.to_owned()), forge: None };
    let (main, other, third) = (branch("main"), branch("other"), branch("third"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let read =
        runtime.block_on(async { tokio::join!(sources.read(&main, &path), sources.read(&other, &path), sources.read(&third, &path)) });
    for answer in [read.0, read.1, read.2] {
        assert_eq!(answer.unwrap()[&path[0]].as_ref().unwrap().content, b"FROM main:1\n");
    }
    let mirrors = std::fs::read_dir(cache.path().join("sources/git")).unwrap();
    let mirrors: Vec<_> = mirrors.map(|entry| entry.unwrap().file_name()).filter(|name| name.to_string_lossy().ends_with(".git")).collect();
    assert_eq!(mirrors.len(), 1, "{mirrors:?}");
}
