//! `wallet credit` and `wallet withdraw-credit`: payouts and bonds that could not be delivered.

use super::session::Session;
use super::view::{self, AmountView};
use crate::failure::Failure;
use anyhow::Result;
use clap::{Args, ValueEnum};
use plasma_core::wire::{Address, Currency, ETH, H256};
use plasma_eth::CreditSource;
use plasma_rpc::json::hex;
use serde::Serialize;
use std::fmt;

/// Whose credits.
#[derive(Args)]
pub(super) struct CreditArgs {
    /// Whose; else the account of the key
    #[arg(long, value_parser = crate::parsing::address)]
    address: Option<Address>,
    /// Also look for this token; again for more
    #[arg(long, value_parser = crate::parsing::currency)]
    currency: Vec<Currency>,
}

/// Who keeps a credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Keeper {
    /// A payout in ETH
    EthVault,
    /// A payout in a token; needs --currency
    Erc20Vault,
    /// A bond
    ExitGame,
}

/// Which credit, and where it goes.
#[derive(Args)]
pub(super) struct WithdrawCreditArgs {
    /// Who keeps it
    #[arg(long, value_enum)]
    from: Keeper,
    /// The token, for the ERC-20 vault
    #[arg(long, value_parser = crate::parsing::currency)]
    currency: Option<Currency>,
    /// Who receives it; else the account of the key
    #[arg(long, value_parser = crate::parsing::address)]
    to: Option<Address>,
}

fn source(keeper: Keeper, currency: Option<Currency>) -> Result<CreditSource, Failure> {
    // Zero is Ether, which needs no name.
    let token = currency.filter(|currency| *currency != ETH);
    match (keeper, token) {
        (Keeper::EthVault, None) => Ok(CreditSource::EthVault),
        (Keeper::ExitGame, None) => Ok(CreditSource::ExitGame),
        (Keeper::Erc20Vault, Some(token)) => Ok(CreditSource::Erc20Vault(token)),
        (Keeper::Erc20Vault, None) => Err(Failure::new(
            "credit:no_token",
            "the ERC-20 vault keeps credits apart by token: name it with --currency",
        )),
        (Keeper::EthVault | Keeper::ExitGame, Some(_)) => Err(Failure::new(
            "credit:wrong_keeper",
            "this keeper has ETH only: leave --currency out",
        )),
    }
}

const fn keeper_name(source: CreditSource) -> &'static str {
    match source {
        CreditSource::EthVault => "eth-vault",
        CreditSource::Erc20Vault(_) => "erc20-vault",
        CreditSource::ExitGame => "exit-game",
    }
}

impl CreditArgs {
    /// Does it.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
        let address = session.account(self.address)?;
        let tokens = self.currency.iter().copied().chain(session.network.deployment.erc20_token);
        let mut tokens: Vec<_> = tokens.filter(|token| *token != ETH).collect();
        tokens.sort_unstable();
        tokens.dedup();
        let of_tokens = tokens.into_iter().map(CreditSource::Erc20Vault);
        let mut credits = Vec::new();
        for source in [CreditSource::EthVault, CreditSource::ExitGame].into_iter().chain(of_tokens)
        {
            let amount = session.root_chain.credit(source, address).await?;
            if !amount.is_zero() {
                let denomination = session.denomination(source.currency()).await?;
                let amount = AmountView::new(&denomination, amount);
                credits.push(CreditView { from: keeper_name(source), amount });
            }
        }
        session.out.finish(&CreditReport { address, credits })
    }
}

impl WithdrawCreditArgs {
    /// Does it.
    pub(super) async fn run(self, session: &Session) -> Result<()> {
        let source = source(self.from, self.currency)?;
        let key = session.key()?;
        let owner = key.address();
        let to = self.to.unwrap_or(owner);
        let amount = session.root_chain.credit(source, owner).await?;
        let denomination = session.denomination(source.currency()).await?;
        let sent = session.root_chain.withdraw_credit(&key, source, owner, to).await?;
        let receipt = session.mined(sent).await?;
        session.out.finish(&WithdrawReport {
            txhash: receipt.txhash,
            from: keeper_name(source),
            to,
            amount: AmountView::new(&denomination, amount),
        })
    }
}

/// What `credit` prints.
#[derive(Serialize)]
struct CreditReport {
    #[serde(with = "hex")]
    address: Address,
    credits: Vec<CreditView>,
}

#[derive(Serialize)]
struct CreditView {
    from: &'static str,
    amount: AmountView,
}

impl fmt::Display for CreditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.credits.is_empty() {
            return write!(f, "nothing waits for {}", view::address(self.address));
        }
        write!(f, "{}", view::address(self.address))?;
        for credit in &self.credits {
            write!(f, "\n  {:<12} {}", credit.from, credit.amount)?;
        }
        write!(
            f,
            "\nnext: `penning wallet withdraw-credit --from {}`",
            self.credits.first().map(|credit| credit.from.to_string()).unwrap_or_default()
        )
    }
}

/// What `withdraw-credit` prints.
#[derive(Serialize)]
struct WithdrawReport {
    #[serde(with = "hex")]
    txhash: H256,
    from: &'static str,
    #[serde(with = "hex")]
    to: Address,
    amount: AmountView,
}

impl fmt::Display for WithdrawReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (amount, to) = (&self.amount, view::address(self.to));
        writeln!(f, "withdrew {amount} from {} to {to}", self.from)?;
        write!(f, "  root chain transaction {}", view::hash(self.txhash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::wire::U256;

    #[test]
    fn a_keeper_and_a_currency_have_to_fit() {
        let token = Address::repeat_byte(1);
        for (keeper, currency, expected) in [
            (Keeper::EthVault, None, Some(CreditSource::EthVault)),
            (Keeper::EthVault, Some(ETH), Some(CreditSource::EthVault)),
            (Keeper::EthVault, Some(token), None),
            (Keeper::ExitGame, None, Some(CreditSource::ExitGame)),
            (Keeper::ExitGame, Some(token), None),
            (Keeper::Erc20Vault, Some(token), Some(CreditSource::Erc20Vault(token))),
            (Keeper::Erc20Vault, Some(ETH), None),
            (Keeper::Erc20Vault, None, None),
        ] {
            assert_eq!(source(keeper, currency).ok(), expected, "{keeper:?} {currency:?}");
        }
    }

    #[test]
    fn reports_have_a_stable_shape() {
        let credit = CreditView { from: "eth-vault", amount: AmountView::wei(U256::one()) };
        let report = CreditReport { address: Address::repeat_byte(1), credits: vec![credit] };
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["credits"][0]["from"], "eth-vault");
        assert_eq!(json["credits"][0]["amount"]["amount"], "1");
        assert!(report.to_string().contains("eth-vault    0.000000000000000001 ETH"), "{report}");
        let empty = CreditReport { credits: vec![], ..report };
        assert!(empty.to_string().starts_with("nothing waits"), "{empty}");
    }
}
