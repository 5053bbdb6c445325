//! Processes that run as long as a test wants: free ports for them, their logs when the test fails, and no orphans.

use crate::kit::{binary, clean_env};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::BufReader;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a process may take to end after it was asked to.
const STOP_MAX: Duration = Duration::from_secs(15);
/// Pause between two looks at another process.
pub(crate) const POLL: Duration = Duration::from_millis(20);
/// Lines of a log that are shown when a test fails.
const LOG_LINES: usize = 60;

/// A running penning. What it logs goes to `<name>.log` in its folder.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(crate) fn start(
        folder: &Path,
        name: &str,
        arguments: &[&str],
        env: &[(&str, &str)],
    ) -> Self {
        let log = folder.join(format!("{name}.log"));
        let open = || OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let mut command = Command::new(binary());
        clean_env(&mut command);
        command.args(arguments).envs(env.iter().copied()).current_dir(folder).stdin(Stdio::null());
        let child = command.stdout(Stdio::piped()).stderr(open()).spawn().unwrap();
        Self { name: name.to_owned(), child, log }
    }

    /// Waits for a JSON document on standard output; `None` when the process ends without one.
    pub(crate) fn document(&mut self) -> Option<Value> {
        let stdout = BufReader::new(self.child.stdout.as_mut()?);
        serde_json::Deserializer::from_reader(stdout).into_iter().next()?.ok()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGKILL: it cannot do anything about that.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, as Ctrl-C does, and waits for that.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.wait_for_stop().unwrap_or_else(|| {
            panic!("{} does not stop within {} s\n{}", self.name, STOP_MAX.as_secs(), self.log())
        })
    }

    /// How it ended, if it does in time.
    pub(crate) fn wait(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let started = Instant::now();
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return Some(status),
                None if started.elapsed() > timeout => return None,
                None => std::thread::sleep(POLL),
            }
        }
    }

    /// The end of its log.
    pub(crate) fn log(&self) -> String {
        format!("--- the end of {}\n{}", self.log.display(), tail(&self.log))
    }

    /// Asks it to end, and waits for that as long as one can.
    pub(crate) fn wait_for_stop(&mut self) -> Option<ExitStatus> {
        self.interrupt();
        self.wait(STOP_MAX)
    }

    fn interrupt(&mut self) {
        if self.is_running() {
            kill_process(pid(self.child.id()), Signal::INT).unwrap();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
        if self.wait_for_stop().is_none() {
            self.kill();
        }
    }
}

/// The last lines of a file, or why there are none.
pub(crate) fn tail(path: &Path) -> String {
    let text = match std::fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return error.to_string(),
    };
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.try_into().unwrap()).unwrap()
}

/// Whether this process is an anvil that serves this folder: numbers of processes are used again.
pub(crate) fn is_anvil_of(process_id: u32, folder: &Path) -> bool {
    let arguments = std::fs::read(format!("/proc/{process_id}/cmdline")).unwrap_or_default();
    let arguments = String::from_utf8_lossy(&arguments).into_owned();
    arguments.contains("anvil") && arguments.contains(folder.to_str().unwrap())
}

/// Ends an anvil that was left behind.
pub(crate) fn kill_anvil_of(process_id: u32, folder: &Path) {
    if is_anvil_of(process_id, folder) {
        // It may have ended in between.
        let _ = kill_process(pid(process_id), Signal::KILL);
    }
}

/// A port that nobody listens on, different at every call. Not from the range that the system gives to clients, who would take it
/// between this look and its use.
pub(crate) fn free_port() -> u16 {
    const FIRST: u32 = 12_000;
    const COUNT: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..COUNT {
        let next = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(std::process::id() * 61);
        let port = u16::try_from(FIRST + next % COUNT).unwrap();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port");
}

/// Moments that look random and are the same in every run.
pub(crate) struct Moments(u64);

impl Moments {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next_ms(&mut self, below: u64) -> u64 {
        // Knuth's multiplier; the upper bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % below
    }
}

/// Looks again and again, until there is an answer.
pub(crate) fn wait_for<T>(what: &str, timeout: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < timeout, "waited {} s for {what}", timeout.as_secs());
        std::thread::sleep(POLL);
    }
}
