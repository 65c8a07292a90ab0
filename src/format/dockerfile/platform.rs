//! Platforms, `os[(version+feature)]/arch[/variant]`, as containerd reads them.

use std::borrow::Cow;

/// Operating systems that may stand alone.
const SYSTEMS: [&str; 17] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "windows",
    "zos",
];

/// Architectures that may stand alone.
const ARCHITECTURES: [&str; 23] = [
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "armbe",
    "arm64",
    "arm64be",
    "ppc64",
    "ppc64le",
    "loong64",
    "mips",
    "mipsle",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "ppc",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
];

/// A platform in its normal form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Platform {
    pub(super) os: String,
    pub(super) version: String,
    pub(super) arch: String,
    pub(super) variant: String,
}

impl Platform {
    /// Reads a platform. One word alone is a system for amd64, or an architecture for Linux.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let first = parts.next()?;
        let (os, options) = match first.split_once('(') {
            Some((os, options)) => (os, options.strip_suffix(')')?),
            None => (first, ""),
        };
        let word = |text: &str, more: &[u8]| text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b));
        let mut features = options.split('+');
        let version = features.next().unwrap_or_default();
        let whole = !os.is_empty() && word(os, b"-_") && word(version, b"_.%-") && features.all(|f| !f.is_empty() && word(f, b"_.%-"));
        let rest: Vec<&str> = parts.collect();
        if !whole || rest.len() > 2 || rest.iter().any(|part| part.is_empty() || !word(part, b"_.-")) || !escapes_are_whole(options) {
            return None;
        }
        let os = match os.to_ascii_lowercase() {
            os if os == "macos" => "darwin".to_owned(),
            os => os,
        };
        let version = version.to_owned();
        let (arch, variant) = match rest.as_slice() {
            [] if SYSTEMS.contains(&os.as_str()) => ("amd64".into(), String::new()),
            [] => {
                let (arch, variant) = normal(first, "");
                if !ARCHITECTURES.contains(&&*arch) && arch != "wasm" {
                    return None;
                }
                return Some(Self { os: "linux".to_owned(), version: String::new(), arch: arch.into_owned(), variant });
            }
            [arch] => normal(arch, ""),
            [arch, variant, ..] => normal(arch, variant),
        };
        Some(Self { os, version, arch: arch.into_owned(), variant })
    }

    /// `os/arch[/variant]`.
    pub(super) fn text(&self) -> String {
        let parts = [self.os.as_str(), &self.arch, &self.variant];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    }

    /// The same with the system's version, `os(version)/arch[/variant]`.
    pub(super) fn full_text(&self) -> String {
        if self.version.is_empty() {
            return self.text();
        }
        let os = format!("{}({})", self.os, self.version);
        Self { os, version: String::new(), ..self.clone() }.text()
    }
}

/// Whether each `%` is followed by two hexadecimal digits.
fn escapes_are_whole(text: &str) -> bool {
    let mut pieces = text.split('%').skip(1);
    pieces.all(|piece| piece.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)))
}

/// Architecture and variant as others write them.
fn normal(arch: &str, variant: &str) -> (Cow<'static, str>, String) {
    let (arch, variant) = (arch.to_ascii_lowercase(), variant.to_ascii_lowercase());
    let (arch, variant): (&'static str, &str) = match (arch.as_str(), variant.as_str()) {
        ("i386", _) => ("386", ""),
        ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
        ("x86_64" | "x86-64" | "amd64", other) => ("amd64", other),
        ("aarch64" | "arm64", "8" | "v8" | "v8.0") => ("arm64", ""),
        ("aarch64" | "arm64", "9" | "9.0" | "v9.0") => ("arm64", "v9"),
        ("aarch64" | "arm64", other) => ("arm64", other),
        ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
        ("armel", _) | ("arm", "6") => ("arm", "v6"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "8") => ("arm", "v8"),
        _ => return (Cow::Owned(arch), variant),
    };
    (Cow::Borrowed(arch), variant.to_owned())
}

impl Platform {
    /// With the variant that a build's own platform has: none for arm64/v8, v7 for arm.
    pub(super) fn normalised(self) -> Self {
        let (arch, variant) = normal(&self.arch, &self.variant);
        Self { arch: arch.into_owned(), variant, ..self }
    }
}
