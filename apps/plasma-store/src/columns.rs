//! Column families: which kinds of records there are, and how RocksDB keeps each.

use rocksdb::{BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, Options};

macro_rules! columns {
    ($($(#[$doc:meta])* $column:ident = $name:literal, $shape:expr;)*) => {
        /// A kind of record. The layout of each is in docs/store.md.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Column {
            $($(#[$doc])* $column,)*
        }

        impl Column {
            pub(crate) const ALL: &[Self] = &[$(Self::$column,)*];

            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$column => $name,)*
                }
            }

            const fn shape(self) -> Shape {
                match self {
                    $(Self::$column => $shape,)*
                }
            }
        }
    };
}

/// How a column is written and read.
#[derive(Clone, Copy)]
enum Shape {
    /// Keys all over the place, read one at a time: a Bloom filter spares most reads of absent keys.
    Random,
    /// Keys that only grow: files never overlap, so compaction just moves them down.
    Growing,
    /// A few records.
    Small,
}

columns! {
    /// One record per key: identity, heights, the pending block.
    Meta = "meta", Shape::Small;
    /// Unspent outputs by owner and position.
    Utxos = "utxos", Shape::Random;
    /// How outputs left the set, by position.
    Spends = "spends", Shape::Random;
    /// Signed bytes of transactions by block and index.
    Transactions = "transactions", Shape::Growing;
    /// Headers and subtree roots by block number.
    Blocks = "blocks", Shape::Growing;
    /// Block numbers by hash.
    BlockHashes = "block_hashes", Shape::Random;
    /// Standard exits by position.
    StandardExits = "standard_exits", Shape::Random;
    /// Positions of standard exits by exit id.
    StandardExitIds = "standard_exit_ids", Shape::Random;
    /// Positions of standard exits that still need watching.
    ActiveExits = "active_exits", Shape::Small;
    /// Ids of all exits that concern an account, by account and exit id.
    ExitsByAccount = "exits_by_account", Shape::Small;
    /// In-flight exits that an operator heard of, by exit id.
    InFlightRecords = "in_flight_records", Shape::Random;
    /// In-flight exits that a watcher heard of, by exit id.
    InFlightExits = "in_flight_exits", Shape::Random;
    /// Ids of in-flight exits that still need watching.
    ActiveInFlightExits = "active_in_flight_exits", Shape::Small;
    /// Spends that events of in-flight exits told of, by owner, position and source.
    InFlightSpends = "in_flight_spends", Shape::Small;
    /// Spends found in blocks that are not part of the valid chain, by owner, position and transaction.
    QuarantinedSpends = "quarantined_spends", Shape::Random;
    /// What the Sentinel offered under the nonces of its account, by account and nonce.
    SentinelNonces = "sentinel_nonces", Shape::Small;
    /// The Sentinel's log of duties, by duty.
    SentinelDuties = "sentinel_duties", Shape::Small;
    /// What a watcher went through, by number.
    Journal = "journal", Shape::Small;
    /// Numbers in the journal, by topic and number in the topic.
    JournalTopics = "journal_topics", Shape::Small;
    /// Numbers of blocks and deposits in their topic and in the journal, by topic and block number.
    JournalBlknums = "journal_blknums", Shape::Small;
    /// Conditions that were told and not resolved, by the number under which they appeared.
    JournalOpen = "journal_open", Shape::Small;
    /// Where the blocks in the journal were submitted, by number.
    Submissions = "submissions", Shape::Small;
    /// Payments and deposits that concern an account, by account and number.
    Transfers = "transfers", Shape::Random;
    /// The newest number of each account with transfers.
    TransferHeads = "transfer_heads", Shape::Random;
}

const MIB: usize = 1 << 20;
/// Memory for recent writes of one busy column, before they are sorted into a file.
const BUSY_WRITE_BUFFER_LEN: usize = 64 * MIB;
const SMALL_WRITE_BUFFER_LEN: usize = 2 * MIB;
/// Bits per key of a Bloom filter: about one read in a hundred looks in vain.
const BLOOM_BITS_PER_KEY: f64 = 10.0;
const BLOCK_LEN: usize = 16 * 1024;

pub(crate) fn descriptors(cache: &Cache) -> Vec<ColumnFamilyDescriptor> {
    Column::ALL
        .iter()
        .map(|column| ColumnFamilyDescriptor::new(column.name(), options(column.shape(), cache)))
        .collect()
}

fn options(shape: Shape, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_block_size(BLOCK_LEN);
    // Indexes and filters live in the bounded cache too, so that memory does not grow with the store.
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    table.set_format_version(6);
    let mut options = Options::default();
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_level_compaction_dynamic_level_bytes(true);
    match shape {
        Shape::Random => {
            table.set_bloom_filter(BLOOM_BITS_PER_KEY, false);
            options.set_write_buffer_size(BUSY_WRITE_BUFFER_LEN);
            options.set_max_write_buffer_number(3);
        }
        Shape::Growing => {
            // Signatures and hashes do not compress; what little would is not worth the time.
            options.set_compression_type(DBCompressionType::None);
            options.set_write_buffer_size(BUSY_WRITE_BUFFER_LEN);
            options.set_max_write_buffer_number(3);
        }
        Shape::Small => options.set_write_buffer_size(SMALL_WRITE_BUFFER_LEN),
    }
    options.set_block_based_table_factory(&table);
    options
}
