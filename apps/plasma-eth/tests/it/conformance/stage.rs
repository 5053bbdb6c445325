//! Hands that move either chain, so that a check need not know which one it is. Blocks are mined only when asked for.

use crate::kit::{Included, World, included};
use plasma_core::root_chain::{EthEvent, EventKind};
use plasma_core::wire::{
    Address, Blknum, BlockHash, ETH, EthHeight, ExitId, H256, Transaction, U256, UtxoPos,
};
use plasma_eth::{
    ChallengeStandardExit, EthBlock, EthersRootChain, FakeRootChain, GasFees, Orphaned, RootChain,
    SubmitOutcome,
};

pub(crate) enum Stage {
    Fake(FakeRootChain),
    Real(Box<World>),
}

impl Stage {
    pub(crate) fn fake() -> Self {
        Self::Fake(FakeRootChain::new(7))
    }

    pub(crate) async fn real() -> Self {
        let world = World::new().await;
        world.dev.set_automine(false).await.unwrap();
        Self::Real(Box::new(world))
    }

    pub(crate) fn chain(&self) -> &dyn RootChain {
        match self {
            Self::Fake(chain) => chain,
            Self::Real(world) => &world.root_chain,
        }
    }

    pub(crate) fn without_key(&self) -> Box<dyn RootChain> {
        match self {
            Self::Fake(chain) => Box::new(chain.with_key_of(None)),
            Self::Real(world) => Box::new(
                EthersRootChain::new(world.config.clone(), &world.deployment, None).unwrap(),
            ),
        }
    }

    // -- through the port

    pub(crate) async fn newest(&self) -> EthBlock {
        let height = self.chain().eth_height().await.unwrap();
        self.chain().block(height).await.unwrap().unwrap()
    }

    pub(crate) async fn events(&self, kinds: &[EventKind]) -> Vec<EthEvent> {
        let newest = self.chain().eth_height().await.unwrap();
        self.chain().events(kinds, EthHeight::new(0), newest).await.unwrap()
    }

    pub(crate) async fn fees(&self) -> GasFees {
        self.chain().fee_quote().await.unwrap().generous()
    }

    pub(crate) async fn submit(&self, root: BlockHash, nonce: u64, fees: GasFees) -> SubmitOutcome {
        self.chain().submit_block(root, nonce, fees).await.unwrap()
    }

    pub(crate) async fn accepted(&self, root: BlockHash, nonce: u64) -> H256 {
        match self.submit(root, nonce, self.fees().await).await {
            SubmitOutcome::Accepted { txhash } => txhash,
            other => panic!("{other}"),
        }
    }

    /// Replaces what may wait with this nonce.
    pub(crate) async fn submit_and_mine(&self, root: BlockHash, nonce: u64) {
        self.accepted(root, nonce).await;
        self.mine(1).await;
    }

    // -- by the powers of a test

    pub(crate) async fn mine(&self, eth_blocks: u64) {
        match self {
            Self::Fake(chain) => chain.mine(eth_blocks),
            Self::Real(world) => world.dev.mine(eth_blocks).await.unwrap(),
        }
    }

    pub(crate) async fn mine_after(&self, seconds: u64) {
        match self {
            Self::Fake(chain) => chain.mine_at(chain.newest_block().timestamp_s + seconds),
            Self::Real(world) => world.dev.advance_time(seconds).await.unwrap(),
        }
    }

    pub(crate) async fn reorg(&self, depth: u64) {
        match self {
            Self::Fake(chain) => chain.reorg(depth, Orphaned::Dropped),
            Self::Real(world) => world.dev.reorg(depth).await.unwrap(),
        }
    }

    pub(crate) async fn rollback(&self, depth: u64) {
        match self {
            Self::Fake(chain) => chain.rollback(depth, Orphaned::Dropped),
            Self::Real(world) => world.dev.rollback(depth).await.unwrap(),
        }
    }

    pub(crate) async fn set_base_fee(&self, base_fee_per_gas_wei: u128) {
        match self {
            Self::Fake(chain) => chain.set_base_fee(base_fee_per_gas_wei),
            Self::Real(world) => {
                world.dev.set_next_base_fee(base_fee_per_gas_wei).await.unwrap();
                world.dev.mine(1).await.unwrap();
            }
        }
    }

    pub(crate) async fn impoverish_authority(&self) {
        match self {
            Self::Fake(chain) => chain.set_authority_balance(U256::one()),
            Self::Real(world) => {
                let authority = world.authority.address();
                world.dev.set_balance(authority, U256::one()).await.unwrap();
            }
        }
    }

    // -- as a user

    pub(crate) fn depositor(&self) -> Address {
        match self {
            Self::Fake(_) => Address::repeat_byte(0xa1),
            Self::Real(world) => world.alice.address(),
        }
    }

    pub(crate) async fn deposit(&self, amount: U256) -> Blknum {
        match self {
            Self::Fake(chain) => chain.deposit(self.depositor(), ETH, amount),
            Self::Real(world) => {
                world.dev.set_automine(true).await.unwrap();
                let deposit = world.deposit(&world.alice, ETH, amount).await;
                world.dev.set_automine(false).await.unwrap();
                deposit.position.blknum
            }
        }
    }

    pub(crate) async fn deposit_and_exit(&self, amount: U256) -> Included {
        let blknum = self.deposit(amount).await;
        let tx = Transaction::deposit(self.depositor(), ETH, amount).encode_unsigned();
        let output = included(blknum, tx, ETH, amount);
        match self {
            Self::Fake(chain) => {
                let position = UtxoPos::deposit(blknum);
                chain.exit_started(self.depositor(), position, &output.tx);
            }
            Self::Real(world) => {
                world.dev.set_automine(true).await.unwrap();
                let start = output.start();
                let sent = world.client.start_standard_exit(&world.alice, &start).await;
                world.mined(sent).await;
                world.dev.set_automine(false).await.unwrap();
            }
        }
        output
    }

    /// Challenges with a spend that nobody included.
    pub(crate) async fn challenge(&self, spent: &Included) {
        match self {
            Self::Fake(chain) => chain.exit_challenged(spent.position),
            Self::Real(world) => {
                world.dev.set_automine(true).await.unwrap();
                let (payment, witness) = world.payment(spent, &world.alice, &world.bob);
                let challenge = ChallengeStandardExit {
                    exit_id: ExitId::standard(&spent.tx, spent.position).unwrap(),
                    exiting_tx: spent.tx.clone(),
                    challenge_tx: payment.encode_unsigned(),
                    input_index: 0,
                    witness,
                };
                let sent = world.client.challenge_standard_exit(&world.mallory, &challenge).await;
                world.mined(sent).await;
                world.dev.set_automine(false).await.unwrap();
            }
        }
    }

    /// Has the oldest exit paid.
    pub(crate) async fn process(&self, oldest: &Included) {
        let exit_id = ExitId::standard(&oldest.tx, oldest.position).unwrap();
        match self {
            Self::Fake(chain) => chain.exit_finalized(exit_id),
            Self::Real(world) => process_one(world).await,
        }
    }

    /// Has the oldest exit leave the queue, which was challenged.
    pub(crate) async fn process_challenged(&self, oldest: &Included) {
        let exit_id = ExitId::standard(&oldest.tx, oldest.position).unwrap();
        match self {
            Self::Fake(chain) => chain.exit_omitted(exit_id),
            Self::Real(world) => process_one(world).await,
        }
    }
}

async fn process_one(world: &World) {
    world.dev.set_automine(true).await.unwrap();
    let sent = world.client.process_exits(&world.bob, ETH, None, 1).await;
    world.mined(sent).await;
    world.dev.set_automine(false).await.unwrap();
}
