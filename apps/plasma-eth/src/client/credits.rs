//! Credits: payouts and bonds whose receiver did not take them, kept by the contract that tried.

use super::{RootChainClient, SentTransaction};
use crate::RootChainError;
use crate::contracts::abi::arg;
use crate::contracts::{Contract, encode_call};
use ethers::abi::Token;
use plasma_core::wire::{Address, Currency, ETH, SecretKey, U256};

/// Who keeps a credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CreditSource {
    /// The vault of Ether: a payout of an exit.
    EthVault,
    /// The vault of tokens, which keeps credits apart by token: a payout of an exit.
    Erc20Vault(Currency),
    /// The exit game: a bond.
    ExitGame,
}

impl CreditSource {
    /// What the credit is counted in.
    pub const fn currency(self) -> Currency {
        match self {
            Self::EthVault | Self::ExitGame => ETH,
            Self::Erc20Vault(token) => token,
        }
    }

    const fn contract(self) -> Contract {
        match self {
            Self::EthVault => Contract::EthVault,
            Self::Erc20Vault(_) => Contract::Erc20Vault,
            Self::ExitGame => Contract::PaymentExitGame,
        }
    }

    fn arguments(self, owner: Address, to: Option<Address>) -> Vec<Token> {
        let mut arguments = vec![arg::address(owner)];
        if let Self::Erc20Vault(token) = self {
            arguments.push(arg::address(token));
        }
        arguments.extend(to.map(arg::address));
        arguments
    }
}

impl RootChainClient {
    /// What `owner` may withdraw, in the smallest unit.
    pub async fn credit(
        &self,
        source: CreditSource,
        owner: Address,
    ) -> Result<U256, RootChainError> {
        let arguments = source.arguments(owner, None);
        self.read(source.contract(), "credits", &arguments, |fields| fields.u256()).await
    }

    /// Withdraws a whole credit. Its owner chooses where `to`; anybody else can have it sent to the owner only.
    ///
    /// # Errors
    /// The contract's refusal (`NoCredit`, `NotCreditOwner`, …), before anything is sent.
    pub async fn withdraw_credit(
        &self,
        key: &SecretKey,
        source: CreditSource,
        owner: Address,
        to: Address,
    ) -> Result<SentTransaction, RootChainError> {
        let function = "withdrawCredit";
        let contract = source.contract();
        let data = encode_call(contract, function, &source.arguments(owner, Some(to)))
            .map_err(|cause| cause.during(function, ""))?;
        let address = self.address_of(contract).await?;
        self.send(key, (function, format!("of {owner:?}")), (address, U256::zero(), data)).await
    }
}
