//! Registries: do they answer, who are we there, and do we agree what time it is?

use std::collections::BTreeSet;

use futures_util::future::join_all;
use jiff::Timestamp;

use super::super::super::settings;
use super::super::Context;
use super::Finding;
use crate::base::{Class, Fault};
use crate::registry::{self, RegistryOptions, Stored};

/// A clock that differs this much, in seconds, breaks certificates and tokens.
const BROKEN: u64 = 300;
/// This much is worth a look.
const ODD: u64 = 30;

/// Looks at each registry that is named, all at once.
pub(super) async fn look(context: &Context, registries: &BTreeSet<String>) -> Vec<Finding> {
    let options = match settings::registry(&context.operator) {
        Ok(options) => options,
        Err(fault) => return vec![Finding::of("registries", &fault, "correct the option")],
    };
    let mut findings = Vec::new();
    for (registry, found) in join_all(registries.iter().map(|registry| credential(&options, registry))).await {
        findings.push(match found {
            Ok(Stored::Password) => Finding::ok("credentials", format!("{registry}: a password or token is stored")),
            Ok(Stored::Identity) => Finding::ok("credentials", format!("{registry}: an identity token is stored")),
            Ok(Stored::Nothing) if registry == "docker.io" => Finding::warn(
                "credentials",
                "docker.io: none, so it is asked once a day and allows few requests",
                "docker login, with any free account",
            ),
            Ok(Stored::Nothing) => Finding::ok("credentials", format!("{registry}: none; public images need none")),
            Err(fault) => Finding::of("credentials", &fault, &format!("docker login {registry}")),
        });
    }
    if context.operator.offline {
        findings.push(Finding::not_asked("registries"));
        findings.push(Finding::not_asked("clock"));
        return findings;
    }
    let mut told = None;
    for (registry, date) in join_all(registries.iter().map(|registry| date(&options, registry))).await {
        findings.push(match date {
            Ok(date) => {
                told.get_or_insert((registry.clone(), date));
                Finding::ok("registries", format!("{registry} answers"))
            }
            Err(fault) if fault.class == Class::Malformed => Finding::ok("registries", format!("{registry} answers")),
            Err(fault) if fault.class == Class::Limited => {
                Finding::warn("registries", fault.text, "it asks for quiet; a pass waits for as long as it says")
            }
            Err(fault) => Finding::of("registries", &fault, "check the address, the network and the proxy"),
        });
    }
    findings.push(match told {
        Some((registry, date)) => clock(&registry, date, Timestamp::now()),
        None => Finding::ok("clock", "not compared: no registry told the time"),
    });
    findings
}

async fn credential<'a>(options: &RegistryOptions, registry: &'a str) -> (&'a str, Result<Stored, Fault>) {
    (registry, registry::stored(options, registry).await)
}

async fn date(options: &RegistryOptions, registry: &str) -> (String, Result<Timestamp, Fault>) {
    (registry.to_owned(), registry::date(options, registry).await)
}

fn clock(registry: &str, theirs: Timestamp, ours: Timestamp) -> Finding {
    let apart = ours.as_second().abs_diff(theirs.as_second());
    let way = if ours > theirs { "ahead of" } else { "behind" };
    let next = "set the clock, best by NTP: delays and tokens rest on it";
    match apart {
        0..ODD => Finding::ok("clock", format!("agrees with {registry}")),
        ODD..BROKEN => Finding::warn("clock", format!("{apart} s {way} {registry}"), next),
        _ => Finding::fail("clock", format!("{apart} s {way} {registry}"), next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_differ() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        for (ours, level, text) in [
            (1_000_010, "ok", "agrees with reg.example"),
            (1_000_100, "warn", "100 s ahead of reg.example"),
            (999_900, "warn", "100 s behind reg.example"),
            (2_000_000, "fail", "1000000 s ahead of reg.example"),
        ] {
            let finding = clock("reg.example", at(1_000_000), at(ours));
            assert_eq!((finding.level.word(), finding.text.as_str()), (level, text));
        }
    }
}
