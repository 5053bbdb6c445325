//! The one binary: devnet, child chain, watcher, wallet, contracts, shell completions.
//!
//! ```text
//! main ─► cli (what was typed) ─► devnet │ nodes │ wallet │ bench │ drill │ …  ─► output (text, or one JSON document)
//!                                      └─ failure ◄─┘        exit code 0, 1 (failed), 2 (usage)
//! ```
//! Options are taken from flags, then the environment (`PENNING_…`), then files, then defaults. Keys and passwords never come from
//! flags (`secrets`). Nothing here decides a rule of the protocol.

mod amount;
mod bench;
mod cli;
mod contracts;
mod devnet;
mod devnet_file;
mod drill;
mod failure;
mod files;
mod nodes;
mod open_files;
mod output;
mod parsing;
mod secrets;
mod settings;
mod wallet;
mod watch;

use clap::Parser;
use cli::Cli;
use failure::{ErrorReport, Told};
use output::Out;
use std::process::ExitCode;

/// Keeps what it frees for a while, and uses it again: a node that handles blocks would get and return pages all the time.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Exit code of a command line that cannot be understood.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    open_files::raise_limit();
    let out = Out::new(cli.command.is_json());
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is::<Told>() {
                out.fail(&ErrorReport::of(&error));
            }
            ExitCode::FAILURE
        }
    }
}

/// Help and version are what was asked for; anything else is an error, for scripts in their shape.
fn usage(error: &clap::Error) -> ExitCode {
    let asked_for_json = std::env::args_os().any(|argument| argument == "--json");
    if error.use_stderr() && asked_for_json {
        let report = ErrorReport {
            code: "usage".to_owned(),
            message: error.to_string().trim().to_owned(),
            next: None,
            txbytes: None,
        };
        Out::new(true).fail(&report);
        return ExitCode::from(USAGE);
    }
    // Nobody is left to hear that this could not be printed.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}
