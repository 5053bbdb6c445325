//! An event, rendered once for everybody who hears of it.

use super::Event;
use crate::subscription::{EventObject, TopicName};
use std::sync::Arc;

/// The JSON of an event, without a line break: it fits into one line of a stream.
#[derive(Clone, Debug)]
pub(in crate::server) struct EventText {
    pub(in crate::server) sequence: u64,
    pub(in crate::server) json: Box<str>,
}

impl EventText {
    /// Renders the events of a topic that come after a number. `None` when the numbers are not those that follow.
    pub(super) fn render(
        topic: TopicName,
        after: u64,
        events: Vec<Event>,
    ) -> Option<Vec<Arc<Self>>> {
        let mut expected = after;
        let rendered = events.into_iter().map(|event| {
            expected = expected.checked_add(1)?;
            (event.sequence == expected).then(|| Arc::new(Self::new(topic, event)))
        });
        rendered.collect()
    }

    fn new(topic: TopicName, event: Event) -> Self {
        let object = EventObject::new(topic, event.sequence, event.at_ms, event.data);
        // An object of texts, numbers and JSON that was checked before cannot fail to be rendered.
        let mut json = serde_json::to_string(&object).unwrap_or_default();
        if json.contains(['\n', '\r']) {
            // Inside a JSON string a line break is escaped, so this one is only white space between tokens.
            json = json.replace(['\n', '\r'], " ");
        }
        Self { sequence: event.sequence, json: json.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plasma_core::journal::Topic;
    use serde_json::value::RawValue;

    fn event(sequence: u64, data: &str) -> Event {
        let data = RawValue::from_string(data.to_owned()).unwrap();
        Event { sequence, at_ms: 1_700_000_000_999, data }
    }

    #[test]
    fn an_event_is_one_line_with_its_number_its_name_and_its_time() {
        let data = "{\n\"amount\": 115792089237316195423570985008687907853269984665640564039457584007913129639935}";
        let texts = EventText::render(TopicName(Topic::Blocks), 6, vec![event(7, data)]).unwrap();
        assert_eq!(
            &*texts[0].json,
            format!(
                r#"{{"topic":"blocks","sequence":7,"id":"blocks:7","at":"2023-11-14T22:13:20Z","data":{}}}"#,
                data.replace('\n', " ")
            )
        );
    }

    #[test]
    fn a_gap_is_never_told() {
        for (after, sequences, is_fine) in [
            (0, vec![], true),
            (0, vec![1, 2], true),
            (4, vec![5, 6, 7], true),
            (0, vec![2], false),
            (0, vec![1, 3], false),
            (1, vec![1], false),
            (1, vec![2, 2], false),
            (u64::MAX, vec![0], false),
        ] {
            let events = sequences.iter().map(|sequence| event(*sequence, "1")).collect();
            let rendered = EventText::render(TopicName(Topic::Exits), after, events);
            assert_eq!(rendered.is_some(), is_fine, "{after} {sequences:?}");
        }
    }
}
