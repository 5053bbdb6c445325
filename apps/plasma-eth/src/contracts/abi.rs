//! Calls and answers by the ABI: tokens in, checked core types out.

use super::Contract;
use crate::RootChainCause;
use ethers::abi::{Function, Token, encode};
use plasma_core::wire::{Address, H256, U256};

/// A function's name, for calls and errors alike.
pub(crate) type FunctionName = &'static str;

fn function(contract: Contract, name: FunctionName) -> Result<&'static Function, RootChainCause> {
    contract.artifact()?.abi.function(name).map_err(|_| {
        RootChainCause::Invalid(format!("contract {} has no function {name}", contract.name()))
    })
}

/// The call data of a function.
pub(crate) fn encode_call(
    contract: Contract,
    name: FunctionName,
    arguments: &[Token],
) -> Result<Vec<u8>, RootChainCause> {
    function(contract, name)?.encode_input(arguments).map_err(|error| {
        RootChainCause::Invalid(format!("arguments of {}.{name}: {error}", contract.name()))
    })
}

/// The code that deploys a contract: its own, then the constructor's arguments.
pub(crate) fn encode_deployment(
    contract: Contract,
    code: Vec<u8>,
    arguments: &[Token],
) -> Result<Vec<u8>, RootChainCause> {
    match &contract.artifact()?.abi.constructor {
        None if arguments.is_empty() => Ok(code),
        None => Err(RootChainCause::Invalid(format!(
            "the constructor of {} takes no arguments",
            contract.name()
        ))),
        Some(constructor) => constructor.encode_input(code, arguments).map_err(|error| {
            RootChainCause::Invalid(format!("constructor of {}: {error}", contract.name()))
        }),
    }
}

/// What a function returned. Fails unless the bytes are exactly the encoding of values of the right types.
pub(crate) fn decode_output(
    contract: Contract,
    name: FunctionName,
    bytes: &[u8],
) -> Result<Fields, RootChainCause> {
    let malformed =
        || RootChainCause::Malformed(format!("not what {}.{name} returns", contract.name()));
    let tokens = function(contract, name)?.decode_output(bytes).map_err(|_| malformed())?;
    if encode(&tokens) != bytes {
        return Err(malformed());
    }
    Ok(Fields::new(tokens))
}

/// Decoded values, taken one by one in order.
#[derive(Debug)]
pub(crate) struct Fields {
    tokens: std::vec::IntoIter<Token>,
}

impl Fields {
    pub(crate) fn new(tokens: Vec<Token>) -> Self {
        Self { tokens: tokens.into_iter() }
    }

    fn next<T>(
        &mut self,
        what: &str,
        read: impl FnOnce(Token) -> Option<T>,
    ) -> Result<T, RootChainCause> {
        self.tokens
            .next()
            .and_then(read)
            .ok_or_else(|| RootChainCause::Malformed(format!("{what} is missing or too large")))
    }

    pub(crate) fn u256(&mut self) -> Result<U256, RootChainCause> {
        self.next("a number", Token::into_uint)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, RootChainCause> {
        self.next("a 64-bit number", |token| {
            token.into_uint().and_then(|number| u64::try_from(number).ok())
        })
    }

    pub(crate) fn address(&mut self) -> Result<Address, RootChainCause> {
        self.next("an address", Token::into_address)
    }

    pub(crate) fn h256(&mut self) -> Result<H256, RootChainCause> {
        self.next("a hash", |token| {
            let bytes = token.into_fixed_bytes()?;
            <[u8; 32]>::try_from(bytes).ok().map(H256)
        })
    }

    pub(crate) fn bool(&mut self) -> Result<bool, RootChainCause> {
        self.next("a flag", Token::into_bool)
    }

    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, RootChainCause> {
        self.next("a byte string", Token::into_bytes)
    }

    pub(crate) fn string(&mut self) -> Result<String, RootChainCause> {
        self.next("a text", Token::into_string)
    }

    pub(crate) fn array(&mut self) -> Result<Vec<Token>, RootChainCause> {
        self.next("a list", Token::into_array)
    }

    /// A list whose length is part of its type.
    pub(crate) fn fixed_array(&mut self) -> Result<Vec<Token>, RootChainCause> {
        self.next("a fixed list", Token::into_fixed_array)
    }

    /// The fields of a struct.
    pub(crate) fn tuple(&mut self) -> Result<Self, RootChainCause> {
        self.next("a struct", |token| token.into_tuple().map(Self::new))
    }
}

/// Arguments in the ABI's types.
pub(crate) mod arg {
    use ethers::abi::Token;
    use plasma_core::wire::{Address, ExitId, H256, U256, UtxoPos};

    pub(crate) fn uint<N: Into<U256>>(number: N) -> Token {
        Token::Uint(number.into())
    }

    pub(crate) const fn address(address: Address) -> Token {
        Token::Address(address)
    }

    pub(crate) fn h256(hash: H256) -> Token {
        Token::FixedBytes(hash.0.to_vec())
    }

    pub(crate) fn bytes(bytes: &[u8]) -> Token {
        Token::Bytes(bytes.to_vec())
    }

    pub(crate) fn text(text: &str) -> Token {
        Token::String(text.to_owned())
    }

    pub(crate) fn exit_id(exit_id: ExitId) -> Token {
        Token::Uint(exit_id.to_u256())
    }

    pub(crate) fn position(position: UtxoPos) -> Token {
        Token::Uint(position.encode().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn calls_have_the_selectors_of_contracts_v1() {
        let none: &[Token] = &[];
        let word = [arg::uint(7_u64)];
        let hash = [arg::h256(H256::repeat_byte(1))];
        for (contract, name, arguments, selector) in [
            (Contract::PlasmaFramework, "submitBlock", hash.as_slice(), "baa47694"),
            (Contract::PlasmaFramework, "nextChildBlock", none, "4ca8714f"),
            (Contract::PlasmaFramework, "childBlockInterval", none, "38a9e0bc"),
            (Contract::PlasmaFramework, "blocks", &word, "f25b3f99"),
            (Contract::PlasmaFramework, "minExitPeriod", none, "d4a2b4ef"),
            (Contract::PlasmaFramework, "getVersion", none, "0d8e6e2c"),
            (Contract::PlasmaFramework, "exitGames", &word, "af079764"),
            (Contract::PlasmaFramework, "vaults", &word, "8c64ea4a"),
            (Contract::PlasmaFramework, "activateChildChain", none, "a11dcc34"),
            (Contract::PlasmaFramework, "isChildChainActivated", none, "0e71ee02"),
        ] {
            let data = encode_call(contract, name, arguments).unwrap();
            assert_eq!(const_hex::encode(&data[..4]), selector, "{name}");
        }
    }

    #[test]
    fn wrong_names_and_arguments_are_errors() {
        let framework = Contract::PlasmaFramework;
        for (name, arguments) in
            [("nothing", vec![]), ("blocks", vec![]), ("blocks", vec![arg::text("x")])]
        {
            let cause = encode_call(framework, name, &arguments).unwrap_err();
            assert_eq!(cause.code(), "invalid", "{name}");
        }
    }

    #[test]
    fn only_exact_encodings_are_answers() {
        let check = |bytes: &[u8]| decode_output(Contract::PlasmaFramework, "authority", bytes);
        let mut word = [0_u8; 32];
        word[31] = 5;
        assert_eq!(check(&word).unwrap().address(), Ok(Address::from_low_u64_be(5)));
        let mut dirty = word;
        dirty[0] = 1;
        let trailing = [word, word].concat();
        for bytes in [dirty.as_slice(), &word[..31], &[], &trailing] {
            assert_eq!(check(bytes).unwrap_err().code(), "malformed_answer");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_an_answer_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            for (contract, name) in [
                (Contract::PlasmaFramework, "blocks"),
                (Contract::PlasmaFramework, "getVersion"),
                (Contract::PaymentExitGame, "standardExits"),
                (Contract::PaymentExitGame, "inFlightExits"),
                (Contract::PriorityQueue, "heapList"),
            ] {
                if let Ok(fields) = decode_output(contract, name, &bytes) {
                    let tokens: Vec<_> = fields.tokens.collect();
                    prop_assert_eq!(encode(&tokens), bytes.clone());
                }
            }
        }
    }
}
