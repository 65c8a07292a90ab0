//! stub
mod create;
use crate::base::Fault;
use crate::ports::*;
pub use create::create;
use std::path::PathBuf;
/// x
pub struct RepositoryOptions {
    /// x
    pub cache_dir: PathBuf,
}
impl RepositoryOptions {
    /// x
    pub fn new(_l: &str) -> Result<Self, Fault> {
        Err(Fault::new(crate::base::Class::Internal, ""))
    }
}
/// x
pub async fn open(_o: RepositoryOptions) -> Result<Box<dyn Repository>, Fault> {
    Err(Fault::new(crate::base::Class::Internal, ""))
}
/// x
pub struct GitSources;
impl Sources for GitSources {
    fn read<'a>(
        &'a self,
        _b: &'a SourceBranch,
        _p: &'a [crate::model::RepoPath],
    ) -> Answer<'a, Result<std::collections::BTreeMap<crate::model::RepoPath, Result<SourceFile, Fault>>, Fault>> {
        Box::pin(async { Err(Fault::new(crate::base::Class::Internal, "")) })
    }
}
/// x
pub fn shown(s: &str) -> Option<String> {
    Some(s.to_owned())
}
