//! Registries behind TLS: a certificate of one's own, and addresses of the sixth version.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use plimsoll::base::Class;
use plimsoll::ports::Registry as _;
use plimsoll::registry::{RegistryClient, RegistryOptions};

use super::support::parts::{Server, are_there, program};
use super::support::program::Plimsoll;
use super::support_registry::reference;

/// What a registry behind TLS needs, and the authority that signed for it.
struct Tls {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

fn openssl(directory: &Path, arguments: &str) {
    let made = Command::new(program("openssl").unwrap()).args(arguments.split(' ')).current_dir(directory).output().unwrap();
    assert!(made.status.success(), "{arguments}: {}", String::from_utf8_lossy(&made.stderr));
}

/// An authority, and a certificate for `localhost` that it signed.
fn signed(directory: &Path) -> Tls {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(directory, &format!("req -x509 {key} -days 2 -subj /CN=authority -keyout authority.key -out authority.pem"));
    openssl(directory, &format!("req {key} -subj /CN=localhost -keyout key.pem -out request.pem"));
    std::fs::write(directory.join("extensions"), "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n").unwrap();
    openssl(
        directory,
        "x509 -req -in request.pem -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile extensions -out cert.pem",
    );
    let [authority, certificate, key] = ["authority.pem", "cert.pem", "key.pem"].map(|name| directory.join(name));
    Tls { authority, certificate, key }
}

/// The real registry on `address`, behind TLS when a certificate is given.
fn registry(directory: &Path, address: &str, tls: Option<&Tls>) -> Server {
    let (file, storage) = (directory.join("config.yml"), directory.join("storage"));
    let tls = tls.map(|tls| format!(", tls: {{certificate: {}, key: {}}}", tls.certificate.display(), tls.key.display()));
    let tls = tls.unwrap_or_default();
    Server::start(|port| {
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{address}:{port}'{tls}}}\n",
            storage.display()
        );
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(program("docker-registry").unwrap());
        command.arg("serve").arg(&file);
        command
    })
}

#[tokio::test]
async fn a_certificate_of_ones_own() {
    if !are_there(&["docker-registry", "openssl"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let tls = signed(directory.path());
    let server = registry(directory.path(), "127.0.0.1", Some(&tls));
    let host = format!("localhost:{}", server.port);
    let with = |certificates: Vec<PathBuf>| {
        let options = RegistryOptions {
            certificates,
            tls_hosts: [host.clone()].into(),
            docker_config: Some("/nonexistent/docker".into()),
            ..RegistryOptions::default()
        };
        RegistryClient::new(options)
    };
    let asked = reference(&host, "acme/app", "1");
    // Nothing is there, which only one who was let in can know.
    let fault = with(vec![tls.authority.clone()]).unwrap().digest(&asked).await.unwrap_err();
    assert_eq!(fault.class, Class::Missing, "{fault}");
    let fault = with(vec![]).unwrap().digest(&asked).await.unwrap_err();
    assert_eq!(fault.class, Class::Transient, "{fault}");
    let (empty, absent) = (directory.path().join("config.yml"), directory.path().join("absent.pem"));
    for file in [empty, absent] {
        assert_eq!(with(vec![file]).unwrap_err().class, Class::Config);
    }

    let plimsoll = Plimsoll::new();
    let image = format!("{host}/acme/app:1");
    let ran = plimsoll
        .run(&["inspect", "image", "-o", "json", "--registry-tls", &host, "--registry-ca", &tls.authority.display().to_string(), &image])
        .expect(4);
    assert_eq!(ran.json()["error"]["class"], "missing", "{}", ran.stdout);
}

#[tokio::test]
async fn an_address_of_the_sixth_version() {
    if !are_there(&["docker-registry"]) {
        return;
    }
    if TcpListener::bind("[::1]:0").is_err() {
        super::support::parts::ignored("this machine has no ::1");
        return;
    }
    // Listening on all addresses, because the parts' server looks for it on the fourth version's loopback.
    let directory = tempfile::tempdir().unwrap();
    let server = registry(directory.path(), "", None);
    let client =
        RegistryClient::new(RegistryOptions { docker_config: Some("/nonexistent/docker".into()), ..RegistryOptions::default() }).unwrap();
    let found = client.digest(&reference(&format!("[::1]:{}", server.port), "acme/app", "1")).await.unwrap_err();
    assert_eq!(found.class, Class::Missing, "{found}");
}
