//! Every command that we tell users to run can be run: those in backticks in our messages and handbooks, and those in their shell
//! blocks, are parsed as they stand.
//!
//! In messages a command must be whole. In handbooks and comments it may also be a bare name, without the arguments it needs.

use super::Cli;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use std::fs;
use std::path::{Path, PathBuf};

const HASH: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";
const ADDRESS: &str = "0x1111111111111111111111111111111111111111";
/// What stands for a value of the user's.
const PLACEHOLDERS: [(&str, &str); 16] = [
    ("{position}", "1000:0:0"),
    ("{currency}", "eth"),
    ("{flag}", "eth"),
    ("{file}", "pack.json"),
    ("{txhash}", HASH),
    ("{tx}", HASH),
    ("TXHASH", HASH),
    ("POSITION", "1000:0:0"),
    ("POS", "1000:0:0"),
    ("ADDRESS", ADDRESS),
    ("CURRENCY", "eth"),
    ("AMOUNT", "1"),
    ("COMMAND", "pay"),
    ("FILE", "file.json"),
    ("TX", HASH),
    ("0x6e1f…", HASH),
];

/// A command, where it stands, and whether it may be a bare name.
struct Told {
    place: String,
    text: String,
    may_be_name: bool,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
}

fn told(path: &Path) -> Vec<Told> {
    let text = fs::read_to_string(path).unwrap().replace("\\\n", " ");
    let is_handbook = path.extension().is_some_and(|extension| extension == "md");
    let mut told = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let place = format!("{}:{number}", path.display());
        let may_be_name = is_handbook || line.trim_start().starts_with("//");
        let mut add = |text: &str| {
            told.push(Told { place: place.clone(), text: text.to_owned(), may_be_name });
        };
        for after in line.split("`penning ").skip(1) {
            let (text, _) = after.split_once('`').unwrap_or_else(|| panic!("{place}: no end"));
            add(text);
        }
        if let Some(text) = line.strip_prefix("penning ").filter(|_| is_handbook) {
            add(text);
        }
    }
    told
}

fn words(text: &str) -> Vec<String> {
    let text = text.split(" #").next().unwrap_or_default().split(" > ").next().unwrap_or_default();
    let mut words = vec!["penning".to_owned()];
    for word in text.split_whitespace().filter(|word| *word != "…") {
        let word = match word {
            "{}" if words.last().is_some_and(|before| before == "--currency") => "eth".to_owned(),
            "{}" if words.last().is_some_and(|before| before == "--from") => "eth-vault".to_owned(),
            "{}" => "1000:0:0".to_owned(),
            // What follows are flags.
            "{tx}{}" => HASH.to_owned(),
            word => PLACEHOLDERS.iter().fold(word.to_owned(), |word, (placeholder, value)| {
                // A value holds no placeholder, and a name in a longer word is none.
                let parts =
                    word.split(':').map(|part| if part == *placeholder { value } else { part });
                parts.collect::<Vec<_>>().join(":")
            }),
        };
        words.push(word);
    }
    words
}

fn check(told: &Told) {
    let Err(error) = Cli::try_parse_from(words(&told.text)) else { return };
    let is_fine = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => true,
        ErrorKind::MissingRequiredArgument
        | ErrorKind::MissingSubcommand
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => told.may_be_name,
        _ => false,
    };
    assert!(is_fine, "{}: `penning {}`: {error}", told.place, told.text);
}

#[test]
fn every_command_that_is_told_to_users_can_be_run() {
    let mut paths = vec![
        root().join("README.md"),
        root().join("apps/plasma-core/src/exit_concierge/advice.rs"),
    ];
    files(&root().join("docs/operate"), "md", &mut paths);
    files(&root().join("apps/penning/src"), "rs", &mut paths);
    paths.retain(|path| !path.ends_with("told_commands.rs"));
    let told: Vec<Told> = paths.iter().flat_map(|path| told(path)).collect();
    assert!(told.len() > 60, "{} commands are too few to be all", told.len());
    told.iter().for_each(check);
}

#[test]
fn the_handbook_lists_every_command_of_the_wallet_as_it_is() {
    let path = root().join("docs/operate/wallet.md");
    let text = fs::read_to_string(&path).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let mut listed = Vec::new();
    for row in rows {
        // Of alternatives the first; what can be left out is there.
        let cell = row.replace("\\|", "/");
        let (cell, _) = cell.split_once(" |").unwrap();
        for text in format!("`{cell}").split('`').skip(1).step_by(2) {
            let text = text.replace(['[', ']'], "");
            let text: Vec<&str> =
                text.split(' ').map(|word| word.split('/').next().unwrap_or(word)).collect();
            listed.push(text.first().copied().unwrap_or_default().to_owned());
            check(&Told {
                place: path.display().to_string(),
                text: format!("wallet {}", text.join(" ").replace(" N", " 0")),
                may_be_name: true,
            });
        }
    }
    let cli = Cli::command();
    let wallet = cli.find_subcommand("wallet").unwrap();
    let commands = wallet.get_subcommands().map(clap::Command::get_name);
    let missing: Vec<&str> =
        commands.filter(|name| *name != "help" && !listed.iter().any(|it| it == name)).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn wrong_commands_are_found_out() {
    for (text, is_fine) in [
        ("wallet key new", false),
        ("wallet exit piggyback", false),
        ("wallet exit piggyback --exit {tx}", true),
        ("wallet exit process", false),
        ("wallet exit process --currency {}", true),
        ("wallet exit start --no-piggyback", false),
        ("wallet status {}", true),
        ("wallet exit --in-flight TX", true),
        ("wallet exit-pack --pack FILE", false),
    ] {
        assert_eq!(Cli::try_parse_from(words(text)).is_ok(), is_fine, "{text}");
    }
}
