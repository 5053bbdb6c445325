//! A world for one test: anvil, our contracts on it, and people with money.

use plasma_core::root_chain::{EthEvent, EventKind};
use plasma_core::wire::{
    Blknum, Currency, EthHeight, InclusionProof, MerkleBuilder, Output, OutputIndex, PaymentTx,
    SecretKey, Transaction, TxIndex, TypedDataDomain, U256, UtxoPos, merkle::leaf_hash,
};
use plasma_eth::{
    Anvil, AnvilConfig, DeployRequest, Deployment, DevChain, EthConfig, EthersRootChain, Receipt,
    RootChain, RootChainClient, RootChainError, SentTransaction, StartStandardExit, deploy,
    dev_keys, find_anvil,
};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) const MIN_EXIT_PERIOD_S: u64 = 100;
pub(crate) const SEMVER: &str = "1.0.5+penning.test";

pub(crate) const EVERY_KIND: [EventKind; 6] = [
    EventKind::DepositCreated,
    EventKind::BlockSubmitted,
    EventKind::ExitStarted,
    EventKind::ExitChallenged,
    EventKind::ExitFinalized,
    EventKind::ExitOmitted,
];

pub(crate) struct World {
    /// Runs for as long as the world lives.
    _anvil: Anvil,
    pub(crate) deployment: Deployment,
    pub(crate) config: EthConfig,
    pub(crate) client: RootChainClient,
    pub(crate) root_chain: EthersRootChain,
    pub(crate) dev: DevChain,
    pub(crate) authority: SecretKey,
    pub(crate) alice: SecretKey,
    pub(crate) bob: SecretKey,
    pub(crate) mallory: SecretKey,
}

/// An output that can be exited.
#[derive(Clone)]
pub(crate) struct Included {
    pub(crate) position: UtxoPos,
    pub(crate) tx: Vec<u8>,
    pub(crate) proof: InclusionProof,
    pub(crate) currency: Currency,
    pub(crate) amount: U256,
}

pub(crate) fn anvil_binary() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match find_anvil(None, &[root]) {
        Ok(binary) => binary,
        Err(error) => panic!("these tests need a real node. {error}"),
    }
}

pub(crate) fn config_of(anvil: &Anvil) -> EthConfig {
    let mut config = EthConfig::new(anvil.rpc_url().clone());
    config.receipt_poll_ms = 5;
    config
}

impl World {
    pub(crate) async fn new() -> Self {
        let anvil = Anvil::spawn(&AnvilConfig::new(anvil_binary())).await.unwrap();
        let config = config_of(&anvil);
        let [deployer, maintainer, authority, alice, bob, mallory] =
            dev_keys(6).unwrap().try_into().unwrap();
        let request = DeployRequest {
            deployer,
            maintainer,
            authority: authority.clone(),
            min_exit_period_s: MIN_EXIT_PERIOD_S,
            contract_semver: SEMVER.to_owned(),
            funding_wei: U256::zero(),
            with_test_token: true,
        };
        let deployment = deploy(config.clone(), &request, |_| {}).await.unwrap();
        Self {
            client: RootChainClient::new(config.clone(), &deployment).unwrap(),
            root_chain: EthersRootChain::new(config.clone(), &deployment, Some(authority.clone()))
                .unwrap(),
            dev: DevChain::new(&config).unwrap(),
            _anvil: anvil,
            deployment,
            config,
            authority,
            alice,
            bob,
            mallory,
        }
    }

    pub(crate) fn token(&self) -> Currency {
        self.deployment.erc20_token.unwrap()
    }

    /// Waits for a transaction that must succeed.
    pub(crate) async fn mined(&self, sent: Result<SentTransaction, RootChainError>) -> Receipt {
        let receipt = self.client.confirm(&sent.unwrap(), 1, |_| {}).await.unwrap();
        receipt.success().unwrap()
    }

    pub(crate) async fn deposit(
        &self,
        key: &SecretKey,
        currency: Currency,
        amount: U256,
    ) -> Included {
        let receipt = self.mined(self.client.deposit(key, currency, amount).await).await;
        let tx = Transaction::deposit(key.address(), currency, amount).encode_unsigned();
        let position = UtxoPos::deposit(receipt.deposit_blknum().unwrap());
        included(position.blknum, tx, currency, amount)
    }

    /// A payment of one output to one receiver, and the spender's signature.
    pub(crate) fn payment(
        &self,
        from: &Included,
        key: &SecretKey,
        to: &SecretKey,
    ) -> (Transaction, Vec<u8>) {
        let payment = PaymentTx {
            inputs: [from.position.into()].into_iter().collect(),
            outputs: [Output::payment(to.address(), from.currency, from.amount)]
                .into_iter()
                .collect(),
            metadata: Default::default(),
        };
        let domain = TypedDataDomain::new(self.deployment.addresses.plasma_framework);
        let signature = key.sign(domain.sign_hash(&payment));
        (Transaction::Payment(payment), signature.as_bytes().to_vec())
    }

    /// Submits a block that holds one payment.
    pub(crate) async fn include(
        &self,
        payment: &Transaction,
        currency: Currency,
        amount: U256,
    ) -> Included {
        let tx = payment.encode_unsigned();
        let root = MerkleBuilder::from_leaves([leaf_hash(&tx)]).unwrap().root();
        let state = self.root_chain.submission_state().await.unwrap();
        let fees = self.root_chain.fee_quote().await.unwrap().generous();
        let outcome = self.root_chain.submit_block(root, state.pending_nonce, fees).await.unwrap();
        assert!(outcome.txhash().is_some(), "{outcome}");
        let blknum = state.mined_blknum.next_child_block().unwrap();
        self.wait_for_block(blknum).await;
        included(blknum, tx, currency, amount)
    }

    /// Anvil answers a submission before it has mined it.
    pub(crate) async fn wait_for_block(&self, blknum: Blknum) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.root_chain.child_block(blknum).await.unwrap().is_none() {
            assert!(Instant::now() < deadline, "block {blknum} is not mined");
        }
    }

    pub(crate) async fn events(&self) -> Vec<EthEvent> {
        let newest = self.root_chain.eth_height().await.unwrap();
        self.root_chain.events(&EVERY_KIND, EthHeight::new(0), newest).await.unwrap()
    }

    pub(crate) async fn wei(&self, key: &SecretKey) -> U256 {
        self.client.balance(key.address(), Default::default()).await.unwrap()
    }
}

impl Included {
    pub(crate) fn start(&self) -> StartStandardExit {
        StartStandardExit {
            position: self.position,
            output_tx: self.tx.clone(),
            inclusion_proof: self.proof.clone(),
        }
    }
}

pub(crate) fn included(blknum: Blknum, tx: Vec<u8>, currency: Currency, amount: U256) -> Included {
    Included {
        position: UtxoPos::new(blknum, TxIndex::new(0), OutputIndex::new(0)),
        proof: InclusionProof::from_leaves(0, &[leaf_hash(&tx)]).unwrap(),
        tx,
        currency,
        amount,
    }
}

pub(crate) fn ether(milli: u64) -> U256 {
    U256::from(milli) * U256::exp10(15)
}
