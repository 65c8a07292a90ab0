//! Keeps a cache directory within its size.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How names of files begin that are still being written.
pub(super) const UNFINISHED: &str = ".unfinished-";

/// A file still being written after this time belongs to a process that was killed.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Directories whose files are never evicted: notes on how long hosts want quiet, one small file a host.
const STAYS: [&str; 1] = ["waits"];

/// Removes the files used longest ago until three quarters of `most` bytes are left, if there are more than `most`; and
/// what killed processes left behind. Errors are passed over: the next measuring finds the same files again.
pub(super) fn down_to(root: &Path, most: u64, now: SystemTime) {
    let mut files = Vec::new();
    let mut total = 0_u64;
    let mut open = vec![root.to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            // Of the entry itself: a link is not followed.
            let Ok(found) = entry.metadata() else { continue };
            if found.is_dir() {
                open.push(entry.path());
                continue;
            }
            let modified = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                if now.duration_since(modified).is_ok_and(|age| age > ABANDONED) {
                    let _gone = fs::remove_file(entry.path());
                }
            } else if !stays(root, &entry.path()) {
                total = total.saturating_add(found.len());
                files.push((modified, found.len(), entry.path()));
            }
        }
    }
    if total <= most {
        return;
    }
    files.sort();
    for (_, length, path) in files {
        if total <= most / 4 * 3 {
            return;
        }
        if fs::remove_file(path).is_ok() {
            total = total.saturating_sub(length);
        }
    }
}

fn stays(root: &Path, path: &Path) -> bool {
    let under = |name: &&str| -> PathBuf { root.join(name) };
    STAYS.iter().any(|name| path.starts_with(under(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let now = SystemTime::now();
        let put = |name: &str, bytes: usize, age: u64| {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, vec![b'x'; bytes]).unwrap();
            fs::File::options().write(true).open(&path).unwrap().set_modified(now - Duration::from_secs(age)).unwrap();
        };
        let left = || {
            let names = ["content/a", "content/b", "tags/c", "waits/d", "content/.unfinished-e", "content/.unfinished-f"];
            names.into_iter().filter(|name| root.join(name).exists()).collect::<Vec<_>>()
        };
        put("content/a", 400, 500);
        put("content/b", 400, 100);
        put("tags/c", 100, 900);
        put("waits/d", 900, 9000);
        put("content/.unfinished-e", 1, 4000);
        put("content/.unfinished-f", 1, 10);
        down_to(root, 900, now);
        assert_eq!(left(), ["content/a", "content/b", "tags/c", "waits/d", "content/.unfinished-f"]);
        put("content/b", 401, 100);
        down_to(root, 900, now);
        assert_eq!(left(), ["content/b", "waits/d", "content/.unfinished-f"]);
    }
}
