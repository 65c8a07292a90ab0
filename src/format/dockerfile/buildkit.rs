//! What only BuildKit can build.

use super::node::Verb;
use super::{flags, lines};

/// Flags that the engine's classic builder does not know, by instruction.
const FLAGS: [(Verb, &[(&str, &str)]); 3] = [
    (Verb::Run, &[("mount", "RUN --mount"), ("network", "RUN --network"), ("security", "RUN --security"), ("device", "RUN --device")]),
    (Verb::Copy, &[("link", "COPY --link"), ("chmod", "COPY --chmod"), ("parents", "COPY --parents"), ("exclude", "COPY --exclude")]),
    (
        Verb::Add,
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
    lines::parse(text).ok()?.nodes.iter().find_map(|node| {
        if !node.heredocs.is_empty() {
            return Some((node.line, "a heredoc"));
        }
        let (_, known) = FLAGS.iter().find(|(verb, _)| *verb == node.verb)?;
        let (_, told) = known.iter().find(|(name, _)| flags::stands(node, name))?;
        Some((node.line, *told))
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
