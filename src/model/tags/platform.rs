//! A wish for a platform, compared as Kargo compares it: part by part, exactly.

/// `os/arch[/variant]`. `linux/arm64` does not mean `linux/arm64/v8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformWish([String; 3]);

impl PlatformWish {
    /// Reads a wish; `None` when it has fewer than two parts.
    pub fn parse(text: &str) -> Option<Self> {
        text.contains('/').then(|| Self(parts(text).map(str::to_owned)))
    }

    /// Whether a platform, `os/arch[/variant]`, is the one that is wished for.
    pub fn is(&self, platform: &str) -> bool {
        self.0.iter().map(String::as_str).eq(parts(platform))
    }
}

fn parts(text: &str) -> [&str; 3] {
    let mut parts = text.splitn(3, '/');
    [(); 3].map(|()| parts.next().unwrap_or_default())
}
