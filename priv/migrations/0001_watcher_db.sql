-- The WatcherDB: what a watcher went through, for people who ask (docs/watcher-db.md).
-- Everything here but fee_changes is rebuilt from the journal. There are no foreign keys: the one writer is followed by a test that
-- compares every row with a rebuild, and a check of each key would cost more than the rows.

-- One row: whose database this is, and how far it got. Whoever writes holds its lock.
CREATE TABLE cursor (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    chain_id bigint NOT NULL,
    plasma_framework bytea NOT NULL,
    journal_seq bigint NOT NULL,
    -- Time of that entry: a journal that has another one there is another journal.
    journal_at_ms bigint NOT NULL,
    last_blknum bigint NOT NULL,
    -- Totals, so that nobody counts.
    block_count bigint NOT NULL,
    transaction_count bigint NOT NULL
);

CREATE TABLE blocks (
    blknum bigint PRIMARY KEY,
    hash bytea NOT NULL,
    "timestamp" bigint NOT NULL,
    eth_height bigint NOT NULL,
    tx_count integer NOT NULL,
    inserted_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX blocks_hash_index ON blocks (hash, blknum);
CREATE INDEX blocks_timestamp_index ON blocks ("timestamp", blknum) INCLUDE (tx_count);

-- Nobody checks that a fee claim is unlike any other: two blocks may hold the same one, with the same hash.
CREATE TABLE transactions (
    txhash bytea NOT NULL,
    txindex integer NOT NULL,
    txbytes bytea NOT NULL,
    blknum bigint NOT NULL,
    metadata bytea,
    txtype integer NOT NULL,
    inserted_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (blknum, txindex)
);
CREATE INDEX transactions_txhash_index ON transactions (txhash, blknum, txindex);
CREATE INDEX transactions_txtype_index ON transactions (txtype, blknum, txindex);
CREATE INDEX transactions_metadata_index ON transactions (metadata, blknum, txindex) WHERE metadata IS NOT NULL;

CREATE TABLE txoutputs (
    blknum bigint NOT NULL,
    txindex integer NOT NULL,
    oindex integer NOT NULL,
    otype integer NOT NULL,
    owner bytea NOT NULL,
    amount numeric(81, 0) NOT NULL,
    currency bytea NOT NULL,
    creating_txhash bytea,
    spending_txhash bytea,
    spending_tx_oindex integer,
    proof bytea,
    child_chain_utxohash bytea NOT NULL,
    -- Whether ethevents_txoutputs links an exit.
    exiting boolean NOT NULL,
    inserted_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (blknum, txindex, oindex)
);
-- What an account has, by age and by amount. Spent outputs leave both, so that an old account is as fast as a new one.
CREATE INDEX txoutputs_unspent_index ON txoutputs (owner, blknum, txindex, oindex)
    WHERE spending_txhash IS NULL AND NOT exiting;
CREATE INDEX txoutputs_spendable_index ON txoutputs (owner, currency, amount, blknum, txindex, oindex)
    WHERE spending_txhash IS NULL AND NOT exiting;

-- Who has a part in which transaction, as owner of an input or of an output.
CREATE TABLE account_transactions (
    account bytea NOT NULL,
    txtype integer NOT NULL,
    blknum bigint NOT NULL,
    txindex integer NOT NULL,
    PRIMARY KEY (account, txtype, blknum, txindex)
);

CREATE TABLE ethevents (
    root_chain_txhash bytea NOT NULL,
    log_index integer NOT NULL,
    event_type varchar(124) NOT NULL CHECK (event_type IN ('deposit', 'standard_exit', 'in_flight_exit')),
    root_chain_txhash_event bytea NOT NULL UNIQUE,
    eth_height bigint NOT NULL,
    -- Of a deposit.
    owner bytea,
    inserted_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (root_chain_txhash, log_index)
);
CREATE INDEX ethevents_deposit_index ON ethevents (eth_height, log_index) WHERE event_type = 'deposit';
CREATE INDEX ethevents_depositor_index ON ethevents (owner, eth_height, log_index) WHERE event_type = 'deposit';

-- An output may come later than its exit.
CREATE TABLE ethevents_txoutputs (
    root_chain_txhash_event bytea NOT NULL,
    child_chain_utxohash bytea NOT NULL,
    blknum bigint NOT NULL,
    txindex integer NOT NULL,
    oindex integer NOT NULL,
    inserted_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (root_chain_txhash_event, child_chain_utxohash)
);
CREATE INDEX ethevents_txoutputs_position_index ON ethevents_txoutputs (blknum, txindex, oindex);

-- Piggybacked outputs of transactions that are in no block yet.
CREATE TABLE unlinked_piggybacks (
    txhash bytea NOT NULL,
    oindex integer NOT NULL,
    root_chain_txhash_event bytea NOT NULL,
    inserted_at timestamptz NOT NULL,
    PRIMARY KEY (txhash, oindex, root_chain_txhash_event)
);

-- What the operator asked for, as this watcher saw it. Not from the journal: a rebuild keeps it.
CREATE TABLE fee_changes (
    sequence bigint PRIMARY KEY,
    txtype bigint NOT NULL,
    currency bytea NOT NULL,
    amount numeric(81, 0),
    inserted_at timestamptz NOT NULL
);
CREATE INDEX fee_changes_currency_index ON fee_changes (currency, sequence);
CREATE INDEX fee_changes_newest_index ON fee_changes (txtype, currency, sequence);

-- Most of these rows are never touched again, and dead ones are found in time even in a big table.
ALTER TABLE txoutputs SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
