//! Whose store this is: written once, compared at every start.

use crate::codec::Malformed;
use plasma_core::wire::Address;
use std::fmt;

/// Version of the layout in docs/store.md.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// Which kind of node a store serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// The operator's.
    ChildChain,
    /// A watcher's.
    Watcher,
}

impl fmt::Display for NodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ChildChain => "child-chain",
            Self::Watcher => "watcher",
        })
    }
}

/// What a store belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreIdentity {
    /// The kind of node.
    pub node: NodeKind,
    /// The root chain's chain id.
    pub chain_id: u64,
    /// The framework contract.
    pub plasma_framework: Address,
}

/// Format, kind, chain and framework as they stand in the store.
const IDENTITY_LEN: usize = 4 + 1 + 8 + 20;

impl StoreIdentity {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(IDENTITY_LEN);
        value.extend(FORMAT_VERSION.to_be_bytes());
        value.push(match self.node {
            NodeKind::ChildChain => 1,
            NodeKind::Watcher => 2,
        });
        value.extend(self.chain_id.to_be_bytes());
        value.extend(self.plasma_framework.as_bytes());
        value
    }

    /// The format, and the identity when the format is known.
    pub(crate) fn decode(value: &[u8]) -> Result<(u32, Option<Self>), Malformed> {
        let (format, rest) = value.split_first_chunk::<4>().ok_or("truncated identity")?;
        let format = u32::from_be_bytes(*format);
        if format != FORMAT_VERSION {
            return Ok((format, None));
        }
        let (node, rest) = rest.split_first().ok_or("truncated identity")?;
        let (chain_id, framework) = rest.split_first_chunk::<8>().ok_or("truncated identity")?;
        let framework: [u8; 20] =
            framework.try_into().map_err(|_| "malformed framework address")?;
        let identity = Self {
            node: match node {
                1 => NodeKind::ChildChain,
                2 => NodeKind::Watcher,
                _ => return Err("unknown kind of node"),
            },
            chain_id: u64::from_be_bytes(*chain_id),
            plasma_framework: Address(framework),
        };
        Ok((format, Some(identity)))
    }
}
