//! [`Encrypted`]: a server that takes encrypted connections only, over TCP on this machine and with a password, and the
//! certificates that it is known by.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Programs, Server};
use crate::sh;

/// Names the server: a URL without `sslmode`.
const URL_VARIABLE: &str = "CANDLECAST_TEST_POSTGRES_TLS";
/// Names the folder with the certificate of its authority, `ca.crt`, and that of another authority, `other.crt`.
const CERTIFICATES_VARIABLE: &str = "CANDLECAST_TEST_POSTGRES_TLS_CERTIFICATES";

/// What the certificates say: two authorities, and a server that is called NAMES.
const OPENSSL_CONF: &str = "[req]
distinguished_name = name
prompt = no
[name]
CN = localhost
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = NAMES
";
/// The server is called by its name and not by its address.
const NAMES: &str = "DNS:localhost";
/// Who may connect, and how.
const RULES: &str = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
/// A key of openssl's `req`, and a certificate that outlives any run of the tests.
const NEW_KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
const DAYS: &str = "7";

/// The server, started.
#[derive(Debug)]
pub(super) struct Encrypted {
    pub(super) server: Server,
    url: String,
}

impl Encrypted {
    /// Makes one in `folder` and starts it.
    pub(super) fn start(programs: &Programs, folder: PathBuf) -> Result<Self> {
        programs.make_folder(&folder)?;
        let (port, password) = (free_port()?, password()?);
        let server = Server { programs: programs.clone(), folder };
        make(&server, &Listening { addresses: "127.0.0.1", names: NAMES, rules: RULES, port }, &password)?;
        let encrypted = Self { server, url: format!("postgres://postgres:{password}@localhost:{port}/postgres") };
        encrypted.server.start()?;
        Ok(encrypted)
    }

    /// Tells `command` where it is.
    pub(super) fn pass_to(&self, command: &mut Command) {
        command.env(URL_VARIABLE, &self.url).env(CERTIFICATES_VARIABLE, &self.server.folder);
    }
}

/// How a server is reached.
pub(super) struct Listening<'a> {
    /// Its addresses, by comma.
    pub(super) addresses: &'a str,
    pub(super) port: u16,
    /// What its certificate calls it, as openssl writes alternative names.
    pub(super) names: &'a str,
    /// Its `pg_hba.conf`.
    pub(super) rules: &'a str,
}

/// Makes an empty server with a certificate of its own, whose user `postgres` has `password`.
pub(super) fn make(server: &Server, listening: &Listening<'_>, password: &str) -> Result<()> {
    let Listening { addresses, port, names, rules } = listening;
    certificates(&server.programs, &server.folder, names)?;
    let file = server.folder.join("password");
    write_secret(&file, password)?;
    server.programs.give(&file)?;
    let initial = format!("--pwfile={}", file.display());
    let in_folder = |name: &str| server.folder.join(name).display().to_string();
    let settings = format!(
        "listen_addresses = '{addresses}'\nport = {port}\nssl = on\nssl_cert_file = '{}'\nssl_key_file = '{}'\n",
        in_folder("server.crt"),
        in_folder("server.key"),
    );
    server.make(&["--auth-local=trust", "--auth-host=reject", &initial], &settings)?;
    fs::remove_file(&file)?;
    fs::write(server.data().join("pg_hba.conf"), rules).context("initdb wrote no pg_hba.conf")
}

/// Why there can be no certificates here, if there can be none.
pub(super) fn obstacle() -> Option<&'static str> {
    let has_openssl = sh::succeeds(Command::new("openssl").arg("version"));
    (!has_openssl).then_some("openssl is not installed, which makes its certificates")
}

/// Makes the keys and certificates, as the user who runs the server.
fn certificates(programs: &Programs, folder: &Path, names: &str) -> Result<()> {
    let configuration = folder.join("openssl.cnf");
    fs::write(&configuration, OPENSSL_CONF.replace("NAMES", names))?;
    programs.give(&configuration)?;
    let openssl = |words: &[&str]| sh::capture(programs.tool("openssl", folder).args(words)).map(drop);
    for name in ["ca", "other"] {
        let (subject, key, certificate) =
            (format!("/CN=candlecast {name}"), format!("{name}.key"), format!("{name}.crt"));
        let request = ["req", "-x509", "-config", "openssl.cnf", "-extensions", "authority", "-days", DAYS];
        openssl(
            &[
                &request[..],
                &NEW_KEY,
                &["-subj", subject.as_str(), "-keyout", key.as_str(), "-out", certificate.as_str()],
            ]
            .concat(),
        )?;
    }
    let request = ["req", "-new", "-config", "openssl.cnf", "-keyout", "server.key", "-out", "server.csr"];
    openssl(&[&request[..], &NEW_KEY].concat())?;
    let sign = ["x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
    let extended = ["-days", DAYS, "-extfile", "openssl.cnf", "-extensions", "server", "-out", "server.crt"];
    openssl(&[&sign[..], &extended].concat())
}

/// A port that nobody listens on now.
pub(super) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no port of this machine is free")?;
    Ok(listener.local_addr()?.port())
}

/// Sixteen random bytes, hexadecimal: whoever can connect is the server's administrator.
pub(super) fn password() -> Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).context("no random numbers")?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

fn write_secret(path: &Path, text: &str) -> Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(writeln!(file, "{text}")?)
}
