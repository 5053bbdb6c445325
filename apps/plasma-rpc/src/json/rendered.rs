//! JSON that is already text: rendered once, served many times from one buffer.

use bytes::Bytes;
use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// The JSON of a `T`. Cloning it copies nothing.
pub struct Rendered<T: ?Sized> {
    json: Arc<Box<RawValue>>,
    of: PhantomData<fn() -> T>,
}

impl<T: Serialize> Rendered<T> {
    /// Renders a value.
    ///
    /// # Errors
    /// Only when the value refuses to be serialized.
    pub fn new(value: &T) -> Result<Self, serde_json::Error> {
        to_raw_value(value).map(Self::from_raw)
    }
}

impl<T: ?Sized> Rendered<T> {
    /// Takes text that was built by hand, and checks that it is one JSON value.
    ///
    /// # Errors
    /// When it is not.
    pub fn from_bytes(json: Vec<u8>) -> Result<Self, serde_json::Error> {
        let text = String::from_utf8(json).map_err(serde_json::Error::custom)?;
        RawValue::from_string(text).map(Self::from_raw)
    }

    /// The JSON text.
    pub fn get(&self) -> &str {
        self.json.get()
    }

    /// Whether somebody else holds the same buffer, so that serving it costs no memory.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.json) > 1
    }

    /// JSON of a value that is written like a `T`: one that holds parts which are rendered already.
    ///
    /// # Errors
    /// Only when the value refuses to be serialized.
    pub fn of(like: &impl Serialize) -> Result<Self, serde_json::Error> {
        to_raw_value(like).map(Self::from_raw)
    }

    /// The same JSON, without saying of what.
    pub fn into_untyped(self) -> Rendered<RawValue> {
        Rendered { json: self.json, of: PhantomData }
    }

    /// The text as bytes of the same buffer. `kept` is dropped when the last of the bytes is.
    pub fn into_bytes<K: Send + 'static>(self, kept: K) -> Bytes {
        struct Owner<K>(Arc<Box<RawValue>>, K);
        impl<K> AsRef<[u8]> for Owner<K> {
            fn as_ref(&self) -> &[u8] {
                self.0.get().as_bytes()
            }
        }
        Bytes::from_owner(Owner(self.json, kept))
    }

    fn from_raw(json: Box<RawValue>) -> Self {
        Self { json: Arc::new(json), of: PhantomData }
    }
}

impl<T: ?Sized> Clone for Rendered<T> {
    fn clone(&self) -> Self {
        Self { json: Arc::clone(&self.json), of: PhantomData }
    }
}

impl<T: ?Sized> fmt::Debug for Rendered<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rendered({} bytes)", self.get().len())
    }
}

impl<T: ?Sized> Serialize for Rendered<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::serialize(&self.json, serializer)
    }
}
