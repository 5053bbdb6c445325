//! Help with spending: writing payments and merges for others to sign, and submitting what they signed (protocol 5.10).
//!
//! It never sees a key, and what it writes is checked by whoever signs it: inputs, outputs and fee are in the answer. On an unsafe chain
//! it refuses.

use super::InfoApi;
use futures::future::try_join_all;
use plasma_core::db_update::Utxo as CoreUtxo;
use plasma_core::payment_builder::{
    CreatedTx, Fee, OwnedUtxo, Payment, PaymentError, PaymentOrder, PaymentPlan, create_payment,
    funds_needed, merge_account, merge_outputs,
};
use plasma_core::wire::{
    Currency, H256, OutputType, Transaction, TypedDataDomain, TypedTx, U256, UtxoPos,
};
use plasma_rpc::child_chain::{self, FeesAllParams, SubmitAnswer, SubmitParams};
use plasma_rpc::info::{
    self, CreateParams, CreateResult, Created, CreatedFee, CreatedOutput, Creation, FEES_ALL,
    MERGED_OUTPUTS_MAX, MergeParams, Merges, MissingFunds, SubmitTypedParams, TRANSACTION_CREATE,
    TRANSACTION_MERGE, TRANSACTION_SUBMIT_TYPED, TypedData, Utxo,
};
use plasma_rpc::params::{ParamError, Validator};
use plasma_rpc::server::MethodTable;
use plasma_rpc::{RpcError, codes};
use std::collections::BTreeMap;

/// Most outputs of one currency that are looked at for one payment.
const CHOSEN_FROM_MAX: usize = 2_000;

pub(super) fn methods(table: MethodTable<InfoApi>) -> MethodTable<InfoApi> {
    table
        .on(&FEES_ALL, |api, params| async move {
            Ok(api.watcher.child_chain.call(&child_chain::FEES_ALL, &params).await?)
        })
        .on(&TRANSACTION_CREATE, |api, params| async move { api.create(params).await })
        .on(&TRANSACTION_MERGE, |api, params| async move { api.merge(params).await })
        .on(&TRANSACTION_SUBMIT_TYPED, |api, params| async move { api.submit_typed(params).await })
}

/// The rows behind the inputs of what is written.
type Rows = BTreeMap<UtxoPos, Utxo>;

impl InfoApi {
    async fn create(&self, params: CreateParams) -> Result<Creation, RpcError> {
        self.watcher.check_safe()?;
        let metadata = params.metadata;
        let order = self.order(params).await?;
        let (rows, more) = self.choice(&order).await?;
        let plan = create_payment(&order, coins(&rows), &more).map_err(refusal)?;
        let (result, created) = match plan {
            PaymentPlan::Complete(created) => (CreateResult::Complete, vec![*created]),
            PaymentPlan::Intermediate(merges) => (CreateResult::Intermediate, merges),
        };
        let metadata = match result {
            CreateResult::Complete => metadata,
            CreateResult::Intermediate => Some(H256::zero()),
        };
        Ok(Creation { result, transactions: self.show(created, &rows, metadata)? })
    }

    async fn order(&self, params: CreateParams) -> Result<PaymentOrder, RpcError> {
        let currency = params.fee.currency;
        let all = FeesAllParams::default();
        let fees = self.watcher.child_chain.call(&child_chain::FEES_ALL, &all).await?;
        let amount = fees.of_payment(currency);
        let amount = amount.ok_or_else(|| RpcError::reason("unexpected_fee_currency"))?;
        let payments = params.payments.into_iter().map(|payment| Payment {
            owner: payment.owner,
            currency: payment.currency,
            amount: payment.amount,
        });
        Ok(PaymentOrder {
            owner: params.owner,
            payments: payments.collect(),
            fee: Fee { currency, amount },
            metadata: params.metadata.unwrap_or_default(),
        })
    }

    /// Outputs to choose from, and the currencies of which the owner has more than these, with everything there is.
    async fn choice(
        &self,
        order: &PaymentOrder,
    ) -> Result<(Rows, BTreeMap<Currency, U256>), RpcError> {
        let reads = funds_needed(order).into_iter().map(|(currency, amount)| async move {
            let found = self.reads();
            let found = found.spendable(order.owner, currency, amount, CHOSEN_FROM_MAX).await?;
            Ok::<_, RpcError>((currency, found))
        });
        let (mut rows, mut more) = (Rows::new(), BTreeMap::new());
        for (currency, found) in try_join_all(reads).await? {
            rows.extend(found.utxos.into_iter().map(|utxo| (utxo.utxo_pos, utxo)));
            more.extend(found.more.map(|all| (currency, all)));
        }
        Ok((rows, more))
    }

    async fn merge(&self, params: MergeParams) -> Result<Merges, RpcError> {
        self.watcher.check_safe()?;
        let (created, rows) = match params {
            MergeParams::Positions { utxo_positions } => {
                let known: Vec<UtxoPos> = utxo_positions.iter().copied().flatten().collect();
                let mut found = self.reads().spendable_at(&known).await?;
                // A position that no block can have is as unknown as one that none has.
                found.resize(utxo_positions.len(), None);
                let outputs: Vec<_> =
                    found.iter().map(|row| row.as_ref().and_then(owned)).collect();
                let merged = merge_outputs(outputs).map(|merge| vec![merge]);
                (merged, by_position(found.into_iter().flatten()))
            }
            MergeParams::Account { address, currency } => {
                let found = self.reads().smallest(address, currency, MERGED_OUTPUTS_MAX).await?;
                let rows = by_position(found);
                (merge_account(address, currency, coins(&rows)), rows)
            }
        };
        let created = created.map_err(|error| RpcError::reason(error.to_string()))?;
        Ok(Merges { transactions: self.show(created, &rows, Some(H256::zero()))? })
    }

    async fn submit_typed(&self, params: SubmitTypedParams) -> Result<SubmitAnswer, RpcError> {
        let ours = info::TypedDataDomain::of(self.watcher.domain.verifying_contract());
        if params.domain != ours {
            let validator = Validator::DomainSeparatorMismatch;
            return Err(ParamError { parameter: "domain".to_owned(), validator }.into());
        }
        let signed = TypedTx::from(params.message).sign(&params.signatures)?;
        self.watcher.submit(SubmitParams { transaction: signed.as_bytes().to_vec() }).await
    }

    fn show(
        &self,
        created: Vec<CreatedTx>,
        rows: &Rows,
        metadata: Option<H256>,
    ) -> Result<Vec<Created>, RpcError> {
        let shown = created.into_iter().map(|tx| show(tx, rows, metadata, &self.watcher.domain));
        // The inputs were chosen among the rows.
        shown.collect::<Option<_>>().ok_or_else(RpcError::internal)
    }
}

fn by_position(rows: impl IntoIterator<Item = Utxo>) -> Rows {
    rows.into_iter().map(|row| (row.utxo_pos, row)).collect()
}

/// What the rows hold, for the core.
fn coins(rows: &Rows) -> impl Iterator<Item = (UtxoPos, CoreUtxo)> {
    rows.values().filter_map(owned).map(|owned| (owned.position, owned.utxo))
}

fn owned(row: &Utxo) -> Option<OwnedUtxo> {
    let output_type = OutputType::from_number(row.otype.into())?;
    let utxo = CoreUtxo { output_type, currency: row.currency, amount: row.amount };
    Some(OwnedUtxo { position: row.utxo_pos, owner: row.owner, utxo })
}

fn show(
    created: CreatedTx,
    rows: &Rows,
    metadata: Option<H256>,
    domain: &TypedDataDomain,
) -> Option<Created> {
    let CreatedTx { inputs, fee, tx } = created;
    let inputs = inputs.iter().map(|(position, _)| rows.get(position).cloned());
    let outputs = tx.outputs.iter().map(|output| CreatedOutput {
        amount: output.amount,
        currency: output.currency,
        owner: output.owner,
    });
    Some(Created {
        inputs: inputs.collect::<Option<_>>()?,
        outputs: outputs.collect(),
        fee: CreatedFee { amount: fee.amount, currency: fee.currency },
        metadata,
        sign_hash: domain.sign_hash(&tx),
        typed_data: TypedData::of(&tx, domain.verifying_contract()),
        txbytes: Transaction::Payment(tx).encode_unsigned(),
    })
}

fn refusal(error: PaymentError) -> RpcError {
    if let PaymentError::InsufficientFunds { missing } = error {
        let missing = missing.into_iter();
        let missing = missing.map(|one| MissingFunds { token: one.currency, missing: one.amount });
        return RpcError::from(codes::INSUFFICIENT_FUNDS)
            .with_messages(&missing.collect::<Vec<_>>());
    }
    let code = error.to_string();
    let reason = code.strip_prefix("transaction.create:").unwrap_or(&code);
    RpcError::reason(reason.to_owned())
}
