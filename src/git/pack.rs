//! Writes objects as one pack file: no loose objects, no deltas, so that a thousand small files cost one
//! file and no search. The format is git's `gitformat-pack`, version 2.

use std::collections::BTreeSet;
use std::io::Write;

use flate2::{Compress, Compression, FlushCompress};
use git2::{ObjectType, Odb, Oid};
use sha1::{Digest as _, Sha1};

/// Objects on their way into a pack, each once.
pub(super) struct Pack {
    bytes: Vec<u8>,
    ids: BTreeSet<Oid>,
    deflate: Compress,
}

impl Pack {
    pub(super) fn new() -> Self {
        // The count is filled in at the end.
        Self { bytes: b"PACK\0\0\0\x02\0\0\0\0".to_vec(), ids: BTreeSet::new(), deflate: Compress::new(Compression::fast(), true) }
    }

    /// Adds an object and gives its id.
    pub(super) fn add(&mut self, kind: ObjectType, content: &[u8]) -> Result<Oid, git2::Error> {
        let id = Oid::hash_object(kind, content)?;
        if !self.ids.insert(id) {
            return Ok(id);
        }
        let number: u8 = match kind {
            ObjectType::Commit => 1,
            ObjectType::Tree => 2,
            _ => 3,
        };
        let mut size = content.len();
        let mut byte = (number << 4) | low(size, 4);
        size >>= 4;
        while size > 0 {
            self.bytes.push(byte | 0x80);
            byte = low(size, 7);
            size >>= 7;
        }
        self.bytes.push(byte);
        self.deflate(content).map_err(|error| git2::Error::from_str(&error.to_string()))?;
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

    /// Writes the pack and its index into `odb`. A kill leaves a temporary file that nothing reads.
    pub(super) fn write(mut self, odb: &Odb<'_>) -> Result<(), git2::Error> {
        let count = u32::try_from(self.ids.len()).map_err(|_| git2::Error::from_str("too many objects"))?;
        if let Some(place) = self.bytes.get_mut(8..12) {
            place.copy_from_slice(&count.to_be_bytes());
        }
        let checksum = Sha1::digest(&self.bytes);
        self.bytes.extend_from_slice(&checksum);
        let mut writer = odb.packwriter()?;
        writer.write_all(&self.bytes).map_err(|error| git2::Error::from_str(&error.to_string()))?;
        writer.commit().map(drop)
    }
}

/// The lowest bits of a number.
fn low(number: usize, bits: u32) -> u8 {
    u8::try_from(number & ((1 << bits) - 1)).unwrap_or_default()
}
