//! Why a contract refused, by name: `NotOutputOwner(caller: 0x…, owner: 0x…)` instead of hex.

use std::fmt;

/// A refusal of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revert {
    name: String,
    arguments: Vec<(String, String)>,
}

impl Revert {
    /// A refusal with the name of the contract's error and its arguments, name and printed value each.
    pub fn new(name: impl Into<String>, arguments: Vec<(String, String)>) -> Self {
        Self { name: name.into(), arguments }
    }

    /// The name of the error in the contract's source, such as `NotOutputOwner`. Two names are ours: `OutOfGas`, and `Unexplained`
    /// for a refusal without data or with data that no error of our contracts matches.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Name and printed value of each argument, in order. Names may be empty.
    pub fn arguments(&self) -> &[(String, String)] {
        &self.arguments
    }
}

impl fmt::Display for Revert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        for (index, (name, value)) in self.arguments.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let colon = if name.is_empty() { "" } else { ": " };
            write!(f, "{comma}{name}{colon}{value}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_read_like_the_source() {
        let argument = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        for (arguments, expected) in [
            (vec![], "NoOutputs()"),
            (vec![argument("limit", "999")], "NoOutputs(limit: 999)"),
            (vec![argument("", "1"), argument("owner", "0xab")], "NoOutputs(1, owner: 0xab)"),
        ] {
            assert_eq!(Revert::new("NoOutputs", arguments).to_string(), expected);
        }
    }
}
