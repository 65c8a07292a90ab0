//! The key of a rebuild: what makes it one and the same for every Plimsoll that looks at it.

use crate::base::Fingerprint;
use crate::model::{Build, ImageName, Rebuild};

/// Hash of image, workflow, branch, digests and attempt. The image's own digest and the time at which the new
/// content was first seen are in it, so that a base that returns to an earlier digest is another rebuild.
pub(super) fn key(image: &ImageName, build: &Build, rebuild: &Rebuild) -> String {
    let mut hash = Fingerprint::default();
    hash.add(image.as_str());
    hash.add(build.rebuilt_by().word());
    for part in [&build.source.repo, &build.source.workflow, &build.source.branch] {
        hash.add(part.as_deref().unwrap_or_default());
    }
    hash.add(rebuild.from.as_ref().map_or("", |digest| digest.as_str()));
    for (base, digest) in &rebuild.to {
        hash.add(base);
        hash.add(digest.as_str());
    }
    hash.add(&rebuild.content_since.map(|at| at.as_second().to_string()).unwrap_or_default());
    hash.add(&rebuild.attempt.to_string());
    hash.hex(16)
}
