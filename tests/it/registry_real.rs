//! The registry client against the real `docker-registry` program: open, with a password, with tokens.

use std::path::PathBuf;

use plimsoll::base::Class;
use plimsoll::ports::Registry;
use plimsoll::ports::images::Images;
use plimsoll::registry::{RegistryClient, RegistryOptions};

use super::support::parts::are_there;
use super::support::registry::{Access, PARTS, RealRegistry, USER};
use super::support_registry::reference;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

#[tokio::test]
async fn digests_of_the_real_registry() {
    if !are_there(&PARTS) {
        return;
    }
    for access in Access::ALL {
        let registry = RealRegistry::start(access, USER);
        let config = tempfile::tempdir().unwrap();
        registry.write_docker_config(config.path());
        let with = |docker_config: PathBuf| {
            RegistryClient::new(RegistryOptions { docker_config: Some(docker_config), ..RegistryOptions::default() }).unwrap()
        };
        let client = with(config.path().to_path_buf());
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
        let stranger = with("/nonexistent/docker".into());
        let found = stranger.digest(&reference(&registry.host(), "acme/app", "image")).await;
        assert_eq!(found.err().map(|f| f.class), (access != Access::Open).then_some(Class::Denied), "{access:?}");
    }
}
