//! The fake GitHub itself: what tests of others rest on.

use serde_json::json;

use crate::support::github::{FakeGithub, TOKEN, Trouble};

const WORKFLOW: &str = "run-name: build ${{ inputs.plimsoll_key }}\non:\n  workflow_dispatch:\n    inputs:\n      plimsoll_key: {}\n";

struct Client(reqwest::Client, tokio::runtime::Runtime, String);

impl Client {
    fn ask(&self, method: &str, path: &str, body: &serde_json::Value, etag: &str) -> Option<(u16, String, String)> {
        let request = self.0.request(method.parse().unwrap(), format!("{}{path}", self.2)).json(body);
        let request = request.header("authorization", format!("Bearer {TOKEN}")).header("accept", "application/vnd.github+json");
        let request = request.header("user-agent", "test").header("x-github-api-version", "2022-11-28").header("if-none-match", etag);
        self.1.block_on(async {
            let answer = request.send().await.ok()?;
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let etag = headers.get("etag").map(|etag| etag.to_str().unwrap().to_owned());
            Some((status, etag.unwrap_or_default(), answer.text().await.ok()?))
        })
    }
}

#[test]
fn a_dispatch_becomes_a_run_once_and_the_fake_remembers_it() {
    let github = FakeGithub::start();
    github.commit("acme/portal", "main", &[(".github/workflows/build.yml", WORKFLOW)]);
    let _ring = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let client = Client(client, tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(), github.api());
    let path = "/repos/acme/portal/actions/workflows/build.yml/dispatches";
    let order = |key: &str| json!({ "ref": "main", "inputs": { "plimsoll_key": key }, "return_run_details": true });
    let (told, tells) = std::sync::mpsc::channel();
    github.on_dispatch(move |run| told.send(run.inputs["plimsoll_key"].clone()).unwrap());
    github.trouble("POST", 1, Trouble::LostReply);
    assert_eq!(client.ask("POST", path, &order("k1"), ""), None);
    github.trouble("POST", 1, Trouble::status(502));
    assert_eq!(client.ask("POST", path, &order("k2"), "").unwrap().0, 502);
    let (status, _, body) = client.ask("POST", path, &order("k3"), "").unwrap();
    assert!(status == 200 && body.contains("workflow_run_id"), "{body}");
    let wrong = json!({ "ref": "main", "inputs": { "other": "x" } });
    assert_eq!(client.ask("POST", path, &wrong, "").unwrap().0, 422);
    let titles: Vec<String> = github.runs().into_iter().map(|run| run.title).collect();
    assert_eq!(titles, ["build k1", "build k3"]);
    assert_eq!(tells.try_iter().collect::<Vec<_>>(), ["k1", "k3"]);

    let head = "/repos/acme/portal/commits/heads/main";
    let (status, etag, _) = client.ask("GET", head, &json!({}), "").unwrap();
    assert_eq!((status, client.ask("GET", head, &json!({}), &etag).unwrap().0), (200, 304));
    github.commit("acme/portal", "main", &[("x", "y")]);
    assert_eq!(client.ask("GET", head, &json!({}), &etag).unwrap().0, 200);
    github.accept_only("another");
    assert_eq!(client.ask("GET", head, &json!({}), "").unwrap().0, 401);
}
