//! Dockerfiles and what they mean, as tables.

use proptest::prelude::*;

use super::*;

fn options(arguments: &[(&str, &str)], target: Option<&str>) -> BuildOptions {
    let build_args = arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    BuildOptions { build_args, target: target.map(str::to_owned), ..BuildOptions::default() }
}

/// The images a build uses in familiar form, or `kind@line`.
fn told(text: &str, options: &BuildOptions) -> String {
    match bases(text, options) {
        Ok(images) => images.iter().map(ImageReference::familiar).collect::<Vec<_>>().join(" "),
        Err(error) => format!("{}@{}", error.kind.word(), error.line),
    }
}

#[test]
fn images_of_a_build() {
    let table: &[(&str, &str)] = &[
        ("FROM alpine\n", "alpine:latest"),
        ("from alpine:3.20 as Build\nRUN x\nFROM build\n", "alpine:3.20"),
        ("FROM scratch\n", ""),
        ("\u{feff}FROM alpine:1\r\nRUN x\r\n", "alpine:1"),
        ("# escape=`\nFROM alp`\nine:1\n", "alpine:1"),
        ("# syntax=docker/dockerfile:1\n# escape=\\\nFROM alpine:1\n", "alpine:1"),
        ("FROM \\\n# a comment\n\n  alpine:1 \\\n  AS x\n", "alpine:1"),
        ("FROM alpine\\\n:3\n", "alpine:3"),
        ("ARG V=3.20\nFROM alpine:${V}\n", "alpine:3.20"),
        ("ARG V=3 W=${V}.1\nFROM alpine:$W\n", "alpine:3.1"),
        ("ARG V\nFROM alpine:${V:-9}\n", "alpine:9"),
        ("FROM alpine:1 AS a\nARG V=2\nFROM alpine:${V:-3}\n", "alpine:3"),
        ("FROM --platform=$BUILDPLATFORM golang:1 AS b\nFROM alpine:1\nCOPY --from=b /x /y\n", "golang:1 alpine:1"),
        ("FROM golang:1 AS unused\nFROM alpine:1\n", "alpine:1"),
        ("FROM a:1\nFROM b:1\nCOPY --from=0 /x /y\n", "a:1 b:1"),
        ("FROM b:1\nCOPY --from=nginx:1 /x /y\n", "b:1 nginx:1"),
        ("FROM b:1\nCOPY --from=NGINX /x /y\nFROM c:1 AS nginx\nFROM d:1\n", "d:1"),
        ("FROM b:1\nRUN --mount=type=bind,from=busybox:1,target=/b true\n", "b:1 busybox:1"),
        ("FROM b:1 AS x\nFROM c:1\nRUN --mount=from=X,target=/b true\n", "b:1 c:1"),
        ("FROM b:1\nRUN --mount=from=0,target=/b true\n", "b:1 0:latest"),
        ("FROM b:1\nRUN <<EOF\nFROM hidden\nEOF\nCOPY --from=c:1 x y\n", "b:1 c:1"),
        ("FROM b:1\nRUN <<-A <<'B'\n\tone\n\tA\ntwo\nB\nUSER x\n", "b:1"),
        ("FROM b:1\nRUN 3<<X cat\nFROM hidden\nX\n", "b:1"),
        ("FROM b:1\nRUN [\"echo\", \"<<EOF\"]\nUSER x\n", "b:1"),
        ("FROM b:1\nRUN echo $((1<<2)) a<<b\nUSER x\n", "b:1"),
        ("FROM b:1\nCOPY <<EOF /x\nFROM hidden\nEOF\n", "b:1"),
        ("FROM b:1\nONBUILD COPY --from=c:1 /x /y\n", "b:1"),
        ("FROM b:1 AS p\nONBUILD COPY --from=c:1 /x /y\nFROM p\n", "b:1 c:1"),
        (
            "FROM localhost:5000/a/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
            "localhost:5000/a/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ),
        ("FROM alpine:1 AS a\nFROM A\n", "reference@2"),
        ("RUN echo a\\\\\nFROM x\n", "no-stage@1"),
        ("FROM b:1\nRUN echo a \\\\\nFROM c:1\n", "c:1"),
    ];
    for (text, expected) in table {
        assert_eq!(told(text, &BuildOptions::default()), *expected, "{text}");
    }
}

#[test]
fn files_that_a_build_refuses() {
    let table: &[(&str, &str)] = &[
        ("", "empty@1"),
        ("# only\n\n", "empty@2"),
        ("# escape=x\nFROM a\n", "directive@1"),
        ("# escape=`\n# escape=`\nFROM a\n", "directive@2"),
        ("ARG A=1\n", "no-stage@1"),
        ("RUN x\nFROM a\n", "no-stage@1"),
        ("FROM a\n\nFORM b\n", "unknown-instruction@3"),
        ("FROM a b\n", "from-syntax@1"),
        ("FROM\n", "from-syntax@1"),
        ("FROM a AS 1x\n", "stage-name@1"),
        ("FROM --foo=1 a\n", "flag@1"),
        ("FROM --platform=a/b --platform=c/d a\n", "flag@1"),
        ("FROM a\nCOPY x\n", "instruction-syntax@2"),
        ("FROM a\nRUN <<EOF\nx\n", "heredoc@2"),
        ("FROM a\nONBUILD FROM b\n", "onbuild@2"),
        ("FROM a\nRUN --mount=type=foo x\n", "mount@2"),
        ("FROM a\nRUN --mount=type=secret,from=b x\n", "mount@2"),
        ("FROM ${A\n", "substitution@1"),
        ("FROM ${A:?needed}\n", "substitution@1"),
        ("FROM ${A}\n", "blank-base@1"),
        ("FROM --platform=a/b/c/d x\n", "platform@1"),
        ("FROM Alpine\n", "reference@1"),
        ("FROM a\nCOPY --from=7 x y\n", "copy-from@2"),
        ("FROM a AS x\nCOPY --from=y x y\nFROM b AS y\nCOPY --from=x x y\n", "stage-order@2"),
    ];
    for (text, expected) in table {
        assert_eq!(told(text, &BuildOptions::default()), *expected, "{text}");
    }
    // What stands before a line that is too long is read first, and a file of nothing else has no instructions.
    assert_eq!(told(&format!("FROM {}", "a".repeat(70_000)), &BuildOptions::default()), "empty@1");
    assert_eq!(told(&format!("FROM a\nRUN {}", "a".repeat(70_000)), &BuildOptions::default()), "line-too-long@2");
    assert_eq!(told("FROM a\n", &options(&[], Some("b"))), "stage-order@1");
}

#[test]
fn substitutions() {
    let table: &[(&str, &str)] = &[
        ("${V}", "v1.2.3"),
        ("$V", "v1.2.3"),
        ("${V#v}", "1.2.3"),
        ("${V%.*}", "v1.2"),
        ("${V%%.*}", "v1"),
        ("${V#*.}", "2.3"),
        ("${V##*.}", "3"),
        ("${V/./-}", "v1-2.3"),
        ("${V//./-}", "v1-2-3"),
        ("${V:+set}", "set"),
        ("${NONE:+set}x", "x"),
        ("${NONE:-d}", "d"),
        ("${EMPTY-d}x", "x"),
        ("${EMPTY:-d}x", "dx"),
        ("${NONE:-${V#v}}", "1.2.3"),
        ("'a'$V\"b\"", "av1.2.3b"),
        ("\\$V", "$V"),
    ];
    for (word, expected) in table {
        let lookup = |name: &str| match name {
            "V" => Some(words::Variable::Set("v1.2.3".to_owned())),
            "EMPTY" => Some(words::Variable::Set(String::new())),
            _ => None,
        };
        assert_eq!(words::Lexer::new('\\', &lookup).text(word).as_deref(), Ok(*expected), "{word}");
    }
}

#[test]
fn build_arguments_and_targets() {
    let text = "ARG BASE=alpine:1\nFROM ${BASE} AS a\nFROM debian:1 AS b\n";
    assert_eq!(told(text, &options(&[("BASE", "busybox:2")], Some("a"))), "busybox:2");
    assert_eq!(told(text, &options(&[], Some("B"))), "debian:1");
    // BuildKit knows targets by name alone.
    assert_eq!(told(text, &options(&[], Some("0"))), "stage-order@1");
}

/// Files that the crate of the name reads right: simple ones. Its FROM lines and ours agree.
#[test]
fn agreement_with_another_parser() {
    for text in [
        "FROM alpine:3.20 AS build\nRUN make\nFROM debian:12\nCOPY --from=build /a /b\n",
        "ARG A=1\nFROM node:22-slim\nENV A=b\nCMD [\"x\"]\n",
        "FROM --platform=linux/arm64 golang:1.24\nRUN go build \\\n  ./...\n",
    ] {
        let theirs = dockerfile_parser::Dockerfile::parse(text).unwrap();
        let theirs: Vec<String> = theirs
            .stages()
            .stages
            .iter()
            .filter_map(|stage| stage.instructions.first()?.as_from().map(|from| from.image.content.clone()))
            .collect();
        let ours: Vec<String> = read(text, &BuildOptions::default()).unwrap().stages.into_iter().map(|stage| stage.base_raw).collect();
        assert_eq!(ours, theirs, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,300}") {
        let _ = read(&text, &BuildOptions::default());
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&String::from_utf8_lossy(&bytes), &BuildOptions::default());
    }

    #[test]
    fn no_dockerfile_like_text_panics(text in "(FROM |COPY --from=|RUN --mount=|ARG |ONBUILD |<<EOF\n|EOF\n|\\$\\{|\\}|:-|#|%|//|'|\"|\\\\\n|\\\\|a|b:1|,from=|=| |\n){0,40}") {
        let _ = read(&text, &BuildOptions::default());
    }
}
