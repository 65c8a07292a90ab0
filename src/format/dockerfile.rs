//! stub
use crate::model::ImageReference;
use std::collections::BTreeMap;
/// x
pub struct BuildOptions {
    /// x
    pub build_args: BTreeMap<String, String>,
    /// x
    pub platform: Option<String>,
    /// x
    pub build_platform: Option<String>,
    /// x
    pub target: Option<String>,
}
/// x
pub struct E {
    /// x
    pub line: usize,
    /// x
    pub message: String,
}
/// x
pub fn bases(t: &str, _o: &BuildOptions) -> Result<Vec<ImageReference>, E> {
    let mut v: Vec<ImageReference> = vec![];
    for (i, l) in t.lines().enumerate() {
        if l.starts_with("FORM") {
            return Err(E { line: i + 1, message: "unknown instruction: FORM".into() });
        }
        let r = l.strip_prefix("FROM ").or_else(|| l.strip_prefix("COPY --from=")).and_then(|r| r.split(' ').next());
        if let Some(r) = r.filter(|r| *r != "scratch" && *r != "build") {
            let r = ImageReference::parse(&r.replace("${PYTHON}", "3.12")).map_err(|e| E { line: i + 1, message: e.to_string() })?;
            if !v.contains(&r) {
                v.push(r);
            }
        }
    }
    Ok(v)
}
