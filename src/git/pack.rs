//! Writes objects as one pack and its index: no loose objects, no deltas, so that a thousand small files
//! cost two files and no search. The formats are git's `gitformat-pack`, version 2 of both.
//!
//! libgit2 could index the pack, at the price of inflating and hashing again what was just deflated and
//! hashed here; for two thousand files that was a third of a pass.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::{Compress, Compression, Crc, FlushCompress};
use git2::Oid;
use sha1::{Digest as _, Sha1};

use crate::base::{Class, Fault};

/// What an object is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Commit = 1,
    Tree = 2,
    Blob = 3,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
        }
    }
}

/// The id that an object has.
pub(super) fn id(kind: Kind, content: &[u8]) -> Result<Oid, git2::Error> {
    let mut hash = Sha1::new();
    hash.update(format!("{} {}\0", kind.word(), content.len()));
    hash.update(content);
    Oid::from_bytes(&hash.finalize())
}

/// Objects on their way into a pack, each once.
pub(super) struct Pack {
    bytes: Vec<u8>,
    /// Where each object begins, and the checksum of its bytes in the pack.
    places: BTreeMap<Oid, (u32, u32)>,
    deflate: Compress,
}

impl Pack {
    pub(super) fn new() -> Self {
        // The count is filled in at the end.
        Self { bytes: b"PACK\0\0\0\x02\0\0\0\0".to_vec(), places: BTreeMap::new(), deflate: Compress::new(Compression::fast(), true) }
    }

    /// Adds an object and gives its id.
    pub(super) fn add(&mut self, kind: Kind, content: &[u8]) -> Result<Oid, git2::Error> {
        let id = id(kind, content)?;
        if self.places.contains_key(&id) {
            return Ok(id);
        }
        let start = self.bytes.len();
        let place = u32::try_from(start)
            .ok()
            .filter(|place| *place < 1 << 31)
            .ok_or_else(|| git2::Error::from_str("more than 2 GiB of changes"))?;
        let mut size = content.len();
        let mut byte = ((kind as u8) << 4) | low(size, 4);
        size >>= 4;
        while size > 0 {
            self.bytes.push(byte | 0x80);
            byte = low(size, 7);
            size >>= 7;
        }
        self.bytes.push(byte);
        self.deflate(content).map_err(|error| git2::Error::from_str(&error.to_string()))?;
        let mut crc = Crc::new();
        crc.update(self.bytes.get(start..).unwrap_or_default());
        self.places.insert(id, (place, crc.sum()));
        Ok(id)
    }

    fn deflate(&mut self, content: &[u8]) -> Result<(), flate2::CompressError> {
        // One compressor for all objects: setting one up costs more than a small file.
        self.deflate.reset();
        let mut rest = content;
        loop {
            self.bytes.reserve(rest.len() / 2 + 64);
            let before = self.deflate.total_in();
            let status = self.deflate.compress_vec(rest, &mut self.bytes, FlushCompress::Finish)?;
            let taken = usize::try_from(self.deflate.total_in() - before).unwrap_or(rest.len());
            rest = rest.get(taken..).unwrap_or_default();
            if status == flate2::Status::StreamEnd {
                return Ok(());
            }
        }
    }

    /// Writes the pack and its index below `objects`. git reads a pack only once its index is there, and the
    /// index comes last, by a rename: a kill leaves a file that nothing reads.
    pub(super) fn write(mut self, objects: &Path) -> Result<(), Fault> {
        let count = u32::try_from(self.places.len()).map_err(|_| Fault::new(Class::Limit, "too many objects for one pack"))?;
        if let Some(place) = self.bytes.get_mut(8..12) {
            place.copy_from_slice(&count.to_be_bytes());
        }
        let checksum = Sha1::digest(&self.bytes);
        self.bytes.extend_from_slice(&checksum);
        let index = self.index(count, &checksum);
        let directory = objects.join("pack");
        let name: String = crate::base::Fingerprint::of(&format!("{checksum:x}")).hex(20);
        let local = |error: std::io::Error| {
            Fault::new(Class::Local, format!("{}: {error}", directory.display()))
                .hint("nothing was published; free space or correct the permissions, then run again")
        };
        fs::create_dir_all(&directory).map_err(local)?;
        for (extension, content) in [("pack", &self.bytes), ("idx", &index)] {
            write_whole(&directory, &format!("pack-{name}.{extension}"), content).map_err(local)?;
        }
        Ok(())
    }

    fn index(&self, count: u32, checksum: &[u8]) -> Vec<u8> {
        let mut out = b"\xfftOc\0\0\0\x02".to_vec();
        let mut fanout = [0u32; 256];
        for id in self.places.keys() {
            let first = id.as_bytes().first().copied().unwrap_or_default();
            for slot in fanout.iter_mut().skip(usize::from(first)) {
                *slot += 1;
            }
        }
        out.reserve(1100 + 28 * usize::try_from(count).unwrap_or_default());
        out.extend(fanout.iter().flat_map(|number| number.to_be_bytes()));
        out.extend(self.places.keys().flat_map(|id| id.as_bytes().iter().copied()));
        out.extend(self.places.values().flat_map(|(_, crc)| crc.to_be_bytes()));
        out.extend(self.places.values().flat_map(|(place, _)| place.to_be_bytes()));
        out.extend_from_slice(checksum);
        let own = Sha1::digest(&out);
        out.extend_from_slice(&own);
        out
    }
}

/// Writes a file under another name first. Git's objects are read-only files.
fn write_whole(directory: &Path, name: &str, content: &[u8]) -> std::io::Result<()> {
    let mut fresh = tempfile::Builder::new().prefix("tmp_plimsoll_").tempfile_in(directory)?;
    fresh.write_all(content)?;
    fresh.as_file().sync_data()?;
    let mut permissions = fresh.as_file().metadata()?.permissions();
    permissions.set_readonly(true);
    fresh.as_file().set_permissions(permissions)?;
    fresh.persist(directory.join(name)).map(drop).map_err(|error| error.error)
}

/// The lowest bits of a number.
fn low(number: usize, bits: u32) -> u8 {
    u8::try_from(number & ((1 << bits) - 1)).unwrap_or_default()
}
