//! Megabytes of Dockerfile text a second, read and resolved on one core: the cases of `tests/oracle`, and
//! 27-line files of two stages, each another one.
//!
//! `cargo bench --bench dockerfile`; arguments are seconds for each part (3). CPU time is what counts.

#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]
#![allow(clippy::print_stdout, reason = "a bench prints its results")]
#![allow(clippy::cast_precision_loss, reason = "a figure of three digits")]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use plimsoll::format::dockerfile::{BuildOptions, read};

/// The file that the figures of whole passes use, made different by its number.
fn generated(number: usize) -> String {
    format!(
        "# syntax=docker/dockerfile:1
ARG GO_VERSION=1.{minor}
ARG ALPINE=3.{patch}
FROM --platform=$BUILDPLATFORM golang:${{GO_VERSION}}-alpine${{ALPINE}} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod \\
    go mod download
COPY . .
ARG TARGETOS
ARG TARGETARCH
# the service's own version
ARG VERSION=0.{number}.0
RUN --mount=type=cache,target=/go/pkg/mod \\
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \\
    go build -trimpath -ldflags \"-X main.version=$VERSION\" -o /out/service ./cmd/service

FROM alpine:${{ALPINE}}
LABEL org.opencontainers.image.title=\"service-{number}\"
RUN apk add --no-cache ca-certificates tzdata && \\
    adduser -D -u 10001 service
COPY --from=build /out/service /usr/local/bin/service
COPY --from=ghcr.io/acme/certs:{number} /etc/ssl/certs /etc/ssl/certs
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=30s CMD wget -qO- http://localhost:8080/healthz || exit 1
ENTRYPOINT [\"/usr/local/bin/service\"]
",
        minor = 20 + number % 7,
        patch = 18 + number % 5,
    )
}

/// The cases' texts, options left aside.
fn cases() -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/cases/dockerfiles");
    let mut out = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let texts = text.split("\n=== ").filter_map(|case| case.split_once('\n')).filter(|(head, _)| !head.ends_with("escaped"));
        out.extend(texts.map(|(_, text)| format!("{text}\n")));
    }
    out
}

/// CPU time of this process, from `/proc`; the wall clock's where there is none.
fn cpu(start: Instant) -> Duration {
    let Ok(counters) = fs::read_to_string("/proc/self/schedstat") else { return start.elapsed() };
    counters.split_whitespace().next().and_then(|field| field.parse().ok()).map_or_else(|| start.elapsed(), Duration::from_nanos)
}

fn measure(name: &str, texts: &[String], seconds: u64) {
    let start = Instant::now();
    let before = cpu(start);
    let options = BuildOptions::default();
    let (mut bytes, mut files, mut accepted) = (0usize, 0usize, 0usize);
    while start.elapsed() < Duration::from_secs(seconds) {
        for text in texts {
            accepted += usize::from(black_box(read(black_box(text), &options)).is_ok());
            bytes += text.len();
        }
        files += texts.len();
    }
    let spent = cpu(start).saturating_sub(before).as_secs_f64();
    println!(
        "{name}: {:.1} MB/s, {:.2} us a file of {} bytes, {} % accepted",
        bytes as f64 / 1e6 / spent,
        spent * 1e6 / files as f64,
        bytes / files,
        accepted * 100 / files
    );
}

fn main() {
    let seconds = std::env::args().nth(1).and_then(|argument| argument.parse().ok()).unwrap_or(3);
    let generated: Vec<String> = (0..1_000).map(generated).collect();
    measure("27-line files", &generated, seconds);
    measure("cases", &cases(), seconds);
}
