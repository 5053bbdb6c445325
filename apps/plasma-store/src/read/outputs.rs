//! Outputs: who owns what, and how it left.

use crate::columns::Column;
use crate::error::StoreError;
use crate::store::Store;
use crate::{keys, records};
use plasma_core::db_update::{Spender, TxPos, Utxo, UtxoKey};
use plasma_core::state::{OutputFact, OutputFacts};
use plasma_core::wire::{Address, Output, SignedTx, UtxoPos};

impl Store {
    /// What is known of outputs whose owner is guessed: the signer of an input, who is the owner in every valid transaction. One
    /// look-up answers a right guess; a wrong one costs the creating transaction (docs/adr/0006).
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn input_facts(&self, guesses: &[UtxoKey]) -> Result<OutputFacts, StoreError> {
        let mut facts = OutputFacts::new();
        let keys: Vec<_> = guesses.iter().map(|guess| keys::utxo(*guess)).collect();
        let values = self.db().batched_multi_get_cf(self.column(Column::Utxos)?, &keys, false);
        for ((guess, key), value) in guesses.iter().zip(&keys).zip(values) {
            let fact = match value.map_err(StoreError::io("read"))? {
                Some(value) => {
                    let utxo = records::decode_utxo(&value)
                        .map_err(|reason| StoreError::corrupted(Column::Utxos, key, reason))?;
                    Some(OutputFact::Unspent(guess.owner, utxo))
                }
                None => self.output_fact(guess.position)?,
            };
            facts.extend(fact.map(|fact| (guess.position, fact)));
        }
        Ok(facts)
    }

    /// What is known of outputs whose owner is not.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn output_facts(&self, positions: &[UtxoPos]) -> Result<OutputFacts, StoreError> {
        let mut facts = OutputFacts::new();
        for position in positions {
            facts.extend(self.output_fact(*position)?.map(|fact| (*position, fact)));
        }
        Ok(facts)
    }

    /// What is known of one output; `None` when it never was.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn output_fact(&self, position: UtxoPos) -> Result<Option<OutputFact>, StoreError> {
        // A commit may land between the two look-ups. Outputs only ever go from unspent to gone, so looking for the spend
        // last misses nothing.
        if let Some(owner) = self.owner_of(position)?
            && let Some(utxo) = self.utxo(UtxoKey { owner, position })?
        {
            return Ok(Some(OutputFact::Unspent(owner, utxo)));
        }
        Ok(self.spender(position)?.map(OutputFact::Gone))
    }

    /// How an output left the set; `None` when it did not, or never was.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn spender(&self, position: UtxoPos) -> Result<Option<Spender>, StoreError> {
        self.decoded(Column::Spends, &keys::position(position), records::decode_spender)
    }

    /// Unspent outputs of one owner, oldest first, at most `limit`, starting behind `after`.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn utxos_of(
        &self,
        owner: Address,
        after: Option<UtxoPos>,
        limit: usize,
    ) -> Result<Vec<(UtxoPos, Utxo)>, StoreError> {
        let first = match after {
            // The shortest key behind the given one.
            Some(position) => [keys::utxo(UtxoKey { owner, position }).as_slice(), &[0]].concat(),
            None => owner.as_bytes().to_vec(),
        };
        self.range(Column::Utxos, &first, keys::behind(owner.as_bytes()), limit, |key, value| {
            Ok((keys::read_utxo_position(key)?, records::decode_utxo(value)?))
        })
    }

    /// The outputs at these positions by the transactions that made them, spent or not, looked up together; `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Corrupted`]
    pub fn outputs_at(&self, positions: &[UtxoPos]) -> Result<Vec<Option<Output>>, StoreError> {
        let place = |at: &UtxoPos| TxPos { blknum: at.blknum, txindex: at.txindex };
        let places: Vec<TxPos> = positions.iter().map(place).collect();
        let made_by = self.transactions_at(&places)?;
        let outputs = positions.iter().zip(&places).zip(made_by).map(|((position, at), bytes)| {
            let Some(bytes) = bytes else {
                return Ok(None);
            };
            let tx = SignedTx::decode(&bytes).map_err(|_| {
                let (column, key) = (Column::Transactions, keys::tx_pos(*at));
                StoreError::corrupted(column, &key, "transaction that does not decode")
            })?;
            let outputs = tx.transaction().outputs();
            Ok(outputs.get(usize::from(position.oindex.get())).copied())
        });
        outputs.collect()
    }

    fn utxo(&self, key: UtxoKey) -> Result<Option<Utxo>, StoreError> {
        self.decoded(Column::Utxos, &keys::utxo(key), records::decode_utxo)
    }

    /// Who owned an output, by the transaction that made it.
    fn owner_of(&self, position: UtxoPos) -> Result<Option<Address>, StoreError> {
        let key = keys::tx_pos(TxPos { blknum: position.blknum, txindex: position.txindex });
        let Some(bytes) = self.get(Column::Transactions, &key)? else {
            return Ok(None);
        };
        let tx = SignedTx::decode(&bytes).map_err(|_| {
            StoreError::corrupted(Column::Transactions, &key, "transaction that does not decode")
        })?;
        let output = tx.transaction().outputs().get(usize::from(position.oindex.get()));
        Ok(output.map(|output| output.owner))
    }
}
