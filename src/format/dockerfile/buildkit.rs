//! What only BuildKit can build.

use super::{flags, heredoc, lines};

/// Flags that the engine's classic builder does not know, by instruction.
const FLAGS: [(&str, &[(&str, &str)]); 3] = [
    ("RUN", &[("mount", "RUN --mount"), ("network", "RUN --network"), ("security", "RUN --security"), ("device", "RUN --device")]),
    ("COPY", &[("link", "COPY --link"), ("chmod", "COPY --chmod"), ("parents", "COPY --parents"), ("exclude", "COPY --exclude")]),
    (
        "ADD",
        &[
            ("link", "ADD --link"),
            ("chmod", "ADD --chmod"),
            ("checksum", "ADD --checksum"),
            ("keep-git-dir", "ADD --keep-git-dir"),
            ("exclude", "ADD --exclude"),
            ("unpack", "ADD --unpack"),
        ],
    ),
];

/// The first thing in a Dockerfile that the classic builder can't build, with its line. A classic builder reads
/// the body of a heredoc as instructions, so its own words about it lead nowhere. Nothing for a file that no
/// builder reads.
pub fn needs_buildkit(text: &str) -> Option<(usize, &'static str)> {
    let file = lines::instructions(text).ok()?;
    file.list.iter().find_map(|instruction| {
        if !heredoc::of(instruction, file.escape).is_empty() {
            return Some((instruction.line, "a heredoc"));
        }
        let (_, known) = FLAGS.iter().find(|(word, _)| *word == instruction.word)?;
        let (given, _) = flags::split(&instruction.rest, file.escape);
        let (_, told) = known.iter().find(|(name, _)| flags::value(&given, name).is_some())?;
        Some((instruction.line, *told))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_buildkit_can_build() {
        for (text, expected) in [
            ("FROM a\nRUN <<EOF\nx\nEOF\n", Some((2, "a heredoc"))),
            ("FROM a\nRUN --mount=type=cache,target=/x true\n", Some((2, "RUN --mount"))),
            ("FROM a\n\nCOPY --chown=1 --chmod=1 a b\n", Some((3, "COPY --chmod"))),
            ("FROM a\nCOPY --from=b --chown=1 a b\nRUN echo a<<1\n", None),
            ("", None),
        ] {
            assert_eq!(needs_buildkit(text), expected, "{text}");
        }
    }
}
