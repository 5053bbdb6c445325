//! RocksDB: the key layout of a node's store and one atomic, durable commit.
