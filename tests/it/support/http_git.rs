//! A bare repository behind `git http-backend` and a real web server.

use std::process::Command;

use super::parts::{Server, program};
use super::remote::{Remote, git};

/// What must be installed.
pub(crate) const PARTS: [&str; 2] = ["lighttpd", "git-http-backend"];

/// A web server for one repository; it ends when dropped.
#[derive(Debug)]
pub(crate) struct HttpGit {
    server: Server,
    _directory: tempfile::TempDir,
}

impl HttpGit {
    /// Serves `remote` for reading and writing; to `user` and password only, when given.
    pub(crate) fn serve(remote: &Remote, user: Option<(&str, &str)>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        git(&remote.bare(), &["config", "http.receivepack", "true"]);
        let auth = user.map(|(user, password)| {
            let file = directory.path().join("users");
            std::fs::write(&file, format!("{user}:{password}\n")).unwrap();
            format!(
                "server.modules += (\"mod_auth\", \"mod_authn_file\")\nauth.backend = \"plain\"\nauth.backend.plain.userfile = \"{}\"\n\
                 auth.require = (\"\" => (\"method\" => \"basic\", \"realm\" => \"git\", \"require\" => \"valid-user\"))\n",
                file.display()
            )
        });
        let (root, backend, file) = (remote.bare(), program("git-http-backend").unwrap(), directory.path().join("lighttpd.conf"));
        let config = |port: u16| {
            format!(
                "server.modules = (\"mod_setenv\", \"mod_alias\", \"mod_cgi\")\nserver.bind = \"127.0.0.1\"\nserver.port = {port}\n\
                 server.document-root = \"{root}\"\nserver.upload-dirs = (\"{temporary}\")\n{auth}\
                 alias.url = (\"/git\" => \"{backend}\")\ncgi.assign = (\"\" => \"\")\n\
                 setenv.set-environment = (\"GIT_PROJECT_ROOT\" => \"{root}\", \"GIT_HTTP_EXPORT_ALL\" => \"1\", \"PATH\" => \"/usr/bin:/bin\")\n",
                root = root.parent().unwrap().display(),
                temporary = directory.path().display(),
                auth = auth.as_deref().unwrap_or_default(),
                backend = backend.display(),
            )
        };
        let server = Server::start(|port| {
            std::fs::write(&file, config(port)).unwrap();
            let mut command = Command::new(program("lighttpd").unwrap());
            command.arg("-D").arg("-f").arg(&file);
            command
        });
        Self { server, _directory: directory }
    }

    /// `http://127.0.0.1:PORT/git/config.git`.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/git/config.git", self.server.port)
    }
}
