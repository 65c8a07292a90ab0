//! The registry client against the real `docker-registry` program: open, with a password, with tokens.

use std::path::PathBuf;

use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::OciManifest;
use oci_client::secrets::RegistryAuth;
use plimsoll::base::Class;
use plimsoll::ports::Registry;
use plimsoll::ports::images::Images;
use plimsoll::registry::{RegistryClient, RegistryOptions};

use super::support::parts::are_there;
use super::support::registry::{Access, PARTS, RealRegistry, USER};
use super::support_registry::reference;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn client_with(docker_config: PathBuf) -> RegistryClient {
    RegistryClient::new(RegistryOptions { docker_config: Some(docker_config), ..RegistryOptions::default() }).unwrap()
}

/// A registry, a client that it knows, and where that has its password from.
fn started(access: Access) -> (RealRegistry, RegistryClient, tempfile::TempDir) {
    let registry = RealRegistry::start(access, USER);
    let config = tempfile::tempdir().unwrap();
    registry.write_docker_config(config.path());
    let client = client_with(config.path().to_path_buf());
    (registry, client, config)
}

#[tokio::test]
async fn digests_of_the_real_registry() {
    if !are_there(&PARTS) {
        return;
    }
    for access in Access::ALL {
        let (registry, client, _config) = started(access);
        let image = registry.push("acme/app", "image", "one");
        let index = registry.push_index("acme/app", "index", &image, 300);
        for (tag, expected) in [("image", Ok(image.as_str())), ("index", Ok(index.as_str())), ("none", Err(Class::Missing))] {
            let found = client.digest(&reference(&registry.host(), "acme/app", tag)).await;
            assert_eq!(found.as_ref().map(plimsoll::model::Digest::as_str).map_err(|f| f.class), expected, "{access:?} {tag}: {found:?}");
        }
        let look = client.look(&reference(&registry.host(), "acme/app", "index")).await.unwrap();
        let expected = [("linux/amd64".to_owned(), image.clone())];
        let platforms: Vec<(String, String)> =
            look.platforms.into_iter().map(|(platform, digest)| (platform, digest.to_string())).collect();
        assert_eq!((look.digest.as_str(), look.media_type.as_str(), &platforms[..]), (index.as_str(), INDEX, &expected[..]), "{access:?}");
        assert_eq!(client.tags(&registry.host(), "acme/app").await.unwrap(), ["image", "index"], "{access:?}");
        let none = client.tags(&registry.host(), "acme/none").await.unwrap_err();
        assert_eq!(none.class, Class::Missing, "{access:?}: {none}");
        let stranger = client_with("/nonexistent/docker".into());
        let found = stranger.digest(&reference(&registry.host(), "acme/app", "image")).await;
        assert_eq!(found.err().map(|f| f.class), (access != Access::Open).then_some(Class::Denied), "{access:?}");
    }
}

/// A second opinion on what we make of manifests: the crate that others pull artifacts with reads the same.
#[tokio::test]
async fn oci_client_reads_the_same() {
    if !are_there(&PARTS) {
        return;
    }
    for access in Access::ALL {
        let (registry, ours, _config) = started(access);
        let image = registry.push("acme/app", "image", "one");
        registry.push_index("acme/app", "index", &image, 300);
        let auth = match access {
            Access::Open => RegistryAuth::Anonymous,
            _ => RegistryAuth::Basic(USER.name.to_owned(), USER.password.to_owned()),
        };
        let protocol = ClientProtocol::Http;
        let theirs = oci_client::Client::new(ClientConfig { protocol, ..ClientConfig::default() });
        let named = |text: &str| format!("{}/acme/app{text}", registry.host()).parse::<oci_client::Reference>().unwrap();

        let (manifest, digest) = theirs.pull_manifest(&named(":index"), &auth).await.unwrap();
        let OciManifest::ImageIndex(index) = manifest else { panic!("{manifest:?}") };
        let look = ours.look(&reference(&registry.host(), "acme/app", "index")).await.unwrap();
        assert_eq!((look.digest.as_str(), Some(&look.media_type)), (digest.as_str(), index.media_type.as_ref()), "{access:?}");
        let members = index.manifests.iter().map(|member| {
            let platform = member.platform.as_ref().unwrap();
            (format!("{}/{}", platform.os, platform.architecture), member.digest.clone())
        });
        let platforms = look.platforms.into_iter().map(|(platform, digest)| (platform, digest.to_string()));
        assert_eq!(platforms.collect::<Vec<_>>(), members.collect::<Vec<_>>(), "{access:?}");

        let (manifest, digest) = theirs.pull_manifest(&named(&format!("@{image}")), &auth).await.unwrap();
        let OciManifest::Image(manifest) = manifest else { panic!("{manifest:?}") };
        let facts = ours.image(&reference(&registry.host(), "acme/app", "index"), None).await.unwrap();
        assert_eq!((facts.digest.as_str(), Some(&facts.labels)), (digest.as_str(), manifest.annotations.as_ref()), "{access:?}");
    }
}
