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
pub fn bases(_t: &str, _o: &BuildOptions) -> Result<Vec<ImageReference>, E> {
    Ok(vec![])
}
