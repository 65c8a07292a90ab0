//! Which request is whose: troubles first, then who asks, then what is asked, then validators.

use std::time::Instant;

use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use super::{Asked, Reply, Seen, State, Trouble, actions, git_data, hex, pulls};

/// The API versions there are.
const VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];

/// Answers one request and writes it down.
pub(super) fn answer(state: &mut State, asked: &Asked) -> Reply {
    // A server of one's own has the API under this prefix.
    let asked = &Asked { path: asked.path.strip_prefix("/api/v3").unwrap_or(&asked.path).to_owned(), ..asked.clone() };
    let line = format!("{} {}", asked.method, asked.path);
    let trouble = state.troubles.iter_mut().find(|(prefix, left, _)| *left > 0 && line.starts_with(prefix.as_str())).map(|found| {
        found.1 -= 1;
        found.2.clone()
    });
    let reply = match trouble {
        Some(Trouble::Unheard) => Reply::Nothing,
        Some(Trouble::Silence(time)) => Reply::Silence(time),
        Some(Trouble::Answer { status, headers, body }) => Reply::Answer {
            status,
            headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            body: body.as_bytes().to_vec(),
        },
        Some(Trouble::LostReply) => {
            routed(state, asked);
            Reply::Nothing
        }
        Some(Trouble::DoneBut(status)) => {
            routed(state, asked);
            Reply::json(status, &json!({ "message": "something went wrong" }))
        }
        None => conditional(asked, routed(state, asked)),
    };
    let status = if let Reply::Answer { status, .. } = &reply { *status } else { 0 };
    state.seen.push(Seen {
        method: asked.method.clone(),
        path: asked.path.clone(),
        query: asked.query.clone(),
        authorization: asked.header("authorization").map(str::to_owned),
        conditional: asked.header("if-none-match").is_some(),
        body: asked.json(),
        status,
    });
    reply
}

/// 304 where the client has it already.
fn conditional(asked: &Asked, reply: Reply) -> Reply {
    let Reply::Answer { status: 200, body, .. } = &reply else { return reply };
    if asked.method != "GET" {
        return reply;
    }
    let etag = format!("W/\"{}\"", hex(&Sha1::digest(body)));
    if asked.header("if-none-match") == Some(&etag) {
        return Reply::Answer { status: 304, headers: vec![("ETag".into(), etag)], body: Vec::new() };
    }
    reply.with("ETag", &etag)
}

pub(super) fn message(status: u16, text: &str) -> Reply {
    Reply::json(status, &json!({ "message": text, "documentation_url": "https://docs.github.com/rest" }))
}

pub(super) fn missing() -> Reply {
    message(404, "Not Found")
}

fn routed(state: &mut State, asked: &Asked) -> Reply {
    for header in ["x-github-api-version", "user-agent", "accept"] {
        assert_eq!(asked.headers.iter().filter(|(name, _)| name == header).count(), 1, "{} {}: {header}", asked.method, asked.path);
    }
    let version = asked.header("x-github-api-version").unwrap();
    assert!(VERSIONS.contains(&version), "{version}");
    assert!(!asked.header("user-agent").unwrap().is_empty());
    let bearer = asked.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let parts: Vec<&str> = asked.path.trim_start_matches('/').split('/').collect();
    match (asked.method.as_str(), parts.as_slice()) {
        ("POST", ["app", "installations", id, "access_tokens"]) => return mint(state, bearer, id),
        ("GET", ["repos", _, _, "installation"]) => {
            return match app_of(state, bearer) {
                Some(installation) => Reply::json(200, &json!({ "id": installation })),
                None => message(401, "A JSON web token could not be decoded"),
            };
        }
        _ => {}
    }
    let now = Instant::now();
    if !state.tokens.iter().any(|(token, until)| token == bearer && until.is_none_or(|until| until > now)) {
        return message(401, "Bad credentials");
    }
    let ["repos", owner, name, rest @ ..] = parts.as_slice() else { return missing() };
    let repo = format!("{owner}/{name}");
    if !state.repos.contains_key(&repo) {
        return missing();
    }
    match rest {
        [] => Reply::json(200, &json!({ "full_name": repo, "default_branch": state.repos[&repo].default_branch })),
        ["actions", rest @ ..] => actions::answer(state, asked, &repo, rest),
        ["pulls", rest @ ..] => pulls::answer(state, asked, &repo, rest),
        _ => git_data::answer(state, asked, &repo, rest),
    }
}

/// The installation of the App that signed `jwt`, when the signature and its times are good.
fn app_of(state: &State, jwt: &str) -> Option<u64> {
    let app = state.app.as_ref()?;
    let (signed, signature) = jwt.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let key = ring::signature::UnparsedPublicKey::new(&ring::signature::RSA_PKCS1_2048_8192_SHA256, &app.public_key);
    key.verify(signed.as_bytes(), &url_safe(signature)?).ok()?;
    let header: Value = serde_json::from_slice(&url_safe(header)?).ok()?;
    let claims: Value = serde_json::from_slice(&url_safe(claims)?).ok()?;
    let now = jiff::Timestamp::now().as_second();
    let (issued, ends) = (claims["iat"].as_i64()?, claims["exp"].as_i64()?);
    let good = header["alg"] == "RS256" && claims["iss"] == app.id.as_str() && issued <= now && ends > now && ends <= now + 600;
    good.then_some(app.installation)
}

fn mint(state: &mut State, jwt: &str, id: &str) -> Reply {
    let Some(installation) = app_of(state, jwt) else { return message(401, "A JSON web token could not be decoded") };
    if id != installation.to_string() {
        return missing();
    }
    let Some(app) = &mut state.app else { return missing() };
    app.minted += 1;
    let token = format!("ghs_canaryInstallation{}e1c9", app.minted);
    let life = app.life;
    state.tokens.push((token.clone(), Some(Instant::now() + life)));
    let ends = jiff::Timestamp::now() + jiff::SignedDuration::try_from(life).unwrap();
    Reply::json(201, &json!({ "token": token, "expires_at": ends.to_string(), "permissions": {} }))
}

fn url_safe(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}
