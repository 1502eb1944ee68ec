//! [`Postgres`]: private PostgreSQL servers for the tests. They listen on Unix sockets in a temporary folder only, but
//! for one, which is for encrypted connections, and run as an unprivileged user, since PostgreSQL refuses root.

mod encrypted;
mod rig;

use std::env;
use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use self::encrypted::Encrypted;
pub(crate) use self::rig::Rig;
use crate::{packages, sh};

/// Names the server that the tests share.
pub(crate) const URL_VARIABLE: &str = "CANDLECAST_TEST_POSTGRES";
/// Names a program for a second server: `url` prints its address, `stop` lets it crash, `start` brings it back.
const CTL_VARIABLE: &str = "CANDLECAST_TEST_POSTGRES_CTL";
/// Folders of this program in the system's temporary one; the process's id follows, and of a [`Rig`] its name.
const PREFIX: &str = "candlecast-postgres-";
/// The servers in such a folder, and the one that takes encrypted connections.
const SERVERS: [&str; 2] = ["shared", "stoppable"];
const ENCRYPTED: &str = "encrypted";
/// The server of a [`Rig`].
const RIG: &str = "rig";
/// Where distributions keep the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Tests run side by side, each with pools of its own. Nothing here outlives the machine, so nothing waits for disks.
const SETTINGS: &str = "listen_addresses = ''\nmax_connections = 300\nfsync = off\n";

/// A server that all tests share, one that a test may stop, and one for encrypted connections. All end, and their folder
/// goes, when this is dropped.
#[derive(Debug)]
pub(crate) struct Postgres {
    folder: PathBuf,
    servers: Vec<Server>,
    ctl: PathBuf,
    encrypted: Option<Encrypted>,
}

impl Postgres {
    /// Makes empty servers and starts them. Clears away what a killed run left.
    pub(crate) fn start(programs: &Programs) -> Result<Self> {
        sweep(programs);
        let folder = env::temp_dir().join(format!("{PREFIX}{}", std::process::id()));
        let mut postgres = Self { ctl: folder.join("ctl"), folder, servers: Vec::new(), encrypted: None };
        programs.make_folder(&postgres.folder)?;
        for name in SERVERS {
            let server = Server { programs: programs.clone(), folder: postgres.folder.join(name) };
            server.make(&["--auth=trust"], "")?;
            postgres.servers.push(server);
        }
        let [shared, stoppable] = postgres.servers.as_slice() else { bail!("two servers were to be made") };
        shared.start()?;
        stoppable.start()?;
        stoppable.write_ctl(&postgres.ctl)?;
        if encrypted::obstacle().is_none() {
            postgres.encrypted = Some(Encrypted::start(programs, postgres.folder.join(ENCRYPTED))?);
        }
        Ok(postgres)
    }

    /// What is missing, if anything is.
    pub(crate) fn gap(&self) -> Option<String> {
        let reason = if self.encrypted.is_none() { encrypted::obstacle() } else { None };
        reason.map(|reason| format!("encrypted connections to PostgreSQL: {reason}"))
    }

    /// Tells `command` where the servers are.
    pub(crate) fn pass_to(&self, command: &mut Command) {
        if let Some(shared) = self.servers.first() {
            command.env(URL_VARIABLE, shared.url()).env(CTL_VARIABLE, &self.ctl);
        }
        if let Some(encrypted) = &self.encrypted {
            encrypted.pass_to(command);
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        for server in self.servers.iter().chain(self.encrypted.as_ref().map(|encrypted| &encrypted.server)) {
            server.stop();
        }
        // What cannot be removed now is cleared away by the next run.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// PostgreSQL's programs, and who runs them.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    folder: PathBuf,
    /// Name, user and group id; `None` for whoever runs this.
    user: Option<(String, u32, u32)>,
}

impl Programs {
    /// The programs on the search path, or else the newest version of the distribution's. Where there are none and
    /// this is root, the distribution's package is installed. An error says in words why there are none.
    pub(crate) fn find_or_install() -> Result<Self, String> {
        let is_root = packages::is_root();
        let folder = match find() {
            Some(folder) => folder,
            None => packages::install("postgresql").map(|()| find())?.ok_or("its package brought no initdb")?,
        };
        let user = if is_root {
            let found = ["postgres", "nobody"].iter().find_map(|name| ids(name));
            Some(found.ok_or("it refuses root, and there is no user `postgres` or `nobody`")?)
        } else {
            None
        };
        Ok(Self { folder, user })
    }

    /// PostgreSQL's `program` in the words of a shell, as the unprivileged user.
    fn words(&self, program: &str) -> Vec<String> {
        self.as_user(&self.folder.join(program).display().to_string())
    }

    /// Any program in the words of a shell, as the unprivileged user.
    fn as_user(&self, program: &str) -> Vec<String> {
        match &self.user {
            Some((name, _, _)) => ["runuser", "-u", name, "--", program].map(str::to_owned).to_vec(),
            None => vec![program.to_owned()],
        }
    }

    /// The program that speaks SQL; distributions keep it apart from the server's at times.
    fn client(&self) -> PathBuf {
        let beside = self.folder.join("psql");
        if beside.is_file() { beside } else { "psql".into() }
    }

    fn command(&self, program: &str, folder: &Path) -> Command {
        in_folder(&self.words(program), folder)
    }

    /// A program that is not PostgreSQL's, as the unprivileged user.
    fn tool(&self, program: &str, folder: &Path) -> Command {
        in_folder(&self.as_user(program), folder)
    }

    /// Gives a file or folder to the unprivileged user.
    fn give(&self, path: &Path) -> Result<()> {
        if let Some((_, uid, gid)) = &self.user {
            chown(path, Some(*uid), Some(*gid)).with_context(|| format!("cannot give away {}", path.display()))?;
        }
        Ok(())
    }

    /// A folder that the unprivileged user may write to.
    fn make_folder(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        self.give(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(0o755))?;
        Ok(())
    }
}

/// The command that is written `words`, to be run in `folder`.
fn in_folder(words: &[String], folder: &Path) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).current_dir(folder);
    command
}

/// User and group id of a user, if there is one.
fn ids(name: &str) -> Option<(String, u32, u32)> {
    let id = |what: &str| sh::capture(Command::new("id").args([what, name])).ok()?.parse().ok();
    Some((name.to_owned(), id("-u")?, id("-g")?))
}

fn find() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir(VERSIONS).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut versions: Vec<PathBuf> = versions.collect();
    versions.sort_by_key(|version| std::cmp::Reverse(number(version)));
    let mut candidates = env::split_paths(&path).chain(versions.into_iter().map(|version| version.join("bin")));
    candidates.find(|folder| ["initdb", "pg_ctl"].iter().all(|name| folder.join(name).is_file()))
}

/// The version that a folder is named after; 0 for other names.
fn number(folder: &Path) -> u32 {
    folder.file_name().and_then(|name| name.to_str()?.parse().ok()).unwrap_or(0)
}

/// One server, in a folder of its own.
#[derive(Debug)]
struct Server {
    programs: Programs,
    folder: PathBuf,
}

impl Server {
    /// Makes an empty server. `options` are initdb's, of who may connect; `settings` come after those of all servers.
    fn make(&self, options: &[&str], settings: &str) -> Result<()> {
        self.programs.make_folder(&self.folder)?;
        let mut initdb = self.programs.command("initdb", &self.folder);
        initdb.arg("-D").arg(self.data());
        initdb.args(["-U", "postgres", "--encoding=UTF8", "--no-locale", "--no-sync"]).args(options);
        sh::capture(&mut initdb)?;
        let file = self.data().join("postgresql.conf");
        let mut file = OpenOptions::new().append(true).open(&file).context("initdb wrote no postgresql.conf")?;
        writeln!(file, "{SETTINGS}unix_socket_directories = '{}'\n{settings}", self.folder.display())?;
        Ok(())
    }

    fn start(&self) -> Result<()> {
        // The server keeps what it inherits, so nothing that somebody waits for may be passed on.
        let mut command = self.pg_ctl(&self.start_words());
        if sh::succeeds(&mut command) {
            return Ok(());
        }
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        bail!("PostgreSQL did not start in {}: {}", self.folder.display(), log.trim())
    }

    /// As a crash would: what was committed is recovered at the next start.
    fn stop(&self) {
        // A server that does not run needs no stopping.
        let _ = self.pg_ctl(&self.stop_words()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }

    fn pg_ctl(&self, words: &[String]) -> Command {
        let mut command = self.programs.command("pg_ctl", &self.folder);
        command.args(words);
        command
    }

    fn start_words(&self) -> Vec<String> {
        let (data, log) = (self.data().display().to_string(), self.log().display().to_string());
        ["-D", &data, "-l", &log, "-w", "-s", "start"].map(str::to_owned).to_vec()
    }

    fn stop_words(&self) -> Vec<String> {
        ["-D", &self.data().display().to_string(), "-m", "immediate", "-w", "-s", "stop"].map(str::to_owned).to_vec()
    }

    fn url(&self) -> String {
        format!("postgres://postgres@localhost/postgres?host={}", self.folder.display())
    }

    /// Writes the program that [`CTL_VARIABLE`] names.
    fn write_ctl(&self, path: &Path) -> Result<()> {
        let line = |words: Vec<String>| {
            let all = [self.programs.words("pg_ctl"), words].concat();
            all.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ")
        };
        let script = format!(
            "#!/bin/sh\ncase \"$1\" in\n  url) echo '{}' ;;\n  stop) exec {} ;;\n  start) exec {} ;;\n  *) exit 2 ;;\nesac\n",
            self.url(),
            line(self.stop_words()),
            line(self.start_words()),
        );
        fs::write(path, script).with_context(|| format!("cannot write {}", path.display()))?;
        fs::set_permissions(path, Permissions::from_mode(0o755))?;
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

/// Stops the servers of runs that were killed and removes their folders, where the system tells who still runs.
fn sweep(programs: &Programs) {
    if !Path::new("/proc/self").exists() {
        return;
    }
    for entry in fs::read_dir(env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(pid) = process_of(&name) else { continue };
        if Path::new("/proc").join(pid.to_string()).exists() {
            continue;
        }
        for server in SERVERS.into_iter().chain([ENCRYPTED, RIG]) {
            Server { programs: programs.clone(), folder: entry.path().join(server) }.stop();
        }
        // A folder of another user is that one's to clear away.
        let _ = fs::remove_dir_all(entry.path());
    }
}

/// The process that a folder called `name` belongs to; `None` for other folders.
fn process_of(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `pg_ctl -w` waits until a server takes connections, so there is one behind its socket or there is none.
    fn answers(server: &Server) -> bool {
        std::os::unix::net::UnixStream::connect(server.folder.join(".s.PGSQL.5432")).is_ok()
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(number(Path::new("/usr/lib/postgresql/15")) > number(Path::new("/usr/lib/postgresql/9")));
        assert_eq!(number(Path::new("/usr/lib/postgresql/README")), 0);
    }

    #[test]
    fn folders_tell_their_process() {
        assert_eq!(
            (process_of("candlecast-postgres-12"), process_of("candlecast-postgres-12-kill")),
            (Some(12), Some(12))
        );
        assert_eq!((process_of("candlecast-postgres-"), process_of("candlecast-12")), (None, None));
    }

    #[test]
    fn servers_start_crash_return_and_leave_nothing() {
        let Some(_) = find() else {
            candlecast_testenv::missing("PostgreSQL: it is not installed (apt-get install postgresql)");
            return;
        };
        let programs = Programs::find_or_install().unwrap();
        let postgres = Postgres::start(&programs).unwrap();
        let (shared, stoppable) = (&postgres.servers[0], &postgres.servers[1]);
        assert!(answers(shared) && answers(stoppable));
        let ctl = |what: &str| sh::succeeds(Command::new(&postgres.ctl).arg(what));
        assert_eq!(sh::capture(Command::new(&postgres.ctl).arg("url")).unwrap(), stoppable.url());
        assert!(ctl("stop") && !answers(stoppable) && answers(shared));
        assert!(ctl("start") && answers(stoppable));
        assert!(!ctl("other"));
        assert_eq!(postgres.gap().is_none(), postgres.encrypted.is_some());
        if let Some(encrypted) = &postgres.encrypted {
            let made = |name: &str| encrypted.server.folder.join(name).is_file();
            assert!(made("ca.crt") && made("other.crt") && !made("password"));
            let mut child = Command::new("env");
            postgres.pass_to(&mut child);
            let variables = sh::capture(&mut child).unwrap();
            assert!(variables.contains("CANDLECAST_TEST_POSTGRES_TLS=postgres://postgres:"), "{variables}");
        }
        let folder = postgres.folder.clone();
        drop(postgres);
        assert!(!folder.exists());
    }
}
