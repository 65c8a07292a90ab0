//! The ports of one process of the simulation. Every call is a place where another process may go on, where a
//! fault may strike, and where this process may die.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll::base::{Class, Fault};
use plimsoll::model::{BlobId, CommitId, Digest, ImageReference, RepoPath, Snapshot};
use plimsoll::ports::forge::{Dispatch, Forge, Found, PullRequest, Run, Sent, Workflow, WorkflowFacts};
use plimsoll::ports::images::{ImageFacts, Images, Look, Material};
use plimsoll::ports::{
    Answer, Clock, CommitFacts, Listing, Proposal, Publication, Registry, Repository, SourceAnswer, SourceBranch, SourceFile, Sources,
};

use super::super::fake::FakeRepository;
use super::outside::{Outside, SimRun, at};

/// One process's view of the world.
pub struct Ports<'a> {
    pub repository: &'a FakeRepository,
    pub outside: &'a std::sync::Mutex<Outside>,
    /// It died: its calls never end.
    pub dead: AtomicBool,
}

/// Gives way once, or for ever.
struct GiveWay {
    forever: bool,
    done: bool,
}

impl Future for GiveWay {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.forever {
            return Poll::Pending;
        }
        if self.done {
            return Poll::Ready(());
        }
        self.done = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Ports<'_> {
    fn outside<T>(&self, use_it: impl FnOnce(&mut Outside) -> T) -> T {
        use_it(&mut self.outside.lock().unwrap())
    }

    /// Where others may go on, and where this process may die.
    async fn turn(&self) {
        let (dies, switches) = self.outside(|outside| {
            let faults = outside.faults;
            (outside.random.chance(faults.crash), outside.random.chance(faults.switch))
        });
        if dies {
            self.dead.store(true, Ordering::Relaxed);
        }
        GiveWay { forever: self.dead.load(Ordering::Relaxed), done: !switches }.await;
    }

    /// A turn, then perhaps a fault.
    async fn read(&self) -> Result<(), Fault> {
        self.turn().await;
        let fails = self.outside(|outside| outside.random.chance(outside.faults.read));
        if fails { Err(Fault::new(Class::Transient, "no answer")) } else { Ok(()) }
    }
}

impl Repository for Ports<'_> {
    fn snapshot(&self) -> Answer<'_, Result<Snapshot, Fault>> {
        Box::pin(async move {
            self.read().await?;
            self.repository.snapshot().await
        })
    }

    fn list(&self, commit: &CommitId, paths: &[&str]) -> Result<Listing, Fault> {
        self.repository.list(commit, paths)
    }

    fn read(&self, blob: &BlobId, limit: u64) -> Result<Vec<u8>, Fault> {
        self.repository.read(blob, limit)
    }

    fn facts(&self, commit: &CommitId) -> Result<CommitFacts, Fault> {
        self.repository.facts(commit)
    }

    fn blob_id(&self, content: &[u8]) -> Result<BlobId, Fault> {
        self.repository.blob_id(content)
    }

    fn publish<'b>(&'b self, proposal: &'b Proposal) -> Answer<'b, Result<Publication, Fault>> {
        Box::pin(async move {
            self.turn().await;
            let lost = self.outside(|outside| outside.random.chance(outside.faults.read));
            if lost && self.outside(|outside| outside.random.chance(50)) {
                return Err(Fault::new(Class::Transient, "the push got no answer"));
            }
            let answer = self.repository.publish(proposal).await;
            // It landed, and nobody told us.
            if lost {
                Err(Fault::new(Class::Transient, "the push got no answer"))
            } else {
                self.turn().await;
                answer
            }
        })
    }
}

impl Sources for Ports<'_> {
    fn read<'b>(&'b self, branch: &'b SourceBranch, paths: &'b [RepoPath]) -> Answer<'b, Result<SourceAnswer, Fault>> {
        Box::pin(async move {
            Self::read(self).await?;
            let number: usize = branch.url.rsplit("image").next().unwrap().trim_end_matches(".git").parse().unwrap();
            let lines: String = self.outside(|outside| {
                let on = &outside.plans[number].on;
                let stage = |(place, base): (usize, &String)| {
                    let from = format!("FROM {} AS stage{place}\n", super::outside::reference(base));
                    if place == 0 { from } else { format!("{from}COPY --from=stage{} /a /a\n", place - 1) }
                };
                if on.is_empty() { "FROM scratch\n".to_owned() } else { on.iter().enumerate().map(stage).collect() }
            });
            let commit = CommitId::parse(&"1".repeat(40)).unwrap();
            Ok(paths
                .iter()
                .map(|path| (path.clone(), Ok(SourceFile { commit: commit.clone(), content: lines.clone().into_bytes() })))
                .collect())
        })
    }
}

impl Registry for Ports<'_> {
    fn digest<'b>(&'b self, reference: &'b ImageReference) -> Answer<'b, Result<Digest, Fault>> {
        Box::pin(async move {
            Self::read(self).await?;
            self.outside(|outside| {
                if outside.dead.contains(&reference.canonical()) {
                    return Err(Fault::new(Class::Transient, "no answer"));
                }
                at(outside, reference).ok_or_else(|| Fault::new(Class::Missing, "no such tag"))
            })
        })
    }
}

impl Images for Ports<'_> {
    fn tags<'b>(&'b self, _: &'b str, _: &'b str) -> Answer<'b, Result<Vec<String>, Fault>> {
        Box::pin(async move { Ok(Vec::new()) })
    }

    fn look<'b>(&'b self, reference: &'b ImageReference) -> Answer<'b, Result<Look, Fault>> {
        Box::pin(async move {
            let digest = self.digest(reference).await?;
            let platforms = self.outside(|outside| outside.platforms.get(&digest).cloned().unwrap_or_default());
            Ok(Look { digest, media_type: "application/vnd.oci.image.index.v1+json".into(), platforms })
        })
    }

    fn image<'b>(&'b self, reference: &'b ImageReference, _: Option<&'b str>) -> Answer<'b, Result<ImageFacts, Fault>> {
        Box::pin(async move {
            let digest = self.digest(reference).await?;
            let built = self.outside(|outside| outside.images.get(&digest).cloned()).ok_or_else(|| Fault::new(Class::Missing, "gone"))?;
            Ok(ImageFacts { digest, platform: "linux/amd64".into(), labels: built.labels, layers: built.layers, created: None })
        })
    }

    fn provenance<'b>(&'b self, _: &'b ImageReference, _: Option<&'b str>) -> Answer<'b, Result<Option<Vec<Material>>, Fault>> {
        Box::pin(async move { Ok(None) })
    }
}

fn number(workflow: &Workflow) -> usize {
    workflow.repo.rsplit("image").next().unwrap().parse().unwrap()
}

fn seen(index: usize, run: &SimRun) -> Run {
    Run { id: index.to_string(), url: None, status: run.status() }
}

impl Forge for Ports<'_> {
    fn workflow<'b>(&'b self, _: &'b Workflow) -> Answer<'b, Result<WorkflowFacts, Fault>> {
        Box::pin(async move { Ok(WorkflowFacts::default()) })
    }

    fn dispatch<'b>(&'b self, dispatch: &'b Dispatch) -> Answer<'b, Result<Sent, Fault>> {
        Box::pin(async move {
            self.turn().await;
            let image = number(&dispatch.workflow);
            let (lost, refused, taken) = self.outside(|outside| {
                let faults = outside.faults;
                (outside.random.chance(faults.lost), outside.random.chance(faults.refused), outside.random.chance(50))
            });
            if refused {
                return Err(Fault::new(Class::Refused, "422 unexpected inputs"));
            }
            if lost && !taken {
                return Err(Fault::new(Class::Transient, "no answer"));
            }
            let index = self.outside(|outside| outside.take(image, &dispatch.key));
            // A crash here is the one that matters most: it was taken, and nobody knows.
            self.turn().await;
            if lost {
                return Err(Fault::new(Class::Transient, "no answer"));
            }
            let gives_id = self.outside(|outside| outside.plans[image].gives_id);
            Ok(if gives_id { Sent::Run(index.to_string()) } else { Sent::Accepted })
        })
    }

    fn find<'b>(&'b self, workflow: &'b Workflow, key: &'b str, since: Timestamp) -> Answer<'b, Result<Found, Fault>> {
        Box::pin(async move {
            Self::read(self).await?;
            self.outside(|outside| {
                if !outside.plans[number(workflow)].prints_key {
                    return Ok(Found::Inconclusive("the workflow prints no key".into()));
                }
                let fits = |run: &SimRun| run.key == key && run.visible_at <= outside.now && run.taken_at >= since;
                let found = outside.runs.iter().enumerate().find(|(_, run)| fits(run));
                Ok(found.map_or(Found::Absent, |(index, run)| Found::Run(seen(index, run))))
            })
        })
    }

    fn run<'b>(&'b self, _: &'b Workflow, id: &'b str) -> Answer<'b, Result<Run, Fault>> {
        Box::pin(async move {
            Self::read(self).await?;
            let index: usize = id.parse().unwrap();
            self.outside(|outside| outside.runs.get(index).map(|run| seen(index, run)))
                .ok_or_else(|| Fault::new(Class::Missing, "no such run"))
        })
    }

    fn propose<'b>(&'b self, _: &'b PullRequest) -> Answer<'b, Result<String, Fault>> {
        Box::pin(async move { Err(Fault::new(Class::Refused, "no pull requests here")) })
    }
}

impl Clock for Ports<'_> {
    fn now(&self) -> Timestamp {
        self.outside(|outside| outside.now)
    }

    fn monotonic(&self) -> Duration {
        let since = self.now().duration_since(Timestamp::UNIX_EPOCH);
        Duration::try_from(since).unwrap()
    }

    fn sleep(&self, _: Duration) -> Answer<'_, ()> {
        Box::pin(async move {
            // A pause after a lost race lets a little time pass for everybody.
            self.outside(|outside| outside.wait(SignedDuration::from_secs(1)));
            self.turn().await;
        })
    }
}
