//! Money in.

use super::{RootChainClient, SentTransaction};
use crate::RootChainError;
use crate::contracts::abi::arg;
use crate::contracts::{Contract, encode_call};
use plasma_core::wire::{Currency, ETH, SecretKey, Transaction, U256};

impl RootChainClient {
    /// Deposits for the owner of the key. A token first gets an allowance where it needs one, and that is waited for.
    ///
    /// # Errors
    /// The contracts' refusal (`AmountZero`, `DepositLimitReached`, …), before anything is sent; for a token possibly after the
    /// allowance was given, which a later deposit then uses.
    pub async fn deposit(
        &self,
        key: &SecretKey,
        currency: Currency,
        amount: U256,
    ) -> Result<SentTransaction, RootChainError> {
        let (vault, value_wei) = if currency == ETH {
            (Contract::EthVault, amount)
        } else {
            if let Some(approval) = self.approve_if_needed(key, currency, amount).await? {
                self.confirm(&approval, 1, |_| {}).await?.success()?;
            }
            (Contract::Erc20Vault, U256::zero())
        };
        let deposit = Transaction::deposit(key.address(), currency, amount).encode_unsigned();
        let data = encode_call(vault, "deposit", &[arg::bytes(&deposit)])
            .map_err(|cause| cause.during("deposit", ""))?;
        let to = self.address_of(vault).await?;
        let context = format!("{amount} of {currency:?}");
        self.send(key, ("deposit", context), (to, value_wei, data)).await
    }

    /// Lets the vault take `amount` of a token from the owner of the key. `None` when it already may. The deposit works once this is
    /// mined.
    pub async fn approve_if_needed(
        &self,
        key: &SecretKey,
        token: Currency,
        amount: U256,
    ) -> Result<Option<SentTransaction>, RootChainError> {
        let vault = self.address_of(Contract::Erc20Vault).await?;
        let owner = key.address();
        let erc20 = (Contract::TestToken, token);
        let arguments = [arg::address(owner), arg::address(vault)];
        let allowance =
            self.read_at(erc20, "allowance", &arguments, |fields| fields.u256()).await?;
        if allowance >= amount {
            return Ok(None);
        }
        let approve = async |amount: U256| {
            let arguments = [arg::address(vault), arg::uint(amount)];
            let data = encode_call(Contract::TestToken, "approve", &arguments)
                .map_err(|cause| cause.during("approve", ""))?;
            let context = format!("{amount} of {token:?}");
            self.send(key, ("approve", context), (token, U256::zero(), data)).await
        };
        if !allowance.is_zero() {
            // Some tokens (USDT) change an allowance only from or to zero.
            let cleared = approve(U256::zero()).await?;
            self.confirm(&cleared, 1, |_| {}).await?.success()?;
        }
        approve(amount).await.map(Some)
    }
}
