//! [`Rig`]: a server that one long run has for itself. It is crashed, started again and frozen, and gives each round a
//! database of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::encrypted::{self, Listening};
use super::{PREFIX, Programs, RIG, Server, sweep};
use crate::sh;

/// How long a database may still be in use by a client that has ended.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

/// A server, and how it is reached.
#[derive(Debug)]
pub(crate) struct Rig {
    folder: PathBuf,
    server: Server,
    /// Port and password where it is reached over TCP, encrypted.
    network: Option<(u16, String)>,
}

impl Rig {
    /// Starts a server on a socket. `name` tells this rig from others of the same process.
    pub(crate) fn start(name: &str) -> Result<Self> {
        let rig = Self::new(name)?;
        rig.server.make(&["--auth=trust"], "")?;
        rig.server.start()?;
        Ok(rig)
    }

    /// Starts a server that also listens on `addresses`, of this machine, and takes encrypted connections from
    /// `clients` there, networks such as `127.0.0.0/8`. Its certificate holds the addresses.
    pub(crate) fn start_encrypted(name: &str, addresses: &[&str], clients: &[&str]) -> Result<Self> {
        if let Some(obstacle) = encrypted::obstacle() {
            bail!("{obstacle}");
        }
        let mut rig = Self::new(name)?;
        rig.server.programs.make_folder(&rig.server.folder)?;
        let (port, password) = (encrypted::free_port()?, encrypted::password()?);
        let names: Vec<String> = addresses.iter().map(|address| format!("IP:{address}")).collect();
        let listening =
            Listening { addresses: &addresses.join(","), port, names: &names.join(","), rules: &rules(clients) };
        encrypted::make(&rig.server, &listening, &password)?;
        rig.server.start()?;
        rig.network = Some((port, password));
        Ok(rig)
    }

    fn new(name: &str) -> Result<Self> {
        let programs = Programs::find_or_install().map_err(|reason| anyhow::anyhow!("PostgreSQL: {reason}"))?;
        sweep(&programs);
        let folder = std::env::temp_dir().join(format!("{PREFIX}{}-{name}", std::process::id()));
        programs.make_folder(&folder)?;
        let server = Server { programs, folder: folder.join(RIG) };
        Ok(Self { folder, server, network: None })
    }

    /// Address of a database over the socket.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost:{}/{database}?host={}", self.port(), self.server.folder.display())
    }

    /// Address of a database over TCP, encrypted, from a client that takes the server's certificate only.
    pub(crate) fn verified_url(&self, address: &str, database: &str) -> Result<String> {
        let (port, password) = self.network.as_ref().context("this server listens on its socket only")?;
        let authority = self.server.folder.join("ca.crt");
        Ok(format!(
            "postgres://postgres:{password}@{address}:{port}/{database}?sslmode=verify-full&sslrootcert={}",
            authority.display()
        ))
    }

    /// Makes the database `name` anew: empty, or as `template` is, which nobody may be connected to.
    pub(crate) fn renew(&self, name: &str, template: Option<&str>) -> Result<()> {
        self.sql(&format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"))?;
        let like = template.map(|template| format!(" TEMPLATE \"{template}\"")).unwrap_or_default();
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.sql(&format!("CREATE DATABASE \"{name}\"{like}")) {
                // The server buries the connections of a client that was killed when it notices.
                Err(error) if error.to_string().contains("being accessed") && Instant::now() < deadline => sleep(POLL),
                made => return made.map(drop),
            }
        }
    }

    /// Runs a statement and returns what it answers, a line a row.
    pub(crate) fn sql(&self, statement: &str) -> Result<String> {
        let mut psql = Command::new(self.server.programs.client());
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres", "-h"]);
        psql.arg(&self.server.folder).args(["-p", &self.port().to_string(), "-c", statement]);
        sh::capture(&mut psql)
    }

    /// As a crash would. What was committed is there after [`Rig::start_again`].
    pub(crate) fn crash(&self) {
        self.server.stop();
    }

    /// Starts the server after a crash.
    pub(crate) fn start_again(&self) -> Result<()> {
        self.server.start()
    }

    /// Stops all of the server's processes where they are: it answers nothing, and its connections stay.
    pub(crate) fn freeze(&self) -> Result<()> {
        let main = self.main_process()?;
        signal("-STOP", &[main])?;
        // Now no new ones come.
        signal("-STOP", &children(main))
    }

    /// Lets a frozen server go on.
    pub(crate) fn thaw(&self) -> Result<()> {
        let main = self.main_process()?;
        signal("-CONT", &children(main))?;
        signal("-CONT", &[main])
    }

    fn main_process(&self) -> Result<u32> {
        let file = self.server.data().join("postmaster.pid");
        let text = fs::read_to_string(&file).context("the server does not run")?;
        text.lines().next().and_then(|pid| pid.trim().parse().ok()).context("postmaster.pid names no process")
    }

    fn port(&self) -> u16 {
        self.network.as_ref().map_or(5432, |(port, _)| *port)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // A frozen server would not hear that it is to stop; one that does not run cannot be thawed.
        let _ = self.thaw();
        self.server.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A `pg_hba.conf`: whoever may enter the socket's folder, and encrypted connections from networks with the password.
fn rules(clients: &[&str]) -> String {
    let network = |client: &&str| format!("hostssl all all {client} scram-sha-256\n");
    "local all all trust\n".to_owned() + &clients.iter().map(network).collect::<String>()
}

/// Sends a signal to processes, if there are any.
fn signal(name: &str, processes: &[u32]) -> Result<()> {
    if processes.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = processes.iter().map(u32::to_string).collect();
    sh::capture(Command::new("kill").arg(name).args(ids)).map(drop)
}

/// The processes whose parent is `parent`.
fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| {
        let stat = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("stat")).unwrap_or_default();
        parent_in(&stat) == Some(parent)
    })
    .collect()
}

/// The parent in a `/proc/PID/stat` line (proc(5)), the fourth field; the second is a name in brackets that may hold
/// anything.
fn parent_in(stat: &str) -> Option<u32> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;

    #[test]
    fn parents_are_found_behind_any_name() {
        assert_eq!(parent_in("7 (a (b) c) S 1 7 7 0 -1"), Some(1));
        assert_eq!(parent_in("7 (cut) S"), None);
        assert_eq!(parent_in(""), None);
        assert!(children(std::process::id()).iter().all(|&id| id != std::process::id()));
    }

    #[test]
    fn rules_let_in_what_is_named() {
        assert_eq!(
            rules(&["127.0.0.0/8", "198.18.0.0/15"]),
            "local all all trust\nhostssl all all 127.0.0.0/8 scram-sha-256\nhostssl all all 198.18.0.0/15 scram-sha-256\n"
        );
    }

    #[test]
    fn a_rig_crashes_freezes_and_renews_its_databases() {
        if find().is_none() {
            candlecast_testenv::missing("PostgreSQL: it is not installed (apt-get install postgresql)");
            return;
        }
        let rig = Rig::start("test").unwrap();
        rig.renew("base", None).unwrap();
        rig.renew("round", Some("base")).unwrap();
        rig.renew("round", Some("base")).unwrap();
        assert_eq!(rig.sql("SELECT count(*) FROM pg_database WHERE datname IN ('base', 'round')").unwrap(), "2");
        rig.freeze().unwrap();
        assert!(!children(rig.main_process().unwrap()).is_empty());
        rig.thaw().unwrap();
        assert_eq!(rig.sql("SELECT 1").unwrap(), "1");
        rig.crash();
        assert!(rig.sql("SELECT 1").is_err());
        rig.start_again().unwrap();
        assert_eq!(rig.sql("SELECT 2").unwrap(), "2");
        let folder = rig.folder.clone();
        drop(rig);
        assert!(!folder.exists());
    }
}
