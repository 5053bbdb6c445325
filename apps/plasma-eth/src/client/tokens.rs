//! Balances, transfers and what a token calls itself.

use super::{RootChainClient, SentTransaction};
use crate::contracts::abi::arg;
use crate::contracts::{Contract, encode_call};
use crate::error::printable;
use crate::node::{At, Call};
use crate::{RootChainCause, RootChainError};
use plasma_core::wire::{Address, Currency, ETH, SecretKey, U256};

/// Longest symbol that is shown.
const SYMBOL_CHARS_MAX: usize = 32;

/// What a token calls itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenMetadata {
    /// For people; anyone can name a token anything.
    pub symbol: String,
    /// One token is ten to this power of its smallest unit.
    pub decimals: u8,
}

impl RootChainClient {
    /// What `owner` has on the root chain, in the smallest unit.
    pub async fn balance(
        &self,
        owner: Address,
        currency: Currency,
    ) -> Result<U256, RootChainError> {
        if currency == ETH {
            return self.deployed.node.balance_wei(owner, At::Latest).await;
        }
        let token = (Contract::TestToken, currency);
        self.read_at(token, "balanceOf", &[arg::address(owner)], |fields| fields.u256()).await
    }

    /// Symbol and decimals of a currency.
    ///
    /// # Errors
    /// `NoContract` when there is no contract at this address; also for tokens that do not tell their decimals, which cannot be shown
    /// in any other unit than the smallest.
    pub async fn token_metadata(
        &self,
        currency: Currency,
    ) -> Result<TokenMetadata, RootChainError> {
        if currency == ETH {
            return Ok(TokenMetadata { symbol: "ETH".to_owned(), decimals: 18 });
        }
        let token = (Contract::TestToken, currency);
        let decimals = self.read_at(token, "decimals", &[], |fields| {
            u8::try_from(fields.u64()?).map_err(|_| {
                RootChainCause::Malformed("a token with more than 255 decimals".to_owned())
            })
        });
        Ok(TokenMetadata { decimals: decimals.await?, symbol: self.symbol(currency).await? })
    }

    /// Sends Ether or tokens on the root chain.
    ///
    /// # Errors
    /// `InsufficientFunds`, or the token's refusal, before anything is sent.
    pub async fn transfer(
        &self,
        key: &SecretKey,
        to: Address,
        currency: Currency,
        amount: U256,
    ) -> Result<SentTransaction, RootChainError> {
        let context = format!("{amount} of {currency:?} to {to:?}");
        let sending = if currency == ETH {
            (to, amount, Vec::new())
        } else {
            let arguments = [arg::address(to), arg::uint(amount)];
            let data = encode_call(Contract::TestToken, "transfer", &arguments)
                .map_err(|cause| cause.during("transfer", ""))?;
            (currency, U256::zero(), data)
        };
        self.send(key, ("transfer", context), sending).await
    }

    /// Makes new test tokens for `to`. Works for the token a deployment for development brings along, where anyone may.
    pub async fn mint(
        &self,
        key: &SecretKey,
        token: Currency,
        to: Address,
        amount: U256,
    ) -> Result<SentTransaction, RootChainError> {
        let arguments = [arg::address(to), arg::uint(amount)];
        let data = encode_call(Contract::TestToken, "mint", &arguments)
            .map_err(|cause| cause.during("mint", ""))?;
        let context = format!("{amount} of {token:?} to {to:?}");
        self.send(key, ("mint", context), (token, U256::zero(), data)).await
    }

    async fn symbol(&self, token: Currency) -> Result<String, RootChainError> {
        let function = "symbol";
        let context = || format!("token {token:?}");
        let contract = Contract::TestToken;
        let data = encode_call(contract, function, &[])
            .map_err(|cause| cause.during(function, context()))?;
        let node = &self.deployed.node;
        let call = Call::read(token, data);
        let output = node.call(&call, At::Latest, context).await?;
        let text = symbol_text(&output);
        text.ok_or_else(|| RootChainCause::NoContract(token).during(function, context()))
    }
}

/// A symbol as text, or as the 32 bytes that tokens before the standard return.
fn symbol_text(output: &[u8]) -> Option<String> {
    let decoded = crate::contracts::decode_output(Contract::TestToken, "symbol", output);
    let text = match (decoded.and_then(|mut fields| fields.string()), output) {
        (Ok(text), _) => text,
        (Err(_), word) if word.len() == 32 => {
            let end = word.iter().rposition(|byte| *byte != 0)?;
            String::from_utf8_lossy(word.get(..=end)?).into_owned()
        }
        (Err(_), _) => return None,
    };
    Some(printable(&text).chars().take(SYMBOL_CHARS_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ethers::abi::{Token, encode};

    #[test]
    fn symbols_come_as_text_or_as_32_bytes() {
        let mut word = [0; 32];
        word[..3].copy_from_slice(b"MKR");
        for (output, expected) in [
            (encode(&[Token::String("PTT".into())]), Some("PTT")),
            (word.to_vec(), Some("MKR")),
            (encode(&[Token::String("a\u{1b}[31mred".into())]), Some("a [31mred")),
            (vec![0; 32], None),
            (vec![], None),
            (vec![1; 40], None),
        ] {
            assert_eq!(symbol_text(&output).as_deref(), expected);
        }
    }
}
