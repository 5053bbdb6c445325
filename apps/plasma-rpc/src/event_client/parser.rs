//! Server-sent events from bytes, as they come: lines of `name: value`, a message ends with an empty line.

/// Bytes of the longest message.
const MESSAGE_LEN_MAX: usize = 4 * 1_024 * 1_024;

/// Bytes that are not a complete message yet, and messages that nobody has taken.
#[derive(Debug, Default)]
pub(super) struct Parser {
    bytes: Vec<u8>,
    /// Everything before was taken.
    taken: usize,
}

/// A message. Comments make none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) id: Option<String>,
    pub(super) event: String,
    pub(super) data: String,
}

/// A message is longer than any that makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Parser {
    /// Takes bytes in. To be called when there is no message to be taken.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        if self.bytes.len() > MESSAGE_LEN_MAX {
            return Err(TooLong);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The next complete message.
    pub(super) fn next(&mut self) -> Option<Message> {
        loop {
            let rest = self.bytes.get(self.taken..)?;
            let len = rest.windows(2).position(|end| end == b"\n\n")?;
            let text = String::from_utf8_lossy(rest.get(..len)?).into_owned();
            self.taken = self.taken.saturating_add(len).saturating_add(2);
            let message = read(&text);
            if message != Message::default() {
                return Some(message);
            }
        }
    }
}

fn read(text: &str) -> Message {
    let mut message = Message::default();
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => message.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut message.event),
            "data" if message.data.is_empty() => value.clone_into(&mut message.data),
            "data" => {
                message.data.push('\n');
                message.data.push_str(value);
            }
            _ => {}
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(id: Option<&str>, event: &str, data: &str) -> Message {
        Message { id: id.map(Into::into), event: event.into(), data: data.into() }
    }

    #[test]
    fn messages_do_not_depend_on_how_the_bytes_are_cut() {
        let text = "retry: 1000\nid: a\n\n:\n\nid: b:1\nevent: blocks\ndata: {\"é\":1}\n\n:\n\ndata:1\ndata: 2\n\nhalf";
        let expected = [
            message(Some("a"), "", ""),
            message(Some("b:1"), "blocks", "{\"é\":1}"),
            message(None, "", "1\n2"),
        ];
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let mut messages = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                parser.push(piece).unwrap();
                messages.extend(std::iter::from_fn(|| parser.next()));
            }
            assert_eq!(messages, expected, "{size}");
        }
    }

    #[test]
    fn a_message_without_an_end_is_not_kept_for_ever() {
        let mut parser = Parser::default();
        let piece = vec![b'x'; 1_024 * 1_024];
        let outcome =
            (0..10).find_map(|_| parser.push(&piece).err().or(parser.next().map(|_| TooLong)));
        assert_eq!(outcome, Some(TooLong));
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(pieces in prop::collection::vec(".{0,20}(\n){0,3}", 0..20)) {
            let mut parser = Parser::default();
            for piece in pieces {
                parser.push(piece.as_bytes()).unwrap();
                while parser.next().is_some() {}
            }
        }
    }
}
