//! The machine a number was measured on, and how much of its memory this process takes.
//!
//! What the system does not say is shown as unknown: a missing file is no reason not to measure.

use serde::Serialize;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where and when.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    /// Day of the run, UTC.
    pub(super) date: String,
    /// What was typed.
    pub(super) command: String,
    /// Commit the program was built from.
    pub(super) commit: &'static str,
    /// How it was built.
    pub(super) build: &'static str,
    /// Model of the processor.
    pub(super) cpu: String,
    /// Cores that were used.
    pub(super) cores: usize,
    /// Memory in bytes.
    pub(super) memory_len: u64,
    /// Version of the kernel.
    pub(super) kernel: String,
    /// Kind of file system the stores are on.
    pub(super) file_system: String,
    /// Processes that were running or waiting to, on average over the minute before.
    pub(super) load: String,
}

impl Machine {
    /// Looks around.
    pub(super) fn look(folder: &Path) -> Self {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let date = chrono::DateTime::from_timestamp(i64::try_from(now_s).unwrap_or_default(), 0);
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        Self {
            date: date.unwrap_or_default().format("%Y-%m-%d").to_string(),
            command: format!("penning {}", arguments.join(" ")),
            commit: env!("PENNING_GIT_COMMIT"),
            build: env!("PENNING_BUILD"),
            cpu: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_len: bytes("/proc/meminfo", "MemTotal"),
            kernel: read("/proc/sys/kernel/osrelease"),
            file_system: file_system(folder),
            load: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

/// The most memory the process took, part by part.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct PeakMemory {
    /// Name of the part, and bytes.
    pub(super) parts: Vec<(&'static str, u64)>,
}

impl PeakMemory {
    /// A part is over: notes its peak, the highest of several parts with one name, and starts anew.
    pub(super) fn note(&mut self, part: &'static str) {
        let peak = bytes("/proc/self/status", "VmHWM");
        match self.parts.iter_mut().find(|(name, _)| *name == part) {
            Some((_, highest)) => *highest = (*highest).max(peak),
            None => self.parts.push((part, peak)),
        }
        // Resets the peak. Where that is not allowed, peaks are those since the start.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
    }
}

/// Bytes the process takes now.
pub(super) fn resident_len() -> u64 {
    bytes("/proc/self/status", "VmRSS")
}

/// Processor time the process has taken on all cores, in seconds; counted in hundredths.
pub(super) fn processor_s() -> f64 {
    /// Ticks a second, on every Linux there is.
    const TICKS_PER_S: f64 = 100.0;
    let stat = read("/proc/self/stat");
    // Fields are counted from behind the name, which may hold anything: 14 and 15 are the time in the program and in the system.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_S
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).map_or_else(|_| "unknown".into(), |text| text.trim().to_owned())
}

/// The value of the first line `name: value`.
fn field(path: &str, name: &str) -> String {
    let text = read(path);
    let found = text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then(|| value.trim().to_owned())
    });
    found.unwrap_or_else(|| "unknown".into())
}

/// The same for `name: <number> kB`.
fn bytes(path: &str, name: &str) -> u64 {
    let value = field(path, name);
    let kib = value.split(' ').next().and_then(|number| number.parse::<u64>().ok());
    kib.unwrap_or_default().saturating_mul(1_024)
}

fn file_system(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mounts = read("/proc/mounts");
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (at, kind) = (words.next()?, words.next()?);
        folder.starts_with(at).then(|| (at.len(), kind.to_owned()))
    });
    mounts.max_by_key(|(len, _)| *len).map_or_else(|| "unknown".into(), |(_, kind)| kind)
}
