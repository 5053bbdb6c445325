//! The watching node.
