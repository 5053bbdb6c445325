//! Refusals of contracts, decoded to the names of their errors.

use super::Contract;
use super::abi::Fields;
use crate::Revert;
use crate::rpc::NodeError;
use ethers::abi::ethabi::AbiError;
use ethers::abi::{Token, decode, encode};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Longest refusal that is decoded; ours take at most a hundred bytes.
const REVERT_BYTES_MAX: usize = 4096;
/// Bytes of a refusal that are shown when nothing else can be said about it.
const UNEXPLAINED_BYTES_SHOWN: usize = 68;
/// Nested objects that are searched for the refusal's bytes: nodes put them in different places.
const DATA_DEPTH_MAX: usize = 4;

type Selector = [u8; 4];

static ERRORS: LazyLock<BTreeMap<Selector, &'static AbiError>> = LazyLock::new(|| {
    Contract::ALL
        .iter()
        .filter_map(|contract| contract.artifact().ok())
        .flat_map(|artifact| artifact.abi.errors())
        .filter_map(|error| Some((*error.signature().0.first_chunk::<4>()?, error)))
        .collect()
});

/// The refusal inside a node's error.
pub(crate) fn of_node_error(error: &NodeError) -> Revert {
    match error.data.as_ref().and_then(|data| find_hex(data, DATA_DEPTH_MAX)) {
        Some(bytes) => of_bytes(&bytes),
        // `execution reverted: reason` is how nodes without data put it.
        None => unexplained(vec![("message", error.message.clone())]),
    }
}

/// The refusal with these bytes.
pub(crate) fn of_bytes(bytes: &[u8]) -> Revert {
    let Some((selector, body)) = bytes.split_first_chunk::<4>() else {
        return unexplained(Vec::new());
    };
    if bytes.len() > REVERT_BYTES_MAX {
        return unexplained(vec![("bytes", bytes.len().to_string())]);
    }
    named(*selector, body).unwrap_or_else(|| {
        let shown = bytes.get(..UNEXPLAINED_BYTES_SHOWN).unwrap_or(bytes);
        unexplained(vec![("data", const_hex::encode_prefixed(shown))])
    })
}

/// A transaction that used all the gas it was given.
pub(crate) fn out_of_gas(gas_limit: u64) -> Revert {
    Revert::new("OutOfGas", vec![("gas_limit".to_owned(), gas_limit.to_string())])
}

/// A refusal nobody explained.
pub(crate) fn unexplained(facts: Vec<(&str, String)>) -> Revert {
    let facts = facts.into_iter().map(|(name, fact)| (name.to_owned(), fact));
    Revert::new("Unexplained", facts.collect())
}

fn named(selector: Selector, body: &[u8]) -> Option<Revert> {
    /// `Error(string)`: a text.
    const ERROR: Selector = [0x08, 0xc3, 0x79, 0xa0];
    /// `Panic(uint256)`: a check the compiler put in.
    const PANIC: Selector = [0x4e, 0x48, 0x7b, 0x71];
    let parameters = match selector {
        ERROR => vec![ethers::abi::ParamType::String],
        PANIC => vec![ethers::abi::ParamType::Uint(256)],
        _ => {
            let inputs = &ERRORS.get(&selector)?.inputs;
            inputs.iter().map(|input| input.kind.clone()).collect()
        }
    };
    let tokens = decode(&parameters, body).ok()?;
    if encode(&tokens) != body {
        return None;
    }
    match selector {
        ERROR => {
            let text = crate::error::printable(&Fields::new(tokens).string().ok()?);
            Some(Revert::new("Error", vec![(String::new(), text)]))
        }
        PANIC => {
            let code = Fields::new(tokens).u256().ok()?;
            Some(Revert::new("Panic", vec![(String::new(), panic_name(code.low_u64()))]))
        }
        _ => {
            let error = ERRORS.get(&selector)?;
            let names = error.inputs.iter().map(|input| input.name.clone());
            let arguments = names.zip(tokens.iter().map(show));
            Some(Revert::new(error.name.clone(), arguments.collect()))
        }
    }
}

fn panic_name(code: u64) -> String {
    let meaning = match code {
        0x01 => "assertion failed",
        0x11 => "arithmetic overflow",
        0x12 => "division by zero",
        0x21 => "no such enum value",
        0x31 => "pop from an empty array",
        0x32 => "index out of bounds",
        0x41 => "out of memory",
        0x51 => "call of an uninitialised function",
        _ => return format!("{code:#x}"),
    };
    meaning.to_owned()
}

fn show(token: &Token) -> String {
    match token {
        Token::Address(address) => format!("{address:?}"),
        Token::Uint(number) | Token::Int(number) => number.to_string(),
        Token::Bool(flag) => flag.to_string(),
        Token::String(text) => crate::error::printable(text),
        Token::FixedBytes(bytes) | Token::Bytes(bytes) => const_hex::encode_prefixed(bytes),
        Token::Array(items) | Token::FixedArray(items) | Token::Tuple(items) => {
            let items: Vec<String> = items.iter().map(show).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

fn find_hex(value: &serde_json::Value, depth: usize) -> Option<Vec<u8>> {
    match value {
        // Old nodes write "Reverted 0x…".
        serde_json::Value::String(text) => {
            let hex = text.strip_prefix("Reverted ").unwrap_or(text);
            const_hex::decode(hex.strip_prefix("0x")?).ok()
        }
        serde_json::Value::Object(fields) if depth > 0 => {
            fields.values().find_map(|value| find_hex(value, depth.saturating_sub(1)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::wire::Address;
    use proptest::prelude::*;
    use serde_json::json;

    fn encoded(contract: Contract, name: &str, arguments: &[Token]) -> Vec<u8> {
        let abi = &contract.artifact().unwrap().abi;
        abi.errors.get(name).and_then(|errors| errors.first()).unwrap().encode(arguments).unwrap()
    }

    #[test]
    fn refusals_of_our_contracts_have_names() {
        let caller = Address::repeat_byte(0xaa);
        let owner = Address::repeat_byte(0xbb);
        let not_owner = encoded(
            Contract::PaymentExitGame,
            "NotOutputOwner",
            &[Token::Address(caller), Token::Address(owner)],
        );
        let limit =
            encoded(Contract::PlasmaFramework, "DepositLimitReached", &[Token::Uint(999.into())]);
        let text =
            [vec![0x08, 0xc3, 0x79, 0xa0], encode(&[Token::String("too\nlate".into())])].concat();
        let overflow = [vec![0x4e, 0x48, 0x7b, 0x71], encode(&[Token::Uint(0x11.into())])].concat();
        for (bytes, expected) in [
            (not_owner.clone(), format!("NotOutputOwner(caller: {caller:?}, owner: {owner:?})")),
            (limit, "DepositLimitReached(limit: 999)".to_owned()),
            (text, "Error(too late)".to_owned()),
            (overflow, "Panic(arithmetic overflow)".to_owned()),
            (vec![], "Unexplained()".to_owned()),
            (vec![1, 2, 3, 4, 5], "Unexplained(data: 0x0102030405)".to_owned()),
            (
                not_owner[..40].to_vec(),
                format!("Unexplained(data: {})", const_hex::encode_prefixed(&not_owner[..40])),
            ),
            (vec![7; 5000], "Unexplained(bytes: 5000)".to_owned()),
        ] {
            assert_eq!(of_bytes(&bytes).to_string(), expected);
        }
    }

    #[test]
    fn refusals_are_found_wherever_a_node_puts_them() {
        let bytes = encoded(Contract::PaymentExitGame, "RlpNotAList", &[]);
        let hex = const_hex::encode_prefixed(&bytes);
        for (data, expected) in [
            (Some(json!(hex)), "RlpNotAList()"),
            (Some(json!(format!("Reverted {hex}"))), "RlpNotAList()"),
            (Some(json!({"data": hex})), "RlpNotAList()"),
            (Some(json!({"originalError": {"code": 3, "data": hex}})), "RlpNotAList()"),
            (Some(json!("nonsense")), "Unexplained(message: execution reverted)"),
            (None, "Unexplained(message: execution reverted)"),
        ] {
            let error = NodeError { code: 3, message: "execution reverted".to_owned(), data };
            assert_eq!(of_node_error(&error).to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn no_refusal_makes_decoding_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), known: usize) {
            let selectors: Vec<_> = ERRORS.keys().copied().collect();
            let selector = selectors[known % selectors.len()];
            prop_assert!(!of_bytes(&[selector.as_slice(), &bytes].concat()).name().is_empty());
            prop_assert!(!of_bytes(&bytes).name().is_empty());
        }
    }
}
