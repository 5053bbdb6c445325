//! `penning drill`: a byzantine operator attacks, and a watcher with its Sentinel alone defends; every wei is counted afterwards.
//!
//! Everything is real but the time and the operator: anvil, the contracts, the watcher with its store and port, the Sentinel with its
//! key. Nothing outlives the drill, and no running network is touched.
//!
//! ```text
//! network (anvil, contracts) ─► for each attack: rewind ─► round (operator, watcher) ─► attacks: play ─► books: compare ─► report
//! ```

mod attacks;
mod books;
mod coins;
mod network;
mod operator;
mod report;
mod round;
mod watching;

use crate::failure::Told;
use crate::nodes::run_system;
use crate::output::Out;
use anyhow::{Context, Result};
use attacks::Attack;
use clap::Args;
use network::Network;
use plasma_node::telemetry::{LogFormat, init_logging};
use report::{AttackReport, Report};
use round::with_round;
use std::path::{Path, PathBuf};

/// Attack a network of its own in every way an operator can, and count every wei afterwards
///
/// Starts anvil with the contracts, a watcher with a Sentinel, and an operator who lies, each attack from a fresh start, in a temporary
/// folder. Prints which attack was detected and challenged after how many root chain blocks, what it cost, and how it ended. Users start
/// exits of their own money; nobody but the Sentinel challenges, answers, deletes or processes anything. Fails if any honest user lacks a
/// wei, the attacker is not poorer, or the Sentinel made a wrong or failing call.
#[derive(Args, Debug)]
pub(crate) struct DrillArgs {
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// The anvil binary, if it is neither on the PATH nor installed by `npm ci` in contracts/
    #[arg(long, value_name = "FILE")]
    anvil: Option<PathBuf>,
    /// What is logged, in the language of RUST_LOG
    #[arg(long, env = "PENNING_LOG", value_name = "FILTER", default_value = "off")]
    log: String,
}

impl DrillArgs {
    pub(crate) fn run(self) -> Result<()> {
        init_logging(LogFormat::Text, &self.log).context("logging cannot be started")?;
        let folder = tempfile::Builder::new().prefix("penning-drill-").tempdir();
        let folder = folder.context("no temporary folder can be made")?;
        let path = folder.path().to_owned();
        run_system(async move { Box::pin(self.drill(&path)).await })
    }

    async fn drill(self, folder: &Path) -> Result<()> {
        let out = Out::new(self.json);
        out.progress("starting anvil and deploying the contracts");
        let mut network = Network::start(self.anvil.as_deref()).await?;
        let mut attacks = Vec::new();
        for attack in Attack::ALL {
            out.progress(format!("the operator {}", attack.title()));
            network.rewind().await?;
            let store = folder.join(format!("watcher-{}", attacks.len()));
            let report = Box::pin(play(&network, &store, attack)).await;
            attacks.push(report.unwrap_or_else(|error| AttackReport::failed(attack, &error)));
        }
        network.stop().await?;
        let report = Report::new(attacks);
        out.finish(&report)?;
        if report.ok { Ok(()) } else { Err(Told.into()) }
    }
}

async fn play(network: &Network, store: &Path, attack: Attack) -> Result<AttackReport> {
    let round = with_round(network, store, attack.patience(), async |round| {
        let played = attack.play(round).await?;
        Ok(AttackReport::new(attack, played, &round.accounts().await?))
    });
    Box::pin(round).await
}
