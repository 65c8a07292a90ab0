//! The client: questions in, answers or faults out, and how often a question is asked again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::auth::Host;
use super::backoff::{RETRIES, WAIT_OUT, jitter};
use super::cache::Cache;
use super::credentials::Credentials;
use super::flights::Flights;
use super::limit::Limit;
use super::options::RegistryOptions;
use super::place::{Place, label, version};
use super::token::Tokens;
use super::trouble::{Again, Trouble};
use super::wire::Wire;
use crate::base::{Class, Fault, fault};
use crate::model::{Digest, ImageReference};
use crate::ports::images::{ImageFacts, Images, Look, Material};
use crate::ports::{Answer, Registry};

/// Where each repository of one registry is.
type Repositories = HashMap<String, Arc<[Place]>>;

/// Repositories remembered at most; beyond, all are forgotten, which costs a look at their names.
const PLACES: usize = 10_000;

/// Asks registries, and nothing more often than it must.
///
/// - A tag's digest by `HEAD` of its manifest, all four media types; `GET` only when a successful `HEAD` names no digest, or
///   `HEAD` itself is refused (405, 501). Never after 404 or 429: Docker Hub counts a `GET` as a pull.
/// - Content that a digest names is asked for once, verified, and kept under `cache` for ever.
/// - A host's first request learns how it wants to be asked; the others wait for it. Tokens are shared.
/// - Transient faults are tried twice more with full jitter. A wait of up to 2 s that the host asks for is waited out;
///   during a longer one (5 s after a 429 that names none) questions to that host answer `Limited` without a request, in
///   later runs too when there is a cache.
/// - After five transient failures in a row a host is asked once every 30 s; the rest answers `Transient` at once.
/// - A refusal that holds for a whole host (wrong password, untrusted token service) stands for 5 minutes.
/// - Mirrors are asked first, but never for tag lists: many list only what they happen to hold.
///
/// Share it behind an `Arc`: what it learned about hosts lives in it. It must be used within a tokio runtime with time and IO.
#[derive(Debug)]
pub struct RegistryClient {
    pub(super) wire: Wire,
    pub(super) credentials: Credentials,
    pub(super) tokens: Tokens,
    pub(super) hosts: Mutex<HashMap<String, Arc<Host>>>,
    pub(super) cache: Option<Arc<Cache>>,
    pub(super) flights: Flights,
    /// By registry and repository, as they were named.
    places: Mutex<HashMap<String, Repositories>>,
    jobs: Semaphore,
}

impl RegistryClient {
    /// A client with nothing learned yet. No request is sent, no credential read.
    ///
    /// # Errors
    /// Class `Config` when the user agent or a certificate file can't be used.
    pub fn new(options: RegistryOptions) -> Result<Self, Fault> {
        let cache = options.cache.as_deref().map(|directory| Arc::new(Cache::new(directory, options.cache_bytes)));
        Ok(Self {
            jobs: Semaphore::new(options.jobs.clamp(1, Semaphore::MAX_PERMITS)),
            credentials: Credentials::new(options.docker_config.as_deref()),
            tokens: Tokens::default(),
            hosts: Mutex::default(),
            flights: Flights::default(),
            places: Mutex::default(),
            wire: Wire::new(options, cache.clone())?,
            cache,
        })
    }

    /// The places of a repository, mirrors first. Names are checked once, and what they mean is remembered.
    pub(super) fn places(&self, registry: &str, repository: &str) -> Result<Arc<[Place]>, Fault> {
        let mut known = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = known.get(registry).and_then(|repositories| repositories.get(repository)) {
            return Ok(Arc::clone(places));
        }
        let places: Arc<[Place]> = Place::all(registry, repository, self.wire.options())?.into();
        if known.values().map(HashMap::len).sum::<usize>() >= PLACES {
            known.clear();
        }
        known.entry(registry.to_owned()).or_default().insert(repository.to_owned(), Arc::clone(&places));
        Ok(places)
    }

    /// Asks each place in turn until one answers. The fault is the last one's, which is the registry's own.
    pub(super) async fn anywhere<'p, T, A>(&self, places: &'p [Place], ask: impl Fn(&'p Place, Limit) -> A) -> Result<T, Fault>
    where
        A: Future<Output = Result<T, Trouble>>,
    {
        let mut told = Fault::new(Class::Internal, "nobody was asked");
        for place in places {
            match self.asked(place, |limit| ask(place, limit)).await {
                Ok(found) => return Ok(found),
                Err(fault) => told = fault,
            }
            if place.mirror {
                tracing::debug!(mirror = place.endpoint.authority, class = %told.class, "the mirror can't tell; asking on");
            }
        }
        Err(told)
    }

    /// One question to one place: a free job, a deadline, and as many tries as make sense.
    pub(super) async fn asked<T, A>(&self, place: &Place, ask: impl Fn(Limit) -> A) -> Result<T, Fault>
    where
        A: Future<Output = Result<T, Trouble>>,
    {
        let _job = self.jobs.acquire().await.map_err(|_| Fault::new(Class::Internal, "the client was closed"))?;
        let time = self.wire.options().total_timeout;
        let limit = Limit::new(time);
        limit.hold(retried(place, || ask(limit.clone()))).await.unwrap_or_else(|| {
            let host = &place.endpoint.authority;
            self.wire.peer(host).gate.failed(Instant::now());
            Err(Fault::new(Class::Transient, format!("no answer from {host} within {} s", time.as_secs_f64())))
        })
    }
}

async fn retried<T, A>(place: &Place, ask: impl Fn() -> A) -> Result<T, Fault>
where
    A: Future<Output = Result<T, Trouble>>,
{
    let mut attempt = 0;
    loop {
        let trouble = match ask().await {
            Ok(found) => return Ok(found),
            Err(trouble) => trouble,
        };
        let wait = match trouble.again {
            Again::Backoff => jitter(attempt),
            // Never early, and not all at the same moment.
            Again::After(wait) if wait <= WAIT_OUT => wait + jitter(0),
            Again::After(_) | Again::Never => return Err(trouble.fault),
        };
        if attempt >= RETRIES {
            return Err(trouble.fault);
        }
        tracing::debug!(host = place.endpoint.authority, ?wait, class = %trouble.fault.class, "asking again");
        sleep(wait).await;
        attempt += 1;
    }
}

impl Registry for RegistryClient {
    fn digest<'a>(&'a self, reference: &'a ImageReference) -> Answer<'a, Result<Digest, Fault>> {
        Box::pin(async move {
            let answer = async {
                let version = version(reference)?;
                let places = self.places(&reference.registry, &reference.repository)?;
                self.anywhere(&places, |place, limit| Box::pin(self.resolved(place, version, reference.digest.as_ref(), limit))).await
            };
            answer.await.map(|found| found.digest).map_err(|fault| fault.of(&label(reference)))
        })
    }
}

impl Images for RegistryClient {
    fn tags<'a>(&'a self, registry: &'a str, repository: &'a str) -> Answer<'a, Result<Vec<String>, Fault>> {
        Box::pin(async move {
            self.tag_list(registry, repository).await.map_err(|told| told.of(&fault::foreign(&format!("{registry}/{repository}"))))
        })
    }

    fn look<'a>(&'a self, reference: &'a ImageReference) -> Answer<'a, Result<Look, Fault>> {
        Box::pin(async move { self.looked(reference).await.map_err(|fault| fault.of(&label(reference))) })
    }

    fn image<'a>(&'a self, reference: &'a ImageReference, platform: Option<&'a str>) -> Answer<'a, Result<ImageFacts, Fault>> {
        Box::pin(async move { self.facts(reference, platform).await.map_err(|fault| fault.of(&label(reference))) })
    }

    fn provenance<'a>(
        &'a self,
        reference: &'a ImageReference,
        platform: Option<&'a str>,
    ) -> Answer<'a, Result<Option<Vec<Material>>, Fault>> {
        Box::pin(async move { self.materials(reference, platform).await.map_err(|fault| fault.of(&label(reference))) })
    }
}
