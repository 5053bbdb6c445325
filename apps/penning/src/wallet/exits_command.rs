//! `wallet exits`: how far all exits of an account are, and what to do next; with `--watch` until they are over.
//!
//! The watcher is asked, because it knows what is valid and what is in flight. While it is dead, the events of the root chain still
//! tell how far standard exits are.

use super::exit_lines::{ExitLine, RootChainSide, currencies};
use super::session::Session;
use anyhow::Result;
use clap::Args;
use plasma_core::wire::{Address, ExitId};
use plasma_eth::RootChain;
use plasma_rpc::client::ClientError;
use plasma_rpc::json::hex;
use plasma_rpc::watcher::{EXIT_ALL, Exit, ExitAllParams};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::io::IsTerminal;
use std::time::Duration;

/// Most pages of exits that are asked for: ten thousand exits.
const PAGES_MAX: usize = 100;
/// Most exits whose records are asked for in one call.
const RECORDS_MAX: usize = 100;
/// Pause between two looks at the root chain's height.
const POLL: Duration = Duration::from_millis(500);
/// Clears a terminal.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Whose exits.
#[derive(Args)]
pub(super) struct ExitsArgs {
    /// Whose; else those of the key's account
    #[arg(long, value_parser = crate::parsing::address)]
    address: Option<Address>,
    /// Leave out what is over
    #[arg(long)]
    open: bool,
    /// Look again with every root chain block, until all exits are over
    #[arg(long)]
    watch: bool,
}

impl ExitsArgs {
    /// Does it.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
        let account = session.account(self.address)?;
        let mut shown = String::new();
        let mut eth_height = session.root_chain.newest_block().await?.eth_height;
        loop {
            let report = self.look(session, account).await?;
            if !self.watch || report.exits.iter().all(|exit| exit.is_over) {
                return session.out.finish(&report);
            }
            let text = report.to_string();
            if text != shown {
                let clear = if std::io::stdout().is_terminal() { CLEAR } else { "" };
                session.out.tell(format!("{clear}{text}"));
                shown = text;
            }
            let next_block = async {
                while session.root_chain.newest_block().await?.eth_height == eth_height {
                    tokio::time::sleep(POLL).await;
                }
                anyhow::Ok(())
            };
            tokio::select! {
                mined = next_block => mined?,
                stopped = tokio::signal::ctrl_c() => {
                    stopped?;
                    return if session.common.json { session.out.finish(&report) } else { Ok(()) };
                }
            }
            eth_height = session.root_chain.newest_block().await?.eth_height;
        }
    }

    async fn look(&self, session: &Session, account: Address) -> Result<ExitsReport> {
        let (source, mut exits) = match session.watched_exits(account).await {
            Ok(exits) => ("watcher", session.exit_lines(exits, account).await?),
            Err(error) if is_dead(&error) => {
                session.out.progress(format!(
                    "WARNING: the watcher does not answer, so these are the standard exits that the root chain knows, and nobody says whether they are valid: {error:#}"
                ));
                let from = session.network.deployment.eth_height;
                let seen = session.exits(|_, owner| owner == account, from).await?;
                ("root_chain", seen.into_iter().map(Into::into).collect())
            }
            Err(error) => return Err(error),
        };
        exits.retain(|exit| !(self.open && exit.is_over));
        // What is due first comes first, and what is over last.
        exits.sort_by_key(|exit: &ExitLine| (exit.is_over, exit.exitable_at_s, exit.exit_id));
        Ok(ExitsReport { account, source, exits })
    }
}

impl Session {
    /// All exits of an account, as the watcher knows them.
    async fn watched_exits(&self, account: Address) -> Result<Vec<Exit>> {
        self.check_deployment().await?;
        let mut params = ExitAllParams { address: Some(account), ..ExitAllParams::default() };
        let mut exits = Vec::new();
        for _ in 0..PAGES_MAX {
            let page = self.watcher.call(&EXIT_ALL, &params).await?;
            exits.extend(page.exits);
            let Some(cursor) = page.cursor else {
                break;
            };
            params.cursor = Some(cursor.to_u256());
        }
        Ok(exits)
    }

    /// Adds what the root chain knows: bonds, units, prices.
    async fn exit_lines(&self, exits: Vec<Exit>, account: Address) -> Result<Vec<ExitLine>> {
        let open = exits.iter().filter(|exit| !exit.is_over);
        let (standard, in_flight): (Vec<&Exit>, Vec<&Exit>) =
            open.partition(|exit| exit.utxo_pos.is_some());
        let (mut records, mut kept) = (BTreeMap::new(), BTreeMap::new());
        for some in standard.chunks(RECORDS_MAX) {
            let ids: Vec<ExitId> = some.iter().map(|exit| exit.exit_id).collect();
            let found = self.root_chain.standard_exits(&ids).await?;
            records.extend(ids.into_iter().zip(found).filter_map(|(id, it)| Some((id, it?))));
        }
        for some in in_flight.chunks(RECORDS_MAX) {
            let ids: Vec<ExitId> = some.iter().map(|exit| exit.exit_id).collect();
            let found = self.root_chain.in_flight_exits(&ids).await?;
            kept.extend(ids.into_iter().zip(found).filter_map(|(id, it)| Some((id, it?))));
        }
        let price = self.reader.fee_quote().await.ok();
        let price = price
            .map(|quote| quote.base_fee_per_gas_wei.saturating_add(quote.priority_fee_per_gas_wei));
        let denominations = self.denominations(exits.iter().flat_map(currencies)).await?;
        let side = RootChainSide {
            denominations: &denominations,
            records: &records,
            in_flight: &kept,
            gas_price_wei: price,
            now_s: self.root_chain.newest_block().await?.timestamp_s,
        };
        Ok(exits.into_iter().map(|exit| side.line(exit, account)).collect())
    }
}

/// Whether nobody answers at all, or an old watcher that does not know exits.
fn is_dead(error: &anyhow::Error) -> bool {
    let client = error.chain().find_map(|cause| cause.downcast_ref::<ClientError>());
    client.is_some_and(|error| match error {
        ClientError::Api(body) => body.code == plasma_rpc::codes::NOT_FOUND.code,
        other => other.is_transient(),
    })
}

/// What the command prints.
#[derive(Serialize)]
struct ExitsReport {
    #[serde(with = "hex")]
    account: Address,
    /// `watcher`, or `root_chain` when no watcher answers.
    source: &'static str,
    exits: Vec<ExitLine>,
}

impl fmt::Display for ExitsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.exits.is_empty() {
            return f.write_str("no exits");
        }
        for exit in &self.exits {
            writeln!(f, "{exit}")?;
        }
        Ok(())
    }
}
