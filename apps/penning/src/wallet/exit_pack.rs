//! `wallet exit-pack` and `wallet exit start --pack`: proofs kept for the day on which operator and watcher are gone.
//!
//! It must never pay a bond for a pack that was not checked as a whole: deployment, proofs and owner first, then the exits. With the
//! file, nothing is asked but the root chain. That cannot tell whether an output was spent since: make packs anew after paying.

use super::exits::currency_flag;
use super::packs::{ExitPack, PACK_BYTES_MAX, PACK_OUTPUTS_MAX, PackedExit};
use super::session::Session;
use super::view::{AmountView, PositionView, digits};
use crate::failure::{ErrorReport, Failure};
use crate::files::{read_text, write_private};
use anyhow::{Context, Result};
use clap::Args;
use plasma_core::wire::ids::output_id;
use plasma_core::wire::{Address, Currency, ExitId, H256, SecretKey, UtxoPos};
use plasma_eth::{RootChain, RootChainError};
use plasma_rpc::json::hex;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// Exits whose records are asked for at once.
const RECORDS_MAX: usize = 100;

/// What to pack.
#[derive(Args)]
pub(super) struct ExitPackArgs {
    /// The output, such as 1000:0:1, or `all` of an account; again for more
    #[arg(long = "output", value_name = "POS|all", default_value = "all", value_parser = wanted)]
    outputs: Vec<Wanted>,
    /// Whose outputs are packed with `all`; else those of the key's account
    #[arg(long, value_parser = crate::parsing::address)]
    address: Option<Address>,
    /// Write the pack to this file; else it is printed
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Output(UtxoPos),
}

fn wanted(text: &str) -> Result<Wanted, String> {
    if text == "all" {
        return Ok(Wanted::All);
    }
    let position = crate::parsing::position(text).map(Wanted::Output);
    position.map_err(|error| format!("{error}; or `all`"))
}

impl ExitPackArgs {
    /// Does it.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
        let (mut positions, mut chosen) = (BTreeSet::new(), BTreeSet::new());
        for wanted in &self.outputs {
            match wanted {
                Wanted::Output(position) => {
                    chosen.insert(*position);
                }
                Wanted::All => {
                    let owner = session.account(self.address)?;
                    positions.extend(session.utxos(owner).await?.into_keys());
                }
            }
        }
        chosen.retain(|position| !positions.contains(position));
        positions.extend(&chosen);
        if positions.is_empty() {
            return Err(Failure::new("pack:nothing", "this account has no outputs to pack").into());
        }
        if positions.len() > PACK_OUTPUTS_MAX {
            let message = format!(
                "{} outputs are too many for one pack: {PACK_OUTPUTS_MAX} at most",
                positions.len()
            );
            return Err(Failure::new("pack:too_many_outputs", message)
                .next("join small outputs with `penning wallet merge`, or choose with --output")
                .into());
        }
        let pack = session.pack(&positions, &chosen).await?;
        let json = pack.to_json()?;
        match self.out {
            None => session.out.finish(&Printed(serde_json::from_str(&json)?)),
            Some(file) => {
                write_private(&file, &json)
                    .with_context(|| format!("writing {}", file.display()))?;
                let outputs = positions.into_iter().map(PositionView::from).collect();
                session.out.finish(&PackReport { bytes: json.len(), file, outputs })
            }
        }
    }
}

impl Session {
    /// What it takes to exit these outputs, from the watcher, checked against the root chain. The watcher did not list the `chosen`
    /// ones, so it is asked whether they can leave.
    async fn pack(
        &self,
        positions: &BTreeSet<UtxoPos>,
        chosen: &BTreeSet<UtxoPos>,
    ) -> Result<ExitPack> {
        let mut outputs = Vec::new();
        for position in positions {
            let exit = match chosen.contains(position) {
                true => self.exit_data(*position, false).await?,
                false => self.watcher_exit_data(*position).await?,
            };
            outputs.push(PackedExit::new(exit).map_err(|what| malformed(*position, what))?);
        }
        let deployment = &self.network.deployment;
        let plasma_framework = deployment.addresses.plasma_framework;
        let pack = ExitPack { chain_id: deployment.chain_id, plasma_framework, outputs };
        self.check_proofs(&pack.outputs).await?;
        Ok(pack)
    }

    async fn check_proofs(&self, outputs: &[PackedExit]) -> Result<()> {
        for output in outputs {
            let position = output.exit.position;
            let block = self.reader.child_block(position.blknum).await?;
            let is_proven = block.is_some_and(|block| output.is_in(block.root));
            if !is_proven {
                let what = "its proof does not fit the root of its block on the root chain";
                return Err(malformed(position, what).into());
            }
        }
        Ok(())
    }

    /// Starts the exits of a pack, or of one output in it, for as far as they are the key's and not on their way.
    pub(super) async fn start_pack(
        &self,
        file: &Path,
        only: Option<UtxoPos>,
        force: bool,
    ) -> Result<()> {
        let mut pack = self.read_pack(file)?;
        if let Some(only) = only {
            pack.outputs.retain(|output| output.exit.position == only);
        }
        if pack.outputs.is_empty() {
            return Err(
                Failure::new("pack:output_not_found", "this output is not in the pack").into()
            );
        }
        let proven = self.check_proofs(&pack.outputs).await;
        proven.map_err(|error| {
            if only.is_some() { error } else { one_by_one(error, file, pack.outputs.len()) }
        })?;
        let key = self.key()?;
        let (mut to_start, mut skipped) = self.sort_out(&key, pack.outputs).await?;
        to_start.retain(|output| {
            let output = output.exit.position;
            let checked = self.check_not_signed_away(output, force);
            let Err(reason) = checked else { return true };
            skipped.push(Skipped { output: output.into(), reason: advice(&reason) });
            false
        });
        if to_start.is_empty() {
            return Err(nothing_to_exit(&skipped).into());
        }
        self.out.progress("nobody was asked whether these outputs were spent: whoever proves that one was gets its bond");
        let mut report = StartPackReport { started: Vec::new(), skipped, next: String::new() };
        for output in to_start {
            let position = output.exit.position;
            match self.start_packed(&key, &output).await {
                Ok(started) => report.started.push(started),
                // This one will not do, and the others may.
                Err(error) if is_refused(&error) => report
                    .skipped
                    .push(Skipped { output: position.into(), reason: format!("{error:#}") }),
                Err(error) => {
                    let count = report.started.len();
                    return Err(error.context(format!(
                        "{count} exits were started before {position}; run this again to go on"
                    )));
                }
            }
        }
        if report.started.is_empty() {
            return Err(nothing_to_exit(&report.skipped).into());
        }
        report.next = next_step(&report.started);
        self.out.finish(&report)
    }

    fn read_pack(&self, file: &Path) -> Result<ExitPack> {
        let bytes_max = u64::try_from(PACK_BYTES_MAX).unwrap_or(u64::MAX);
        let text = read_text(file, bytes_max)
            .with_context(|| format!("{} cannot be read", file.display()))?;
        let pack = ExitPack::from_json(&text)
            .map_err(|error| Failure::new("pack:malformed", error.to_string()))?;
        if pack.is_of(&self.network.deployment) {
            return Ok(pack);
        }
        let message = format!(
            "this pack is for framework {:?} on chain {}, which is not the deployment of the network file",
            pack.plasma_framework, pack.chain_id
        );
        Err(Failure::new("pack:other_deployment", message)
            .next("check --network; never exit from contracts that somebody else names to you")
            .into())
    }

    /// Apart from what can be exited: why the rest cannot.
    async fn sort_out(
        &self,
        key: &SecretKey,
        outputs: Vec<PackedExit>,
    ) -> Result<(Vec<PackedExit>, Vec<Skipped>)> {
        let (mut to_start, mut skipped) = (Vec::new(), Vec::new());
        for some in outputs.chunks(RECORDS_MAX) {
            let ids: Option<Vec<ExitId>> = some.iter().map(exit_id).collect();
            let ids = ids.context("an output index that the contracts do not know")?;
            let records = self.root_chain.standard_exits(&ids).await?;
            for (output, record) in some.iter().zip(records) {
                let position = output.exit.position;
                let output_id = output_id(&output.exit.output_tx, position);
                let reason = match record {
                    _ if output.output.owner != key.address() => "it belongs to somebody else",
                    Some(record) if record.exitable => "its exit runs already",
                    Some(_) => "its exit was challenged",
                    None if self.root_chain.is_output_finalized(output_id).await? => {
                        "it has left already"
                    }
                    None => {
                        to_start.push(output.clone());
                        continue;
                    }
                };
                skipped.push(Skipped { output: position.into(), reason: reason.to_owned() });
            }
        }
        Ok((to_start, skipped))
    }

    async fn start_packed(&self, key: &SecretKey, output: &PackedExit) -> Result<StartedView> {
        let started = self.start_exit(key, &output.exit).await?;
        let (exit_id, exitable_at_s) =
            started.receipt.started_exit().context("the contract reported no exit")?;
        let denomination = self.denomination(started.currency).await?;
        Ok(StartedView {
            txhash: started.receipt.txhash,
            exit_id,
            output: output.exit.position.into(),
            amount: AmountView::new(&denomination, started.amount),
            bond: AmountView::wei(started.bond_wei),
            exitable_at_s,
            currency: started.currency,
        })
    }
}

fn exit_id(output: &PackedExit) -> Option<ExitId> {
    ExitId::standard(&output.exit.output_tx, output.exit.position)
}

/// What is wrong, its stable code, and what to do.
fn advice(error: &anyhow::Error) -> String {
    let report = ErrorReport::of(error);
    let next = report.next.unwrap_or_default();
    format!("{} [{}]: {next}", report.message, report.code)
}

fn is_refused(error: &anyhow::Error) -> bool {
    error.downcast_ref::<RootChainError>().is_some_and(|error| error.revert().is_some())
}

fn malformed(position: UtxoPos, what: &str) -> Failure {
    Failure::new("pack:malformed", format!("output {position}: {what}"))
}

/// Not one exit was started: why.
fn nothing_to_exit(skipped: &[Skipped]) -> Failure {
    let reasons: Vec<_> = skipped.iter().map(ToString::to_string).collect();
    Failure::new("pack:nothing_to_exit", reasons.join("; "))
}

/// A pack with a bad proof is not used as a whole; what is good in it still leaves, one by one.
fn one_by_one(error: anyhow::Error, file: &Path, outputs: usize) -> anyhow::Error {
    let report = ErrorReport::of(&error);
    if report.code != "pack:malformed" || outputs < 2 {
        return error;
    }
    let file = file.display();
    Failure::new(report.code, report.message)
        .next(format!(
            "exit the others one by one with `penning wallet exit start --pack {file} POSITION`, or make the pack anew with `penning wallet exit-pack --out {file}`"
        ))
        .into()
}

fn next_step(started: &[StartedView]) -> String {
    let flags: BTreeSet<_> =
        started.iter().map(|started| currency_flag(started.currency)).collect();
    let commands =
        flags.into_iter().map(|flag| format!("`penning wallet exit process --currency {flag}`"));
    let commands: Vec<_> = commands.collect();
    format!("spend none of these outputs; when they are due: {}", commands.join(", "))
}

/// A pack on standard output.
#[derive(Serialize)]
#[serde(transparent)]
struct Printed(serde_json::Value);

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What `exit-pack --out` prints.
#[derive(Serialize)]
struct PackReport {
    file: PathBuf,
    bytes: usize,
    outputs: Vec<PositionView>,
}

impl fmt::Display for PackReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        writeln!(f, "{} outputs packed in {file}, {} bytes", self.outputs.len(), self.bytes)?;
        for output in &self.outputs {
            writeln!(f, "  {output}")?;
        }
        write!(
            f,
            "next: keep it with your key and the network file, and make it anew after each payment; with them and a node of the root chain alone: `penning wallet exit start --pack {file}`"
        )
    }
}

/// What `exit start --pack` prints.
#[derive(Serialize)]
struct StartPackReport {
    started: Vec<StartedView>,
    skipped: Vec<Skipped>,
    next: String,
}

#[derive(Serialize)]
struct StartedView {
    #[serde(with = "hex")]
    txhash: H256,
    #[serde(serialize_with = "digits")]
    exit_id: ExitId,
    output: PositionView,
    amount: AmountView,
    bond: AmountView,
    exitable_at_s: u64,
    #[serde(skip)]
    currency: Currency,
}

#[derive(Serialize)]
struct Skipped {
    output: PositionView,
    reason: String,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is left out: {}", self.output, self.reason)
    }
}

impl fmt::Display for StartPackReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for started in &self.started {
            let StartedView { exit_id, output, amount, bond, .. } = started;
            writeln!(f, "exit {exit_id} of {output} started: {amount}, bond {bond}")?;
        }
        for skipped in &self.skipped {
            writeln!(f, "{skipped}")?;
        }
        write!(f, "next: {}", self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::wire::{ETH, U256};

    #[test]
    fn outputs_are_positions_or_all() {
        assert_eq!(wanted("all"), Ok(Wanted::All));
        let position = UtxoPos::decode(1_000_000_000_001).unwrap();
        assert_eq!(wanted("1000:0:1"), Ok(Wanted::Output(position)));
        assert!(wanted("some").unwrap_err().ends_with("or `all`"));
    }

    #[test]
    fn a_pack_that_starts_nothing_fails_and_a_bad_proof_names_the_way_of_the_others() {
        let output: PositionView = UtxoPos::decode(1_000_000_000_000).unwrap().into();
        let skipped = [Skipped { output, reason: "refused".to_owned() }];
        let report = ErrorReport::of(&nothing_to_exit(&skipped).into());
        assert_eq!(report.code, "pack:nothing_to_exit");
        assert_eq!(report.message, "1000:0:0 is left out: refused");

        let position = UtxoPos::decode(1_000_000_000_000).unwrap();
        let next = |error: anyhow::Error, count| {
            ErrorReport::of(&one_by_one(error, Path::new("a.json"), count)).next
        };
        let bad = || malformed(position, "its proof does not fit").into();
        assert!(next(bad(), 2).unwrap().contains("exit start --pack a.json POSITION`"));
        assert_eq!(next(bad(), 1), None, "there are no others");
        assert_eq!(next(anyhow::anyhow!("the node is gone"), 2), None);
    }

    #[test]
    fn reports_have_a_stable_shape() {
        let output: PositionView = UtxoPos::decode(1_000_000_000_000).unwrap().into();
        let token = Address::repeat_byte(7);
        let started = |currency| StartedView {
            txhash: H256::repeat_byte(1),
            exit_id: ExitId::from_u256(U256::from(9)),
            output,
            amount: AmountView::wei(U256::exp10(18)),
            bond: AmountView::wei(U256::exp10(16)),
            exitable_at_s: 5,
            currency,
        };
        let started = vec![started(ETH), started(token), started(ETH)];
        let next = next_step(&started);
        assert_eq!(next.matches("--currency eth").count(), 1, "{next}");
        let skipped = vec![Skipped { output, reason: "it has left already".to_owned() }];
        let report = StartPackReport { started, skipped, next };
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["started"][0]["exit_id"], "9");
        assert_eq!(json["started"][0]["output"]["position"], "1000:0:0");
        assert_eq!(json["skipped"][0]["reason"], "it has left already");
        assert!(json["started"][0].get("currency").is_none());
        let text = report.to_string();
        assert!(text.contains("exit 9 of 1000:0:0 started: 1 ETH, bond 0.01 ETH"), "{text}");
        assert!(text.contains("1000:0:0 is left out: it has left already"), "{text}");
    }
}
