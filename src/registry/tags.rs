//! Tag lists: pages followed to their end, or refused whole.

use std::collections::{BTreeSet, HashSet};

use reqwest::StatusCode;
use reqwest::header::{ETAG, HeaderValue, LINK};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};
use url::{Position, Url};

use super::RegistryClient;
use super::cache::Kind;
use super::exchange::{Request, refusal};
use super::limit::Limit;
use super::link;
use super::place::{Place, is_tag};
use super::trouble::Trouble;
use crate::base::{Class, Fault};

/// Tags asked for at a time. Registries may send more, or fewer.
const PAGE: usize = 1000;

/// Most pages of one list.
const MOST_PAGES: usize = 1000;

/// Most bytes of all pages of one list.
const MOST_BYTES: usize = 64 << 20;

/// Pages in a row that bring nothing new before the list counts as endless.
const BARREN: u32 = 3;

/// How many times longer than one question a whole list may take.
const PATIENCE: u32 = 10;

/// One page, as it is kept with the validator it came with.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Page {
    etag: Option<String>,
    tags: Vec<String>,
    /// Where the next page is, when the registry says.
    next: Option<String>,
}

/// What came of asking for a page.
enum Asked {
    /// The page, and the bytes it took.
    Page(Page, usize),
    /// The registry does not want to be asked this way (400, 405, 406), and what that would be as a fault.
    Unwanted(Trouble),
}

/// A registry's answer (distribution specification, "Listing Tags"). An empty list is `null` at some.
#[derive(Deserialize)]
struct Wording {
    tags: Option<Vec<String>>,
}

impl RegistryClient {
    /// Every tag of a repository, sorted, from the registry itself: a mirror may list only what it holds.
    pub(super) async fn tag_list(&self, registry: &str, repository: &str) -> Result<Vec<String>, Fault> {
        let places = self.places(registry, repository)?;
        let place = places.last().ok_or_else(|| Fault::new(Class::Internal, "nobody was asked"))?;
        let patience = self.wire.options().total_timeout.saturating_mul(PATIENCE);
        timeout_at(Instant::now() + patience, self.pages(place))
            .await
            .unwrap_or_else(|_| Err(Fault::new(Class::Limit, format!("the tag list was not complete within {} s", patience.as_secs_f64()))))
    }

    async fn pages(&self, place: &Place) -> Result<Vec<String>, Fault> {
        let host = &place.endpoint.authority;
        let mut url = place.tags()?;
        url.set_query(Some(&format!("n={PAGE}")));
        let (mut tags, mut seen, mut left, mut barren) = (BTreeSet::new(), HashSet::new(), MOST_BYTES, 0);
        // Whether `url` is the registry's own words, so that a refusal of it is one.
        let mut own_words = false;
        loop {
            if !seen.insert(url.to_string()) {
                return Err(Fault::new(Class::Malformed, format!("{host} links the pages of its tag list in a circle")));
            }
            let page = match self.asked(place, |limit| self.page(place, &url, left, limit)).await? {
                Asked::Page(page, bytes) => {
                    left = left.saturating_sub(bytes);
                    page
                }
                Asked::Unwanted(_) if !own_words && seen.len() == 1 => {
                    // Quay once refused to be told how many, and took the question without a number.
                    url.set_query(None);
                    own_words = true;
                    continue;
                }
                // It knows no `last` (ECR wants its own cursor), and linked to nothing: the list was complete.
                Asked::Unwanted(_) if !own_words => break,
                Asked::Unwanted(trouble) => return Err(trouble.fault),
            };
            let (before, last, count) = (tags.len(), page.tags.iter().max().cloned(), page.tags.len());
            tags.extend(page.tags.into_iter().filter(|tag| is_tag(tag)));
            if tags.len() > self.wire.options().most_tags {
                return Err(Fault::new(Class::Limit, format!("there are more than {} tags", self.wire.options().most_tags))
                    .hint("raise --most-tags, or name a tag"));
            }
            own_words = page.next.is_some();
            let Some(next) = next(&url, page.next.as_deref(), count, last.as_deref())? else { break };
            barren = if tags.len() == before { barren + 1 } else { 0 };
            if barren > 0 && !own_words {
                // It knows no pages, and sent the whole list again.
                break;
            }
            if barren >= BARREN {
                return Err(Fault::new(Class::Malformed, format!("{host} links page after page without a new tag")));
            }
            if seen.len() >= MOST_PAGES {
                return Err(Fault::new(Class::Limit, format!("{host} sends more than {MOST_PAGES} pages of tags")));
            }
            url = next;
        }
        Ok(tags.into_iter().collect())
    }

    /// One page. One that was kept is used when the registry says that it still holds.
    async fn page(&self, place: &Place, url: &Url, most: usize, limit: Limit) -> Result<Asked, Trouble> {
        let mut request = Request::get(url[Position::BeforePath..Position::AfterQuery].to_owned(), "application/json", limit);
        let mut kept: Option<Page> = match &self.cache {
            Some(cache) => cache.note(Kind::List, url.as_str()).await,
            None => None,
        };
        request.validator = kept.as_ref().and_then(|page| HeaderValue::from_str(page.etag.as_ref()?).ok());
        let reply = self.authorized(place, &request).await?;
        if reply.status == StatusCode::NOT_MODIFIED
            && let Some(page) = kept.take().filter(|_| request.validator.is_some())
        {
            return Ok(Asked::Page(page, 0));
        }
        if matches!(reply.status.as_u16(), 400 | 405 | 406) {
            return Ok(Asked::Unwanted(refusal(&reply)));
        }
        if reply.status != StatusCode::OK {
            return Err(refusal(&reply));
        }
        let malformed = |why: &str| Trouble::last(Class::Malformed, format!("{} {why}", place.endpoint.authority));
        let links = reply.headers().get_all(LINK);
        let next = link::next(url, links.iter().filter_map(|value| value.to_str().ok())).map_err(malformed)?;
        let etag = reply.headers().get(ETAG).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = reply.body(most).await?;
        let wording: Wording = serde_json::from_slice(&body).map_err(|_| malformed("sent what is no tag list"))?;
        let page = Page { etag, tags: wording.tags.unwrap_or_default(), next: next.map(String::from) };
        if let Some(cache) = self.cache.as_ref().filter(|_| page.etag.is_some()) {
            cache.keep_note(Kind::List, url.as_str(), &page).await;
        }
        Ok(Asked::Page(page, body.len()))
    }
}

/// The next page's URL: the registry's own link, else by `last` after a page that is exactly as long as was asked for.
/// A shorter one is the end, and a longer one comes from a registry that knows no pages.
fn next(url: &Url, linked: Option<&str>, count: usize, last: Option<&str>) -> Result<Option<Url>, Fault> {
    if let Some(linked) = linked {
        let next = Url::parse(linked).ok().filter(|next| next.origin() == url.origin());
        return next.map(Some).ok_or_else(|| Fault::new(Class::Malformed, "the next page is no URL of the same host"));
    }
    let Some(last) = last.filter(|_| count == PAGE) else { return Ok(None) };
    let mut next = url.clone();
    next.query_pairs_mut().clear().append_pair("n", &PAGE.to_string()).append_pair("last", last);
    Ok(Some(next))
}
