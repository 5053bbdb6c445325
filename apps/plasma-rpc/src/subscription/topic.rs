//! A topic as text: `blocks`, `transfer:0x…`.

use crate::json::hex::{self, FromHex};
use plasma_core::journal::Topic;
use plasma_core::wire::Address;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Bytes of the longest topic.
pub const TOPIC_LEN_MAX: usize = TRANSFER.len() + 42;

/// What comes before the account.
const TRANSFER: &str = "transfer:";

/// A topic that is written and read as text. Of a transfer's account any case is read; lowercase is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName(pub Topic);

/// No topic has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("topics are byzantine, blocks, deposits, exits, status, and transfer:0x… with an address")]
pub struct UnknownTopic;

impl TopicName {
    /// The topics that are not of one account.
    pub const GENERAL: [Self; 5] = [
        Self(Topic::Byzantine),
        Self(Topic::Blocks),
        Self(Topic::Deposits),
        Self(Topic::Exits),
        Self(Topic::Status),
    ];

    const fn word(self) -> Option<&'static str> {
        match self.0 {
            Topic::Byzantine => Some("byzantine"),
            Topic::Blocks => Some("blocks"),
            Topic::Deposits => Some("deposits"),
            Topic::Exits => Some("exits"),
            Topic::Status => Some("status"),
            Topic::Transfer(_) => None,
        }
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.word(), self.0) {
            (None, Topic::Transfer(account)) => write!(f, "{TRANSFER}{}", hex::encode(account)),
            (word, _) => f.write_str(word.unwrap_or_default()),
        }
    }
}

impl FromStr for TopicName {
    type Err = UnknownTopic;

    fn from_str(text: &str) -> Result<Self, UnknownTopic> {
        if let Some(account) = text.strip_prefix(TRANSFER).filter(|hex| hex.len() == 42) {
            let account = hex::decode(account).and_then(Address::from_bytes);
            return account.map(Topic::Transfer).map(Self).ok_or(UnknownTopic);
        }
        Self::GENERAL.into_iter().find(|topic| topic.word() == Some(text)).ok_or(UnknownTopic)
    }
}

impl Serialize for TopicName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TopicName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_documented_names_are_topics() {
        let account = format!("0x{}", "aB".repeat(20));
        let transfer = Topic::Transfer(Address::repeat_byte(0xab));
        for (text, expected) in [
            ("byzantine".to_owned(), Some(Topic::Byzantine)),
            ("blocks".to_owned(), Some(Topic::Blocks)),
            ("deposits".to_owned(), Some(Topic::Deposits)),
            ("exits".to_owned(), Some(Topic::Exits)),
            ("status".to_owned(), Some(Topic::Status)),
            (format!("transfer:{account}"), Some(transfer)),
            ("Blocks".to_owned(), None),
            (" blocks".to_owned(), None),
            (String::new(), None),
            ("transfer".to_owned(), None),
            ("transfer:".to_owned(), None),
            (format!("transfer:{}", &account[2..]), None),
            (format!("transfer:{account}0"), None),
            (format!("transfer:0x{}", "é".repeat(20)), None),
        ] {
            let parsed = text.parse::<TopicName>().ok();
            assert_eq!(parsed.map(|topic| topic.0), expected, "{text}");
            if let Some(topic) = parsed {
                assert_eq!(topic.to_string(), text.to_lowercase());
                assert!(text.len() <= TOPIC_LEN_MAX);
            }
        }
    }
}
