//! What each fuzz target does with its bytes. The test suite runs the kept corpora through the same functions.
//!
//! `cargo +nightly fuzz run dockerfile` (and `reference`, `tags`, `images_yaml`, `state_file`, `challenge`, `link`)
//! goes on for as long as it is left; what it finds interesting goes into `corpus`.

use plimsoll::format::dockerfile::{BuildOptions, read};
use plimsoll::format::{images_yaml, inspect, state_file};
use plimsoll::model::{ImageName, ImageReference};
use plimsoll::registry::{challenge, link};
use url::Url;

/// Longest header value that is read; longer ones are cut, or passed over.
const LONGEST_HEADER: usize = 8 * 1024;

/// A Dockerfile of any bytes is read or refused; every image found is a reference that reads as itself.
pub fn dockerfile(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut options = BuildOptions::default();
    // Two shapes of a build: bare, and with an argument and a target of the file's own first letters.
    if let Ok(file) = read(&text, &options) {
        for used in &file.images {
            assert_eq!(ImageReference::parse(&used.image.canonical()).as_ref(), Ok(&used.image));
            assert!(used.line > 0 && used.stage < file.stages.len());
        }
        options.target = file.stages.iter().find_map(|stage| stage.name.clone());
        options.build_args = file.global_args.into_iter().map(|arg| (arg.name, "1".to_owned())).collect();
        let _ = read(&text, &options);
    }
}

/// A reference of any text prints in two forms that both read as itself.
pub fn reference(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(image) = ImageReference::parse(&text) {
        assert_eq!(ImageReference::parse(&image.canonical()).as_ref(), Ok(&image));
        assert_eq!(ImageReference::parse(&image.familiar()).as_ref(), Ok(&image));
    }
}

/// Scenarios of tags are answered or refused; a range alone is read whatever it is.
pub fn tags(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = inspect::tags(&text);
    if let Some(range) = plimsoll::model::tags::Range::parse(&text)
        && let Some(version) = plimsoll::model::tags::Version::parse(text.split(' ').next().unwrap_or_default())
    {
        let _ = range.holds(&version);
    }
}

/// Entries of any bytes are read or refused, each on its own.
pub fn images_yaml(bytes: &[u8]) {
    let _ = images_yaml::read("images.yaml", bytes);
    let _ = images_yaml::read_one("images.d/a.yaml", bytes);
}

/// What is read from a state file and written reads again, and the second writing is the last that changes it.
pub fn state_file(bytes: &[u8]) {
    let Ok(name) = ImageName::parse("a") else { return };
    settles(bytes, |bytes| state_file::read_image(&name, bytes).ok().map(|state| state_file::write_image(&state)));
    settles(bytes, |bytes| state_file::read_base(&name, bytes).ok().map(|state| state_file::write_base(&state)));
}

/// A `WWW-Authenticate` header of any text is read as challenges that print as a header which reads as the same ones.
pub fn challenge(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let found = challenge::parse(&text);
    for challenge in &found {
        assert!(!challenge.scheme.is_empty() && challenge.scheme == challenge.scheme.to_ascii_lowercase());
        assert!(challenge.params.values().all(|value| !value.chars().any(|c| c.is_control() && c != '\t')));
    }
    let printed = found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    // Quoting makes a text longer, and what is too long is cut.
    assert!(printed.len() > LONGEST_HEADER || challenge::parse(&printed) == found, "{printed}");
}

/// `Link` headers, one a line, on pages of several registries: a next page is on the page's own origin, names no user, and
/// is found again when it is linked to as it is printed.
pub fn link(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for page in ["https://r.example:5000/v2/a/tags/list?n=2", "https://r.example/v2/a/tags/list", "http://[::1]:5000/v2/a/tags/list"] {
        let Ok(page) = Url::parse(page) else { continue };
        let Ok(Some(next)) = link::next(&page, text.lines()) else { continue };
        assert_eq!((next.scheme(), next.host(), next.port()), (page.scheme(), page.host(), page.port()), "{next}");
        assert!(next.username().is_empty() && next.password().is_none(), "{next}");
        let printed = format!("<{next}>; rel=\"next\"");
        assert!(printed.len() > LONGEST_HEADER || link::next(&page, [printed.as_str()].into_iter()) == Ok(Some(next)), "{printed}");
    }
}

fn settles(bytes: &[u8], written: impl Fn(&[u8]) -> Option<String>) {
    let Some(first) = written(bytes) else { return };
    let second = written(first.as_bytes());
    assert!(second.is_some(), "what was written can't be read: {first}");
    assert_eq!(second.as_deref().and_then(|second| written(second.as_bytes())), second);
}
