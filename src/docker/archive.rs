//! A build context as a tar archive: the same files give the same bytes.

use tar::{Builder, EntryType, Header};

use crate::base::{Class, Fault};
use crate::ports::context::{Content, Context};

/// Regular files and links, owned by root, dated to the epoch: an engine's build cache looks at content alone.
pub(super) fn tar(context: &Context) -> Result<Vec<u8>, Fault> {
    let mut archive = Builder::new(Vec::new());
    for (path, file) in &context.files {
        let mut header = Header::new_gnu();
        let added = match &file.content {
            Content::File { bytes, executable } => {
                header.set_mode(if *executable { 0o755 } else { 0o644 });
                header.set_size(bytes.len() as u64);
                archive.append_data(&mut header, path, bytes.as_slice())
            }
            Content::Link(target) => {
                header.set_entry_type(EntryType::Symlink);
                header.set_mode(0o777);
                header.set_size(0);
                archive.append_link(&mut header, path, target)
            }
        };
        added.map_err(|error| Fault::new(Class::Config, format!("{path} can't be put into an archive: {error}")))?;
    }
    archive.into_inner().map_err(|error| Fault::new(Class::Internal, format!("the build context's archive: {error}")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use super::*;
    use crate::model::{BlobId, CommitId, RepoPath};
    use crate::ports::context::ContextFile;

    #[test]
    fn files_links_and_long_names_come_back() {
        let long = format!("{}/x", "d".repeat(120));
        let blob = BlobId::parse(&"a".repeat(40)).unwrap();
        let file = |content| ContextFile { blob: blob.clone(), content };
        let files = BTreeMap::from([
            ("Dockerfile".to_owned(), file(Content::File { bytes: b"FROM a\n".to_vec(), executable: false })),
            (long.clone(), file(Content::File { bytes: b"1".to_vec(), executable: true })),
            ("link".to_owned(), file(Content::Link("Dockerfile".to_owned()))),
        ]);
        let context =
            Context { commit: CommitId::parse(&"b".repeat(40)).unwrap(), files, dockerfile: RepoPath::parse("Dockerfile").unwrap() };
        let bytes = tar(&context).unwrap();
        assert_eq!(bytes, tar(&context).unwrap());
        let mut seen = Vec::new();
        for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let (path, mode) = (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap());
            let link = entry.link_name().unwrap().map(|target| target.display().to_string());
            let mut body = String::new();
            entry.read_to_string(&mut body).unwrap();
            seen.push((path, mode, link, body));
        }
        assert_eq!(
            seen,
            [
                ("Dockerfile".to_owned(), 0o644, None, "FROM a\n".to_owned()),
                (long, 0o755, None, "1".to_owned()),
                ("link".to_owned(), 0o777, Some("Dockerfile".to_owned()), String::new()),
            ]
        );
    }
}
