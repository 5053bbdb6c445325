//! Deploys and registers the whole system, in the order of `docs/protocol/contracts.md` section 9.
//!
//! Three keys, and none does another's work: the deployer creates the contracts and keeps no power over them, the maintainer registers
//! them, the authority opens the chain. Transactions of one stage are sent at once and waited for together; a stage starts when what it
//! builds on is mined. Nothing is undone after a failure: deploy again, from a fresh authority, so that its nonces still match block
//! numbers.

mod pipeline;

use crate::contracts::Contract;
use crate::contracts::abi::arg;
use crate::deployed::{Deployed, ERC20_VAULT_ID, ETH_VAULT_ID, PAYMENT_TX_TYPE};
use crate::node::Node;
use crate::{ContractAddresses, Deployment, DeploymentMismatch, EthConfig, RootChainError};
use ethers::abi::Token;
use pipeline::{Created, Pipeline};
use plasma_core::wire::{Address, ETH, SecretKey, TxType, U256};
use std::fmt;
use std::sync::Arc;
use thiserror::Error;

/// Gas a payout or bond is pushed with, beside the 2300 the EVM adds.
const SAFE_GAS_STIPEND: u64 = 2300;
/// Vaults and exit games a deployment starts with; they skip the quarantine.
const IMMUNITIES: u64 = 2;
/// The protocol of an exit game: MoreVP.
const MORE_VP: u64 = 2;
/// Numbers of transaction and output types that have no name in the core: type 2 is reserved for a second kind of payment.
const PAYMENT_V2_TX_TYPE: u64 = 2;
const FEE_TX_TYPE: u64 = TxType::FeeClaim.number() as u64;
const PAYMENT_OUTPUT_TYPE: u64 = 1;
const FEE_CLAIM_OUTPUT_TYPE: u64 = 2;

/// What to deploy, and by whom.
#[derive(Clone, Debug)]
pub struct DeployRequest {
    /// Creates the contracts and pays for it.
    pub deployer: SecretKey,
    /// Registers vaults and exit games, now and later.
    pub maintainer: SecretKey,
    /// Submits blocks. Must not have sent any transaction yet, so that block n·1000 gets nonce n.
    pub authority: SecretKey,
    /// The time unit of exits, in seconds: a week in production.
    pub min_exit_period_s: u64,
    /// What the contracts call themselves, as a semantic version.
    pub contract_semver: String,
    /// What the deployer gives to maintainer and authority where they have less, in wei. Zero: nothing.
    pub funding_wei: U256,
    /// Also deploy a token that anyone can mint, with an exit queue. For development networks only.
    pub with_test_token: bool,
}

/// A part of the deployment, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeployStep {
    /// Looking at the chain and the accounts.
    Look,
    /// Giving Ether to maintainer and authority.
    FundAccounts,
    /// Deploying a contract or library.
    Create(&'static str),
    /// Calling a function of a contract.
    Call(&'static str, &'static str),
    /// Comparing what the framework says with what was deployed.
    Check,
}

impl fmt::Display for DeployStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Look => f.write_str("look at chain and accounts"),
            Self::FundAccounts => f.write_str("fund maintainer and authority"),
            Self::Create(contract) => write!(f, "deploy {contract}"),
            Self::Call(contract, function) => write!(f, "{contract}.{function}"),
            Self::Check => f.write_str("check the result"),
        }
    }
}

/// A deployment did not complete.
#[derive(Debug, Error)]
pub enum DeployError {
    /// A step failed.
    #[error("step \"{step}\" failed: {source}")]
    Step {
        /// Which.
        step: DeployStep,
        /// Why.
        source: RootChainError,
    },
    /// The authority has sent transactions before.
    #[error(
        "the authority {authority:?} has sent {nonce} transactions before; take a fresh account, so that block n * 1000 has nonce n"
    )]
    AuthorityUsed {
        /// The account.
        authority: Address,
        /// Its nonce.
        nonce: u64,
    },
    /// The framework knows other parts than were deployed.
    #[error("the deployment is not what was asked for: {0}")]
    Mismatch(#[from] DeploymentMismatch),
}

/// Deploys and registers the whole system, and adds the exit queue of Ether. `on_step` hears of each step as it is sent.
///
/// # Errors
/// [`DeployError`], which names the step.
pub async fn deploy(
    config: EthConfig,
    request: &DeployRequest,
    on_step: impl FnMut(DeployStep) + Send,
) -> Result<Deployment, DeployError> {
    let node = Node::new(config).map_err(|source| step_failed(DeployStep::Look, source))?;
    let node = Arc::new(node);
    let mut pipeline = Pipeline::start(node.clone(), on_step).await?;
    let authority = request.authority.address();
    let nonce = pipeline.nonce_of(DeployStep::Look, authority).await?;
    if nonce != 0 {
        return Err(DeployError::AuthorityUsed { authority, nonce });
    }
    fund(&mut pipeline, request).await?;
    let parts = create(&mut pipeline, request).await?;
    let framework_at = pipeline.settle().await?;
    register_vaults(&mut pipeline, &request.maintainer, &parts).await?;
    pipeline.settle().await?;
    let exit_game = create_exit_game(&mut pipeline, &request.deployer, &parts).await?;
    pipeline.settle().await?;
    open(&mut pipeline, request, &parts, exit_game).await?;
    pipeline.settle().await?;

    let deployment = Deployment {
        plasma_framework_tx_hash: parts.framework.txhash,
        addresses: ContractAddresses {
            plasma_framework: parts.framework.address,
            eth_vault: parts.eth_vault.address,
            erc20_vault: parts.erc20_vault.address,
            payment_exit_game: exit_game.address,
        },
        authority,
        chain_id: pipeline.chain_id(),
        eth_height: framework_at.get(&parts.framework.txhash).copied().unwrap_or_default(),
        min_exit_period_s: request.min_exit_period_s,
        contract_semver: request.contract_semver.clone(),
        erc20_token: parts.test_token.map(|token| token.address),
    };
    pipeline.tell(DeployStep::Check);
    let deployed = Deployed::new(node, parts.framework.address, deployment.chain_id);
    let facts = deployed.facts().await;
    let facts = facts.map_err(|source| step_failed(DeployStep::Check, source))?;
    deployment.check(&facts)?;
    Ok(deployment)
}

const fn step_failed(step: DeployStep, source: RootChainError) -> DeployError {
    DeployError::Step { step, source }
}

/// The contracts that exist before any registration.
struct Parts {
    framework: Created,
    eth_vault: Created,
    eth_verifier: Created,
    erc20_vault: Created,
    erc20_verifier: Created,
    registry: Created,
    state_transition_verifier: Created,
    fee_exit_game: Created,
    test_token: Option<Created>,
}

async fn fund(
    pipeline: &mut Pipeline<impl FnMut(DeployStep) + Send>,
    request: &DeployRequest,
) -> Result<(), DeployError> {
    for account in [request.maintainer.address(), request.authority.address()] {
        pipeline.top_up(&request.deployer, account, request.funding_wei).await?;
    }
    pipeline.settle().await.map(drop)
}

/// Rows 1 to 5, 10 to 15 and 17 of the table.
async fn create(
    pipeline: &mut Pipeline<impl FnMut(DeployStep) + Send>,
    request: &DeployRequest,
) -> Result<Parts, DeployError> {
    use Contract as C;
    let key = &request.deployer;
    let roles = [
        arg::uint(request.min_exit_period_s),
        arg::uint(IMMUNITIES),
        arg::uint(IMMUNITIES),
        arg::address(request.authority.address()),
        arg::address(request.maintainer.address()),
    ];
    let framework = pipeline.create(key, C::PlasmaFramework, &roles).await?;
    let at = || arg::address(framework.address);
    let deposit_types = [arg::uint(PAYMENT_TX_TYPE), arg::uint(PAYMENT_OUTPUT_TYPE)];
    let eth_verifier = pipeline.create(key, C::EthDepositVerifier, &deposit_types).await?;
    let eth_vault = pipeline.create(key, C::EthVault, &[at(), arg::uint(SAFE_GAS_STIPEND)]).await?;
    let erc20_verifier = pipeline.create(key, C::Erc20DepositVerifier, &deposit_types).await?;
    let erc20_vault = pipeline.create(key, C::Erc20Vault, &[at()]).await?;
    let registry = pipeline.create(key, C::SpendingConditionRegistry, &[]).await?;
    register_conditions(pipeline, key, framework, registry).await?;
    let state_transition_verifier =
        pipeline.create(key, C::PaymentTransactionStateTransitionVerifier, &[]).await?;
    let fee_exit_game = pipeline.create(key, C::FeeExitGame, &[]).await?;
    let test_token = if request.with_test_token {
        Some(pipeline.create(key, C::TestToken, &[]).await?)
    } else {
        None
    };
    Ok(Parts {
        framework,
        eth_vault,
        eth_verifier,
        erc20_vault,
        erc20_verifier,
        registry,
        state_transition_verifier,
        fee_exit_game,
        test_token,
    })
}

/// Rows 11 to 14: how outputs may be spent, and then nobody can change it.
async fn register_conditions(
    pipeline: &mut Pipeline<impl FnMut(DeployStep) + Send>,
    key: &SecretKey,
    framework: Created,
    registry: Created,
) -> Result<(), DeployError> {
    use Contract as C;
    let payment = C::PaymentOutputToPaymentTxCondition;
    let fee_claim = C::FeeClaimOutputToPaymentTxCondition;
    let at = || arg::address(framework.address);
    let number = arg::uint::<u64>;
    for (contract, arguments, output_type, tx_type) in [
        (
            payment,
            vec![at(), number(PAYMENT_TX_TYPE), number(PAYMENT_TX_TYPE)],
            PAYMENT_OUTPUT_TYPE,
            PAYMENT_TX_TYPE,
        ),
        (
            payment,
            vec![at(), number(PAYMENT_TX_TYPE), number(PAYMENT_V2_TX_TYPE)],
            PAYMENT_OUTPUT_TYPE,
            PAYMENT_V2_TX_TYPE,
        ),
        (
            fee_claim,
            vec![at(), number(FEE_TX_TYPE), number(FEE_CLAIM_OUTPUT_TYPE), number(PAYMENT_TX_TYPE)],
            FEE_CLAIM_OUTPUT_TYPE,
            PAYMENT_TX_TYPE,
        ),
    ] {
        let condition = pipeline.create(key, contract, &arguments).await?;
        let arguments = [number(output_type), number(tx_type), arg::address(condition.address)];
        let function = "registerSpendingCondition";
        pipeline.call(key, registry, function, &arguments).await?;
    }
    pipeline.call(key, registry, "renounceOwnership", &[]).await
}

/// Rows 6 to 9.
async fn register_vaults(
    pipeline: &mut Pipeline<impl FnMut(DeployStep) + Send>,
    key: &SecretKey,
    parts: &Parts,
) -> Result<(), DeployError> {
    for (vault_id, vault, verifier) in [
        (ETH_VAULT_ID, parts.eth_vault, parts.eth_verifier),
        (ERC20_VAULT_ID, parts.erc20_vault, parts.erc20_verifier),
    ] {
        let verifier = [arg::address(verifier.address)];
        pipeline.call(key, vault, "setDepositVerifier", &verifier).await?;
        let registration = [arg::uint(vault_id), arg::address(vault.address)];
        pipeline.call(key, parts.framework, "registerVault", &registration).await?;
    }
    Ok(())
}

/// Row 16. The game looks its vaults up once, so it comes after their registration.
async fn create_exit_game(
    pipeline: &mut Pipeline<impl FnMut(DeployStep) + Send>,
    key: &SecretKey,
    parts: &Parts,
) -> Result<Created, DeployError> {
    let arguments = Token::Tuple(vec![
        arg::address(parts.framework.address),
        arg::uint(ETH_VAULT_ID),
        arg::uint(ERC20_VAULT_ID),
        arg::address(parts.registry.address),
        arg::address(parts.state_transition_verifier.address),
        arg::uint(PAYMENT_TX_TYPE),
        arg::uint(SAFE_GAS_STIPEND),
    ]);
    pipeline.create(key, Contract::PaymentExitGame, &[arguments]).await
}

/// Rows 18 to 22.
async fn open(
    pipeline: &mut Pipeline<impl FnMut(DeployStep) + Send>,
    request: &DeployRequest,
    parts: &Parts,
    exit_game: Created,
) -> Result<(), DeployError> {
    let framework = parts.framework;
    for (tx_type, game) in [(PAYMENT_TX_TYPE, exit_game), (FEE_TX_TYPE, parts.fee_exit_game)] {
        let arguments = [arg::uint(tx_type), arg::address(game.address), arg::uint(MORE_VP)];
        pipeline.call(&request.maintainer, framework, "registerExitGame", &arguments).await?;
    }
    let version = [arg::text(&request.contract_semver)];
    pipeline.call(&request.maintainer, framework, "setVersion", &version).await?;
    pipeline.call(&request.authority, framework, "activateChildChain", &[]).await?;
    let token = parts.test_token.map(|token| (ERC20_VAULT_ID, token.address));
    for (vault_id, currency) in std::iter::once((ETH_VAULT_ID, ETH)).chain(token) {
        let queue = [arg::uint(vault_id), arg::address(currency)];
        pipeline.call(&request.deployer, framework, "addExitQueue", &queue).await?;
    }
    Ok(())
}
