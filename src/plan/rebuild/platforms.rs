//! Bases compared platform by platform, for an image that is built for some of them only.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::decision::{Code, Decision};
use super::due::Base;
use super::{One, select};
use crate::model::Digest;
use crate::plan::{Observation, Reason};

/// What the comparison of platforms gave.
pub(super) enum Platforms {
    /// Nothing speaks against a rebuild.
    Moved,
    /// Only platforms that are not wanted moved.
    Other(String),
    /// A wanted one is not there.
    Missing(Decision),
    /// It could not be told.
    Fault(Decision),
}

impl Platforms {
    /// What two bases give together: what stops a rebuild is not hidden by a base that would not.
    fn and(self, other: Self) -> Self {
        let gravity = |of: &Self| match of {
            Self::Moved => 0,
            Self::Other(_) => 1,
            Self::Missing(_) => 2,
            Self::Fault(_) => 3,
        };
        if gravity(&other) > gravity(&self) { other } else { self }
    }
}

impl One<'_, '_> {
    /// Compares bases that moved on the platforms that the image is built for.
    pub(super) fn compare_platforms(&mut self) -> Platforms {
        let wanted = &self.build.platforms;
        let mut out = Platforms::Moved;
        if wanted.is_empty() {
            return out;
        }
        for name in self.state.unbuilt.keys().cloned().collect::<Vec<_>>() {
            let Some(base) = Base::of(self.states, &name) else { continue };
            let (Some(current), Some(built)) = (base.ledger.current.clone(), self.state.built_from.get(&name).cloned()) else { continue };
            let state = Arc::make_mut(&mut self.state);
            let Some(unbuilt) = state.unbuilt.get_mut(&name) else { continue };
            if unbuilt.compared.as_ref() != Some(&current) {
                let of = |digest: &Digest| self.answers.platforms.get(&select::by_digest(&base.image(), digest));
                let now = match of(&current) {
                    Some(Observation::Known(now)) => now,
                    Some(Observation::Unknown(fault)) => {
                        out = out.and(Platforms::Fault(Decision::new(Code::Unknown, fault.text.clone())));
                        continue;
                    }
                    None => {
                        let text = format!("the platforms of {name} were not looked at");
                        out = out.and(Platforms::Fault(Decision::new(Code::Unknown, text)));
                        continue;
                    }
                };
                let missing: Vec<String> =
                    wanted.iter().filter(|platform| !now.is_empty() && on(now, platform).is_none()).cloned().collect();
                let same = match of(&built) {
                    Some(Observation::Known(before)) => wanted.iter().all(|platform| {
                        let digest = on(now, platform);
                        digest.is_some() && digest == on(before, platform)
                    }),
                    Some(Observation::Unknown(fault)) if fault.class.may_pass() => {
                        out = out.and(Platforms::Fault(Decision::new(Code::Unknown, fault.text.clone())));
                        continue;
                    }
                    _ => false,
                };
                if same {
                    state.built_from.insert(name.clone(), current);
                    state.unbuilt.remove(&name);
                    self.reasons.push(Reason::other_platform(format!("{name} moved, and not for {}", wanted.join(", "))));
                    out = out.and(Platforms::Other(name));
                    continue;
                }
                unbuilt.compared = Some(current);
                unbuilt.missing = missing;
            }
            if !unbuilt.missing.is_empty() {
                let text = format!("{name} lacks {}", unbuilt.missing.join(", "));
                out = out.and(Platforms::Missing(Decision::new(Code::PlatformMissing, text)));
            }
        }
        out
    }
}

/// The digest of a platform. `linux/arm64` and `linux/arm64/v8` are the same.
fn on<'a>(index: &'a BTreeMap<String, Digest>, platform: &str) -> Option<&'a Digest> {
    let plain = |text: &str| text.strip_suffix("/v8").filter(|rest| rest.ends_with("/arm64")).unwrap_or(text).to_owned();
    index.iter().find(|(name, _)| plain(name) == plain(platform)).map(|(_, digest)| digest)
}
