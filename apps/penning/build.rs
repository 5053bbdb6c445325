//! Tells the program which commit it was built from: `PENNING_GIT_COMMIT`, seven hex digits, zeros outside of a checkout; and how:
//! `PENNING_BUILD`, for numbers that depend on it.

use std::process::Command;

fn main() {
    let asked = Command::new("git").args(["rev-parse", "--short=7", "HEAD"]).output();
    let commit = asked.ok().filter(|answer| answer.status.success());
    let commit = commit.and_then(|answer| String::from_utf8(answer.stdout).ok());
    let commit = commit.map(|text| text.trim().chars().take(7).collect::<String>());
    let commit = commit.filter(|text| text.len() == 7).unwrap_or_else(|| "0000000".to_owned());
    println!("cargo::rustc-env=PENNING_GIT_COMMIT={commit}");
    let setting = |name| std::env::var(name).unwrap_or_default();
    println!(
        "cargo::rustc-env=PENNING_BUILD={} build, opt-level {}",
        setting("PROFILE"),
        setting("OPT_LEVEL")
    );
    for path in ["HEAD", "logs/HEAD"] {
        println!("cargo::rerun-if-changed=../../.git/{path}");
    }
}
