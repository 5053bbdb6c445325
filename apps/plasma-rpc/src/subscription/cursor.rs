//! A place in several topics as one text: `blocks:17,transfer:0x…:3`. Server-sent events carry it as their `id`, and a browser sends
//! it back as `Last-Event-ID`.

use super::start::number;
use super::topic::{TOPIC_LEN_MAX, TopicName};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Topics in one place, and so topics of one stream of server-sent events.
pub(crate) const STREAM_TOPICS_MAX: usize = 16;
/// Bytes of the longest text: the longest topics, the longest numbers, and what is between them.
const CURSOR_LEN_MAX: usize = STREAM_TOPICS_MAX * (TOPIC_LEN_MAX + 22);

/// Of each topic the number of the last event that was received; 0 before the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventCursor(pub BTreeMap<TopicName, u64>);

/// A text is no such place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a cursor is <topic>:<number>,… with every topic once")]
pub struct BadCursor;

impl fmt::Display for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (topic, sequence)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{topic}:{sequence}")?;
        }
        Ok(())
    }
}

impl FromStr for EventCursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        if text.len() > CURSOR_LEN_MAX {
            return Err(BadCursor);
        }
        let mut places = BTreeMap::new();
        for place in text.split(',') {
            let (topic, digits) = place.rsplit_once(':').ok_or(BadCursor)?;
            let topic = topic.parse().map_err(|_| BadCursor)?;
            let sequence = number(digits).ok_or(BadCursor)?;
            if places.len() == STREAM_TOPICS_MAX || places.insert(topic, sequence).is_some() {
                return Err(BadCursor);
            }
        }
        Ok(Self(places))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::journal::Topic;
    use plasma_core::wire::Address;
    use proptest::prelude::*;

    fn topic() -> impl Strategy<Value = TopicName> {
        prop_oneof![
            prop::sample::select(&TopicName::GENERAL[..]),
            any::<[u8; 20]>()
                .prop_map(|account| TopicName(Topic::Transfer(Address::from(account)))),
        ]
    }

    #[test]
    fn a_place_has_every_topic_once_and_plain_numbers() {
        for (text, is_fine) in [
            ("", true),
            ("blocks:0", true),
            ("blocks:17,exits:3", true),
            ("blocks:17,blocks:18", false),
            ("blocks:17,", false),
            ("blocks", false),
            ("blocks:", false),
            ("blocks:-1", false),
            ("blocks:1.0", false),
            ("blocks:18446744073709551616", false),
            ("transfer:0x12:1", false),
        ] {
            assert_eq!(text.parse::<EventCursor>().is_ok(), is_fine, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_place_survives_a_round_trip(
            places in prop::collection::btree_map(topic(), any::<u64>(), 0..=STREAM_TOPICS_MAX)
        ) {
            let cursor = EventCursor(places);
            let text = cursor.to_string();
            prop_assert!(text.len() <= CURSOR_LEN_MAX);
            prop_assert_eq!(text.parse(), Ok(cursor));
        }

        #[test]
        fn no_text_makes_reading_panic(text in "([a-z]{0,8}[:,0-9é]{0,3}){0,20}") {
            if let Ok(cursor) = text.parse::<EventCursor>() {
                prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
            }
        }
    }
}
