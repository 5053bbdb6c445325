//! The results: a table for people, JSON for scripts, and the document with the machine they belong to.

use super::Sizes;
use super::exits::{ExitFigures, ExitSizes, Latency};
use super::machine::{Machine, PeakMemory};
use super::rounds::{Part, Round};
use super::store::StoreFigures;
use super::subscribers::{SubscriberFigures, SubscriberSizes};
use serde::Serialize;
use std::fmt::{self, Display, Formatter, Write};

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// What the document says first.
    #[serde(skip)]
    intro: &'static str,
    /// Where and when.
    pub(super) machine: Machine,
    /// How often each throughput was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rounds: Option<usize>,
    /// The bound of the fastest round divided by that of the slowest. Beyond [`STEADY`] no share of it is judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bound_swing: Option<f64>,
    /// The results.
    pub(super) rows: Vec<Row>,
    /// The most memory each part took.
    pub(super) memory: PeakMemory,
}

/// One result.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    /// What it is about.
    pub(super) what: String,
    /// The number.
    pub(super) value: f64,
    /// What it is counted in.
    pub(super) unit: &'static str,
    /// Its share of the bound.
    pub(super) of_bound: Option<f64>,
    /// The lowest and the highest share of all rounds.
    pub(super) of_bound_range: Option<[f64; 2]>,
    /// Processor time for each, in microseconds.
    pub(super) processor_us: Option<f64>,
    /// What it should be.
    pub(super) aim: Option<Aim>,
    /// Whether it is.
    pub(super) is_met: Option<bool>,
    /// What exactly was measured.
    pub(super) measured: String,
}

/// What a result should be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Aim {
    /// At least this share of the bound.
    OfBoundMin(f64),
    /// Less than this value.
    ValueBelow(f64),
}

/// How much the bound may swing during a run in which shares of it still say something.
const STEADY: f64 = 1.25;

const INTRO: &str = "\
# Performance of payments

Every transaction costs one signature recovery (of one-input payments), and libsecp256k1 recovers as fast as anything does. So the
first row is the bound, and the column *of bound* says which share of it a part reaches while it does everything else as well:
decoding, hashing, executing, writing to disk and syncing, HTTP, JSON. The bound is measured before and after each part, on the same
cores; ratios are of the mean of the two, and every value is the median of the rounds. Clients, operator and watcher share the cores.
Absolute numbers are those of this machine; compare ratios. When the bound itself swings during a run, something else used the
processors, ratios say little, and aims in them are not judged; the range of all rounds is shown beside each.

*CPU for each* is processor time on all cores together. Other processes disturb it less than the rest: the bound's
divided by a part's is the share that the part reaches on a quiet machine that never waits for its disk.
";

const INTRO_EXITS: &str = "\
# Performance of a watcher with many open exits

The operator and the watcher are whole nodes in one process, with stores on disk; only the root chain is a double. A client asks over
HTTP, one call after the other, each about another exit or account, and a latency ends when the client has the whole answer. *Idle*,
nothing else happens; *busy*, the operator takes 2,000 payments, forms a block of them, the watcher follows it and ten exits of outputs
that were just spent start, over and over, as fast as both cores can. The aim is stated for each method: 99 of 100 calls within 50 ms.

One exit of ten is a standard exit of a spent output and seven of ten are standard exits of outputs that are there. The rest are in
flight: of included transactions, of transactions that nobody has seen in a block, of transactions with a competitor in a block and a
piggybacked input that is spent, of transactions with a piggybacked output that is spent, and of transactions that were wrongly
challenged. So every kind of answer is asked for.
";

const INTRO_SUBSCRIBERS: &str = "\
# Performance of subscriptions

The server is that of every node, with its default limits, in a process of its own; its log is in memory, so that only the way from the
log to the subscribers is measured. The subscribers are real WebSockets over loopback in another process, each with one subscription to
`blocks`, and share the processors with the server: a time begins when the block is appended and ends when a subscriber has read the
whole notification. The aims are for 10,000 subscribers on two cores with nothing else running.
";

/// Said of numbers that are not those of what operators run.
const PROVISIONAL: &str = "\
**Provisional: not measured on a release build.** `make bench` replaces this document.

";

impl Report {
    pub(super) fn new(
        machine: Machine,
        sizes: Sizes,
        rounds: &[Round],
        store: &StoreFigures,
        memory: PeakMemory,
    ) -> Self {
        let bound = |round: &Round| round.bound.throughput.per_s;
        let bound_swing = highest(rounds, bound) / lowest(rounds, bound);
        let mut rows = throughput(rounds);
        if bound_swing > STEADY {
            rows.iter_mut().for_each(|row| row.is_met = None);
        }
        rows.extend(latency(rounds, sizes));
        rows.extend(big_store(store));
        Self {
            intro: INTRO,
            machine,
            rounds: Some(sizes.rounds),
            bound_swing: Some(bound_swing),
            rows,
            memory,
        }
    }

    /// A report about a watcher with many open exits.
    pub(super) fn of_exits(
        machine: Machine,
        sizes: ExitSizes,
        figures: &ExitFigures,
        memory: PeakMemory,
    ) -> Self {
        let rows = answers(sizes, figures).chain(around_exits(figures)).collect();
        Self { intro: INTRO_EXITS, machine, rounds: None, bound_swing: None, rows, memory }
    }

    /// A report about a server with many subscribers.
    pub(super) fn of_subscribers(
        machine: Machine,
        sizes: SubscriberSizes,
        figures: SubscriberFigures,
        memory: PeakMemory,
    ) -> Self {
        let rows = fan_out(sizes, figures);
        Self { intro: INTRO_SUBSCRIBERS, machine, rounds: None, bound_swing: None, rows, memory }
    }

    /// A document of `docs/`.
    pub(super) fn document(&self) -> String {
        let mut text = format!("{}\n", self.intro);
        if cfg!(debug_assertions) {
            text.push_str(PROVISIONAL);
        }
        let machine = &self.machine;
        let facts = [
            ("command", format!("`{}`", machine.command)),
            ("date", machine.date.clone()),
            ("commit", format!("{} ({})", machine.commit, machine.build)),
            ("processor", format!("{}, {} cores", machine.cpu, machine.cores)),
            ("memory", format!("{} MiB", mib(machine.memory_len))),
            ("kernel", machine.kernel.clone()),
            ("file system", machine.file_system.clone()),
            ("load before", machine.load.clone()),
        ];
        let rounds = self.rounds.map(|rounds| ("rounds", rounds.to_string()));
        let swing = self.bound_swing.map(|it| ("bound, fastest / slowest", format!("{it:.2}")));
        text.push_str("| | |\n|---|---|\n");
        // Writing to a string cannot fail.
        for (name, value) in facts.into_iter().chain(rounds).chain(swing) {
            let _ = writeln!(text, "| {name} | {value} |");
        }
        text.push_str(
            "\n| part | value | of bound | CPU for each | aim | what is measured |\n|---|---|---|---|---|---|\n",
        );
        for row in &self.rows {
            let [value, of_bound, processor, aim] = row.cells();
            let _ = writeln!(
                text,
                "| {} | {value} | {of_bound} | {processor} | {aim} | {} |",
                row.what, row.measured
            );
        }
        text.push_str("\n| part | peak memory of the process |\n|---|---|\n");
        for (part, peak) in &self.memory.parts {
            let _ = writeln!(text, "| {part} | {} MiB |", mib(*peak));
        }
        text
    }
}

impl Row {
    fn new(
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
        measured: impl Into<String>,
    ) -> Self {
        let (what, measured) = (what.into(), measured.into());
        Self {
            what,
            value,
            unit,
            of_bound: None,
            of_bound_range: None,
            processor_us: None,
            aim: None,
            is_met: None,
            measured,
        }
    }

    fn of_bound(mut self, share: f64, aim: Option<f64>) -> Self {
        self.of_bound = Some(share);
        self.aim = aim.map(Aim::OfBoundMin);
        self.is_met = aim.map(|aim| share >= aim);
        self
    }

    fn below(mut self, limit: f64) -> Self {
        self.aim = Some(Aim::ValueBelow(limit));
        self.is_met = Some(self.value < limit);
        self
    }

    /// Value, share, processor time and aim as text.
    fn cells(&self) -> [String; 4] {
        let decimals = if self.value < 1_000.0 { 1 } else { 0 };
        let aim = match self.aim {
            None => "-".to_owned(),
            Some(Aim::OfBoundMin(share)) => format!("≥ {share}"),
            Some(Aim::ValueBelow(limit)) => format!("< {limit} {}", self.unit),
        };
        let met = match self.is_met {
            None if self.aim.is_some() => ", not judged",
            None => "",
            Some(true) => ", met",
            Some(false) => ", missed",
        };
        [
            format!("{:.decimals$} {}", self.value, self.unit),
            self.of_bound.map_or_else(
                || "-".to_owned(),
                |share| {
                    let range = self.of_bound_range.filter(|[low, high]| low < high);
                    let range = range.map(|[low, high]| format!(" ({low:.2} to {high:.2})"));
                    format!("{share:.2}{}", range.unwrap_or_default())
                },
            ),
            self.processor_us.map_or_else(|| "-".to_owned(), |us| format!("{us:.1} µs")),
            format!("{aim}{met}"),
        ]
    }
}

fn fan_out(sizes: SubscriberSizes, figures: SubscriberFigures) -> Vec<Row> {
    let [half, most, all] = figures.latency_ms;
    let [before, idle, after] = figures.resident_len;
    let each = |len: u64| {
        let subscribers = u64::try_from(sizes.subscribers).unwrap_or(u64::MAX).max(1);
        (len.saturating_sub(before) / subscribers) as f64 / 1_024.0
    };
    let to = |part: &str| format!("to {} subscribers, {part}", sizes.subscribers);
    let measured = format!("append to receipt; {} blocks", sizes.blocks);
    vec![
        Row::new(to("p50"), half, "ms", measured),
        Row::new(to("p99"), most, "ms", "the same for 99 of 100").below(1_000.0),
        Row::new(to("the last"), all, "ms", "the same for the very last of them"),
        Row::new(
            "memory of each, idle",
            each(idle),
            "KiB",
            "growth of the server's process while nothing happens, without buffers of the system",
        )
        .below(32.0),
        Row::new("memory of each, after all blocks", each(after), "KiB", "the same in the end"),
    ]
}

fn throughput(rounds: &[Round]) -> Vec<Row> {
    let row = |what: &str, unit, part: fn(&Round) -> Part, aim, measured| {
        let share = median(rounds, |round| part(round).of_bound);
        Row {
            of_bound_range: Some([
                lowest(rounds, |round| part(round).of_bound),
                highest(rounds, |round| part(round).of_bound),
            ]),
            processor_us: Some(median(rounds, |round| part(round).throughput.processor_us)),
            ..Row::new(what, median(rounds, |round| part(round).throughput.per_s), unit, measured)
        }
        .of_bound(share, aim)
    };
    vec![
        row(
            "signature recoveries: the bound",
            "/s",
            |round| round.bound,
            None,
            "libsecp256k1 on all cores: one signature to an address, nothing else",
        ),
        row(
            "in process",
            "tx/s",
            |round| round.in_process,
            Some(0.8),
            "signed bytes to durable acknowledgement: 16 batches of 1,000 in flight, decoded, recovered, executed, on disk and synced",
        ),
        row(
            "over HTTP, in batches",
            "tx/s",
            |round| round.http,
            Some(0.6),
            "`transaction.batch_submit` from 16 keep-alive connections of this process, 1,000 transactions a call",
        ),
        row(
            "over HTTP, one by one",
            "tx/s",
            |round| round.single,
            None,
            "`transaction.submit` from 64 keep-alive connections of this process",
        ),
        row(
            "watcher",
            "tx/s",
            |round| round.sync,
            Some(0.8),
            "following the operator: download, JSON, recovery, root, execution, on disk and synced; the operator has the blocks ready",
        ),
    ]
}

fn latency(rounds: &[Round], sizes: Sizes) -> Vec<Row> {
    let [half, most] = [0, 1].map(|index| {
        median(rounds, |round| round.single_ms.get(index).copied().unwrap_or_default())
    });
    vec![
        Row::new(
            "one by one, p50",
            half,
            "ms",
            "latency of these calls: half are answered within it",
        ),
        Row::new("one by one, p99", most, "ms", "the same for 99 of 100"),
        Row::new(
            format!("forming a block of {}", sizes.payments + 1),
            median(rounds, |round| round.form_block_ms),
            "ms",
            "fee claim, Merkle root, on disk and synced; the longest of four in each round",
        )
        .below(50.0),
    ]
}

fn big_store(store: &StoreFigures) -> Vec<Row> {
    let size = format!("store of {} outputs", store.utxos);
    let row = |what: &str, value, unit, measured| {
        Row::new(format!("{size}: {what}"), value, unit, measured)
    };
    let [before, opened, used] = store.resident_len.map(mib);
    let [held_opened, held_used] = store.held_len.map(mib);
    vec![
        row("write", store.written_per_s, "/s", "durable commits of 100,000"),
        row("on disk", mib(store.files_len), "MiB", "all files, without the log"),
        row("open", store.open_ms, "ms", "from its folder to the first possible question"),
        row(
            "held, opened",
            held_opened,
            "MiB",
            "what RocksDB says it holds right after: cache and recent writes",
        ),
        row("held, used", held_used, "MiB", "the same after the look-ups"),
        row(
            "process before",
            before,
            "MiB",
            "resident memory before it is opened; memory that earlier parts freed is in it and is used again, so growth says too little",
        ),
        row("process opened", opened, "MiB", "the same right after"),
        row("process used", used, "MiB", "the same after the look-ups"),
        row(
            "look up",
            store.looked_up_per_s,
            "/s",
            "100,000 random outputs in batches of 1,000, one thread",
        ),
    ]
}

fn answers(sizes: ExitSizes, figures: &ExitFigures) -> impl Iterator<Item = Row> {
    let row = move |name: &str, when: &str, latency: Latency| {
        let Latency { half_ms, most_ms, max_ms } = latency;
        let calls = sizes.calls;
        let measured = format!("p99 of {calls} calls; p50 {half_ms:.1} ms, max {max_ms:.1} ms");
        Row::new(format!("{name}, {when}"), most_ms, "ms", measured).below(50.0)
    };
    figures
        .latencies
        .iter()
        .flat_map(move |(name, [idle, busy])| [row(name, "idle", *idle), row(name, "busy", *busy)])
}

fn around_exits(figures: &ExitFigures) -> Vec<Row> {
    let [before, judged, asked, restarted] = figures.resident_len.map(mib);
    let exits = figures.exits;
    vec![
        Row::new("history", count(figures.transactions), "tx", "payments in blocks, all executed"),
        Row::new("open exits", count(exits), "exits", "told by the root chain, and judged"),
        Row::new(
            "largest account",
            count(figures.owner_utxos),
            "outputs",
            "most outputs in an answer of `account.get_exitable_utxos`",
        ),
        Row::new(
            "status document",
            count(figures.status_len) / 1_048_576.0,
            "MiB",
            "JSON of `status.get`",
        ),
        Row::new(
            "until judged",
            figures.judged_ms,
            "ms",
            "from the first exit on the root chain to a status that shows what is true of all",
        ),
        Row::new(
            "restart",
            figures.restart_ms,
            "ms",
            "from opening the watcher's store to such a status, without the operator",
        ),
        Row::new("memory before the exits", before, "MiB", "resident, both nodes and the double"),
        Row::new("memory with the exits", judged, "MiB", "the same when all are judged"),
        Row::new("memory after all calls", asked, "MiB", "the same in the end"),
        Row::new("memory after the restart", restarted, "MiB", "the same with the watcher alone"),
    ]
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

/// The middle value of all rounds, or the mean of the middle two.
fn median(rounds: &[Round], value: impl Fn(&Round) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    let middle = [values.len().saturating_sub(1) / 2, values.len() / 2];
    middle.iter().filter_map(|index| values.get(*index)).sum::<f64>() / 2.0
}

fn lowest(rounds: &[Round], value: impl Fn(&Round) -> f64) -> f64 {
    rounds.iter().map(value).fold(f64::INFINITY, f64::min)
}

fn highest(rounds: &[Round], value: impl Fn(&Round) -> f64) -> f64 {
    rounds.iter().map(value).fold(0.0, f64::max)
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn mib(bytes: u64) -> f64 {
    (bytes >> 20) as f64
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let rows: Vec<(&str, [String; 4])> =
            self.rows.iter().map(|row| (row.what.as_str(), row.cells())).collect();
        let width = rows.iter().map(|(what, _)| what.len()).max().unwrap_or_default();
        writeln!(f, "{:width$}  {:>16}  {:>20}  {:>8}  aim", "", "", "of bound", "CPU each")?;
        for (what, [value, of_bound, processor, aim]) in rows {
            writeln!(f, "{what:width$}  {value:>16}  {of_bound:>20}  {processor:>8}  {aim}")?;
        }
        writeln!(f)?;
        for (part, peak) in &self.memory.parts {
            writeln!(f, "{:width$}  {:>12} MiB", format!("peak memory, {part}"), mib(*peak))?;
        }
        Ok(())
    }
}
