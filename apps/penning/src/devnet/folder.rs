//! The devnet's data folder: what is where, who uses it, and how it is emptied.
//!
//! It must never delete anything it did not make: a folder that holds other things is refused.

use crate::failure::Failure;
use crate::wallet::{MERGES_FILES, SENT_PAYMENTS_FILES};
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Marks a folder as ours, and is locked while a devnet uses it.
const LOCK: &str = "devnet.lock";
/// Everything a devnet makes.
const ENTRIES: [&str; 10] = [
    LOCK,
    "addresses.json",
    "anvil.log",
    "anvil.pid",
    "anvil-state.json",
    "child-chain",
    "devnet.json",
    "fee_specs.json",
    "postgres",
    "watcher",
];
/// How long an orphaned anvil may take to write its state and end.
const ORPHAN_MS_MAX: u64 = 10_000;

/// A data folder in use by this process.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Takes the folder, after ending whatever a killed devnet left running, and empties it if asked to.
    pub(super) fn take(path: &Path, fresh: bool) -> Result<Self> {
        refuse_foreign(path)?;
        std::fs::create_dir_all(path).with_context(|| format!("creating {}", path.display()))?;
        let path = path.canonicalize()?;
        let lock = File::create(path.join(LOCK)).context("creating the lock file")?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = format!("another devnet runs in {}", path.display());
                return Err(Failure::new("devnet:in_use", message)
                    .next("stop it, or choose another folder with --data-dir")
                    .into());
            }
            Err(TryLockError::Error(error)) => return Err(error).context("locking the folder"),
        }
        let folder = Self { path, _lock: lock };
        folder.end_orphan()?;
        if fresh {
            folder.empty()?;
        }
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        debug_assert!(ENTRIES.contains(&name), "{name} is not in the list");
        self.path.join(name)
    }

    /// Remembers which anvil is ours, for the next start.
    pub(super) fn remember_anvil(&self, process_id: u32) -> Result<()> {
        std::fs::write(self.file("anvil.pid"), process_id.to_string()).context("writing anvil.pid")
    }

    pub(super) fn forget_anvil(&self) {
        // When it stays, the next start finds that the process is gone.
        let _ = std::fs::remove_file(self.file("anvil.pid"));
    }

    /// Ends an anvil that outlived a devnet which was killed, in good order so that it writes its state.
    fn end_orphan(&self) -> Result<()> {
        let recorded = std::fs::read_to_string(self.file("anvil.pid")).ok();
        let recorded = recorded.and_then(|text| text.trim().parse::<i32>().ok());
        let Some(pid) = recorded.and_then(Pid::from_raw).filter(|pid| is_anvil(*pid)) else {
            self.forget_anvil();
            return Ok(());
        };
        tracing::info!(?pid, "ending the anvil that a killed devnet left behind");
        kill_process(pid, Signal::INT).context("ending an orphaned anvil")?;
        let asked = Instant::now();
        while test_kill_process(pid).is_ok() {
            if asked.elapsed() > Duration::from_millis(ORPHAN_MS_MAX) {
                bail!("the anvil of an earlier devnet (process {pid:?}) does not end: kill it");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.forget_anvil();
        Ok(())
    }

    fn empty(&self) -> Result<()> {
        for entry in all_entries().filter(|entry| *entry != LOCK) {
            let path = self.path.join(entry);
            let removed = match path.is_dir() {
                true => std::fs::remove_dir_all(&path),
                false => std::fs::remove_file(&path),
            };
            match removed {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("deleting {}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether this process is an anvil: process ids are used again by others.
fn is_anvil(pid: Pid) -> bool {
    let name = std::fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero()));
    name.is_ok_and(|name| name.trim() == "anvil")
}

/// Wallets keep something beside devnet.json.
fn all_entries() -> impl Iterator<Item = &'static str> {
    ENTRIES.into_iter().chain(SENT_PAYMENTS_FILES).chain(MERGES_FILES)
}

fn refuse_foreign(path: &Path) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(path) else {
        return Ok(());
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let foreign = names.into_iter().find(|name| !all_entries().any(|entry| entry == name));
    match foreign {
        Some(name) if !path.join(LOCK).exists() => {
            let message = format!("{} is not a devnet's folder, it holds {name:?}", path.display());
            Err(Failure::new("devnet:foreign_folder", message)
                .next("choose another with --data-dir")
                .into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_other_things_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let diary = folder.path().join("diary.txt");
        std::fs::write(&diary, "dear").unwrap();
        let error = Folder::take(folder.path(), true).unwrap_err().to_string();
        assert!(error.contains("holds \"diary.txt\""), "{error}");
        assert_eq!(std::fs::read_to_string(diary).unwrap(), "dear");
    }

    #[test]
    fn a_folder_in_use_is_refused_and_a_fresh_start_empties_it() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(".penning");
        let folder = Folder::take(&path, false).unwrap();
        std::fs::create_dir(folder.file("watcher")).unwrap();
        std::fs::write(folder.file("devnet.json"), "{}").unwrap();
        let error = Folder::take(&path, true).unwrap_err().to_string();
        assert!(error.contains("another devnet runs in"), "{error}");
        assert!(folder.file("devnet.json").exists());
        drop(folder);
        let folder = Folder::take(&path, true).unwrap();
        assert!(!folder.file("devnet.json").exists() && !folder.file("watcher").exists());
    }
}
