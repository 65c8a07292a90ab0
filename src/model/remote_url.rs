//! stub
use crate::base::Fault;
/// x
pub struct RemoteUrl;
impl RemoteUrl {
    /// x
    pub fn parse(_t: &str) -> Result<Self, Fault> {
        Ok(Self)
    }
}
