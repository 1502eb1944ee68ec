//! [`Target`]: what `DATABASE_URL` says, and how its connections are to be encrypted.

use std::fmt;
use std::fs::File;
use std::net::IpAddr;
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use crate::{CallLimits, MetaError};

/// Modes of encryption, as PostgreSQL's own programs call them.
const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
/// Names that the driver takes for `sslmode` and `sslrootcert`.
const MODE_NAMES: [&str; 2] = ["sslmode", "ssl-mode"];
const ROOT_NAMES: [&str; 3] = ["sslrootcert", "ssl-root-cert", "ssl-ca"];
/// Parameters that name files.
const FILE_NAMES: [&str; 7] = ["sslrootcert", "ssl-root-cert", "ssl-ca", "sslcert", "ssl-cert", "sslkey", "ssl-key"];
/// In place of a file: the authorities of the system, which are trusted in any case.
const SYSTEM_ROOTS: &str = "system";

/// Where connections go, and with what.
pub(super) struct Target {
    /// For the driver.
    pub(super) options: PgConnectOptions,
    /// Host, port and database, without user and password.
    pub(super) place: String,
    /// What whoever runs this should know.
    pub(super) warning: Option<String>,
}

/// The driver's options print their password.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Target {
    /// Reads a URL. No error repeats it: it may hold a password.
    pub(super) fn read(text: &str, limits: CallLimits) -> Result<Self, MetaError> {
        let url = Url::parse(text).map_err(|_| bad_form())?;
        let mode = given_mode(&url)?;
        expect_files(&url)?;
        let options = PgConnectOptions::from_str(without_system_roots(&url).as_str()).map_err(|_| bad_form())?;
        // The brackets of an address belong to the URL, not to the address.
        let host = options.get_host().trim_matches(['[', ']']).to_owned();
        let options = options.host(&host);
        let named = options.get_application_name().is_some();
        let options = if named { options } else { options.application_name("candlecast") };
        let options = with_limits(options, limits);

        let way = Way::to(&options);
        let has_root = parameters(&url, &ROOT_NAMES).any(|root| root != SYSTEM_ROOTS);
        let mode = chosen_mode(way, mode.unwrap_or(options.get_ssl_mode()), mode.is_some(), has_root);
        let options = options.ssl_mode(mode);
        let database = options.get_database().unwrap_or_else(|| options.get_username());
        let shown = if host.contains(':') { format!("[{host}]") } else { host };
        let place = format!("postgres://{shown}:{}/{database}", options.get_port());
        let warning = plain_text_warning(way, mode, &place);
        Ok(Self { options, place, warning })
    }
}

fn bad_form() -> MetaError {
    wrong("not of the form postgres://user:password@host:5432/database".into())
}

fn wrong(detail: String) -> MetaError {
    MetaError::Open { place: "DATABASE_URL".into(), detail }
}

/// Values of the parameters called one of `names`.
fn parameters(url: &Url, names: &'static [&'static str]) -> impl Iterator<Item = String> {
    url.query_pairs().filter(move |(name, _)| names.contains(&&**name)).map(|(_, value)| value.into_owned())
}

/// The mode that the URL itself gives.
fn given_mode(url: &Url) -> Result<Option<PgSslMode>, MetaError> {
    let Some(text) = parameters(url, &MODE_NAMES).last() else { return Ok(None) };
    let text: String = text.chars().take(40).collect();
    let mode: PgSslMode =
        text.parse().map_err(|_| wrong(format!("sslmode `{text}` is none of {}", MODES.join(", "))))?;
    Ok(Some(mode))
}

/// What is missing is named here: the driver would only say that a file is not there.
fn expect_files(url: &Url) -> Result<(), MetaError> {
    for (name, value) in
        url.query_pairs().filter(|(name, value)| FILE_NAMES.contains(&&**name) && value != SYSTEM_ROOTS)
    {
        File::open(&*value).map_err(|error| wrong(format!("{name} names the file {value}: {error}")))?;
    }
    Ok(())
}

/// The URL without `sslrootcert=system`, which the driver would take for a file.
fn without_system_roots(url: &Url) -> Url {
    let is_system = |name: &str, value: &str| ROOT_NAMES.contains(&name) && value == SYSTEM_ROOTS;
    if !url.query_pairs().any(|(name, value)| is_system(&name, &value)) {
        return url.clone();
    }
    let kept: Vec<(String, String)> =
        url.query_pairs().filter(|(name, value)| !is_system(name, value)).map(|(n, v)| (n.into(), v.into())).collect();
    let mut url = url.clone();
    url.query_pairs_mut().clear().extend_pairs(kept);
    url
}

/// Adds what the server is to know of `limits`; what the URL sets by `options` counts.
fn with_limits(options: PgConnectOptions, limits: CallLimits) -> PgConnectOptions {
    let given = options.get_options().unwrap_or_default().to_owned();
    let settings = [
        ("statement_timeout", limits.statement),
        ("lock_timeout", limits.lock),
        ("idle_in_transaction_session_timeout", limits.statement),
    ];
    let missing = settings.into_iter().filter(|(name, _)| !given.contains(name));
    // Nought would mean no limit at all.
    options.options(missing.map(|(name, limit)| (name, limit.as_millis().max(1))))
}

/// What lies between this program and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A socket in the file system.
    Socket,
    /// This machine's own network.
    Loopback,
    /// Any other network.
    Remote,
}

impl Way {
    fn to(options: &PgConnectOptions) -> Self {
        let host = options.get_host();
        if options.get_socket().is_some() || host.starts_with('/') {
            return Self::Socket;
        }
        let is_own = |address: IpAddr| address.to_canonical().is_loopback();
        if host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_own) {
            Self::Loopback
        } else {
            Self::Remote
        }
    }
}

/// How connections are encrypted where `mode` is given by the URL (`is_explicit`), by `PGSSLMODE`, or the driver's
/// default, which is `prefer`.
fn chosen_mode(way: Way, mode: PgSslMode, is_explicit: bool, has_root: bool) -> PgSslMode {
    match mode {
        // As for PostgreSQL's own programs: nobody else reads on a socket, and no server encrypts there.
        _ if way == Way::Socket => PgSslMode::Disable,
        // Whoever names an authority wants to be sure; PostgreSQL's own programs take it so, too.
        PgSslMode::Require if has_root => PgSslMode::VerifyCa,
        PgSslMode::Prefer if !is_explicit && (has_root || way == Way::Remote) => PgSslMode::VerifyFull,
        _ => mode,
    }
}

/// Said where passwords and records may cross a network in the clear.
fn plain_text_warning(way: Way, mode: PgSslMode, place: &str) -> Option<String> {
    let name = match mode {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        _ => return None,
    };
    (way == Way::Remote).then(|| {
        format!(
            "connections to the metadata database at {place} may not be encrypted (sslmode={name}), so that others on \
             the network can read and alter what is sent: use sslmode=verify-full in DATABASE_URL"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Target {
        Target::read(url, CallLimits::default()).unwrap()
    }

    fn mode(url: &str) -> PgSslMode {
        read(url).options.get_ssl_mode()
    }

    #[test]
    fn other_hosts_are_verified_unless_the_url_says_otherwise() {
        for host in ["db", "10.0.0.5", "0.0.0.0", "db.example.org:6432", "[2001:db8::1]", "localhost.example.org"] {
            let url = format!("postgres://me:hunter2@{host}/x");
            assert!(matches!(mode(&url), PgSslMode::VerifyFull), "{host}");
            assert_eq!(read(&url).warning, None, "{host}");
        }
        for host in ["localhost", "LOCALHOST:6432", "127.0.0.1", "127.1.2.3", "[::1]", "[::ffff:127.0.0.1]"] {
            assert!(matches!(mode(&format!("postgres://me@{host}/x")), PgSslMode::Prefer), "{host}");
        }
        assert!(matches!(mode("postgres://me@db/x?host=localhost"), PgSslMode::Prefer));
        assert!(matches!(mode("postgres://me@localhost/x?host=db"), PgSslMode::VerifyFull));
        assert!(matches!(mode("postgres://me@localhost/x?hostaddr=10.0.0.5"), PgSslMode::VerifyFull));
    }

    #[test]
    fn what_the_url_gives_counts() {
        let with = |query: &str| mode(&format!("postgres://me@db/x?{query}"));
        assert!(matches!(with("sslmode=disable"), PgSslMode::Disable));
        assert!(matches!(with("sslmode=allow"), PgSslMode::Allow));
        assert!(matches!(with("sslmode=prefer"), PgSslMode::Prefer));
        assert!(matches!(with("ssl-mode=require"), PgSslMode::Require));
        assert!(matches!(with("sslmode=VERIFY-CA"), PgSslMode::VerifyCa));
        assert!(matches!(with("sslmode=disable&sslmode=verify-full"), PgSslMode::VerifyFull));
        for plain in ["disable", "allow", "prefer"] {
            let warning = read(&format!("postgres://me:hunter2@db/x?sslmode={plain}")).warning.unwrap();
            assert!(
                warning.contains(&format!("sslmode={plain}")) && warning.contains("postgres://db:5432/x"),
                "{warning}"
            );
            assert!(warning.contains("verify-full") && !warning.contains("hunter2"), "{warning}");
            assert_eq!(read(&format!("postgres://me@127.0.0.1/x?sslmode={plain}")).warning, None);
        }
        assert_eq!(read("postgres://me@db/x?sslmode=require").warning, None);
    }

    #[test]
    fn a_named_authority_is_asked() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("ca.crt");
        std::fs::write(&root, "").unwrap();
        let with =
            |host: &str, query: &str| mode(&format!("postgres://me@{host}/x?sslrootcert={}{query}", root.display()));
        assert!(matches!(with("localhost", ""), PgSslMode::VerifyFull));
        assert!(matches!(with("db", ""), PgSslMode::VerifyFull));
        assert!(matches!(with("db", "&sslmode=require"), PgSslMode::VerifyCa));
        assert!(matches!(with("db", "&sslmode=disable"), PgSslMode::Disable));
        assert!(matches!(mode("postgres://me@db/x?sslrootcert=system&sslmode=require"), PgSslMode::Require));
    }

    #[test]
    fn sockets_need_no_encryption() {
        for url in ["postgres://me@localhost/x?host=/run/pg", "postgres://me@%2Frun%2Fpg/x?sslmode=require"] {
            let target = read(url);
            assert!(matches!(target.options.get_ssl_mode(), PgSslMode::Disable), "{url}");
            assert_eq!(target.warning, None);
        }
    }

    #[test]
    fn addresses_lose_the_brackets_of_the_url() {
        let target = read("postgres://me@[::1]:6432/x");
        assert_eq!((target.options.get_host(), target.place.as_str()), ("::1", "postgres://[::1]:6432/x"));
    }

    #[test]
    fn the_server_is_told_the_limits_unless_the_url_sets_its_own() {
        let options = |url: &str| read(url).options.get_options().unwrap_or_default().to_owned();
        assert_eq!(
            options("postgres://me@localhost/x"),
            "-c statement_timeout=60000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=60000"
        );
        let own = options("postgres://me@localhost/x?options=-c%20search_path%3Da%20-c%20statement_timeout%3D1s");
        assert!(own.starts_with("-c search_path=a -c statement_timeout=1s -c lock_timeout=5000"), "{own}");
        assert!(!own.contains("-c statement_timeout=60000"), "{own}");
        let nought = CallLimits { lock: std::time::Duration::ZERO, ..CallLimits::default() };
        let options = Target::read("postgres://me@localhost/x", nought).unwrap().options;
        assert!(options.get_options().unwrap_or_default().contains("-c lock_timeout=1 "));
    }

    #[test]
    fn what_is_wrong_is_named_without_the_password() {
        let refused = |query: &str| {
            let url = format!("postgres://me:hunter2@db/x?{query}");
            let error = Target::read(&url, CallLimits::default()).unwrap_err();
            assert!(matches!(error, MetaError::Open { .. }) && !error.to_string().contains("hunter2"), "{error}");
            error.to_string()
        };
        let error = refused("sslmode=on");
        assert!(error.contains("sslmode `on`") && error.contains("verify-full"), "{error}");
        for name in FILE_NAMES {
            let error = refused(&format!("{name}=/nowhere/a.pem"));
            assert!(error.contains(name) && error.contains("/nowhere/a.pem"), "{error}");
        }
        for bad in ["postgres://me:hunter2@[", "hunter2", "postgres://me:hunter2@db:port/x"] {
            let error = Target::read(bad, CallLimits::default()).unwrap_err();
            assert!(matches!(error, MetaError::Open { .. }) && !error.to_string().contains("hunter2"), "{error}");
        }
    }
}
