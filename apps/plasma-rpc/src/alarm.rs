//! Alarms: what is wrong with a node right now, and whether it can still be trusted to answer (protocol 4.7).

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlarmName {
    /// The node has not finished starting.
    BootInProgress,
    /// The Ethereum node does not answer.
    EthereumConnectionError,
    /// The Ethereum height does not grow.
    EthereumStalledSync,
    /// The fee specification cannot be read; the one before it stays in force.
    InvalidFeeSource,
    /// The main supervisor gave up.
    MainSupervisorHalted,
    /// Memory is nearly used up.
    SystemMemoryTooHigh,
    /// Submitted blocks do not get mined.
    BlockSubmitStalled,
}

impl AlarmName {
    /// All names.
    pub const ALL: &[Self] = &[
        Self::BootInProgress,
        Self::EthereumConnectionError,
        Self::EthereumStalledSync,
        Self::InvalidFeeSource,
        Self::MainSupervisorHalted,
        Self::SystemMemoryTooHigh,
        Self::BlockSubmitStalled,
    ];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BootInProgress => "boot_in_progress",
            Self::EthereumConnectionError => "ethereum_connection_error",
            Self::EthereumStalledSync => "ethereum_stalled_sync",
            Self::InvalidFeeSource => "invalid_fee_source",
            Self::MainSupervisorHalted => "main_supervisor_halted",
            Self::SystemMemoryTooHigh => "system_memory_too_high",
            Self::BlockSubmitStalled => "block_submit_stalled",
        }
    }

    /// Whether health-checked methods are refused while it is raised.
    pub const fn makes_unhealthy(self) -> bool {
        matches!(
            self,
            Self::BootInProgress
                | Self::EthereumConnectionError
                | Self::EthereumStalledSync
                | Self::MainSupervisorHalted
        )
    }
}

/// A raised alarm: `{"<name>": {"node": …, "reporter": …}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// What is wrong: the name of an [`AlarmName`], or of one this version does not know.
    pub name: Cow<'static, str>,
    /// Where.
    pub raised_by: RaisedBy,
}

impl Alarm {
    /// An alarm of this version.
    pub fn new(name: AlarmName, raised_by: RaisedBy) -> Self {
        Self { name: name.as_str().into(), raised_by }
    }

    /// Whether health-checked methods are refused while it is raised.
    pub fn makes_unhealthy(&self) -> bool {
        AlarmName::ALL.iter().any(|name| name.makes_unhealthy() && name.as_str() == self.name)
    }
}

/// Who raised an alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RaisedBy {
    /// Host or node name.
    pub node: String,
    /// Part of the node.
    pub reporter: String,
}

impl Serialize for Alarm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(&self.name, &self.raised_by)?;
        map.end()
    }
}

impl JsonSchema for Alarm {
    fn schema_name() -> Cow<'static, str> {
        "Alarm".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let raised_by = generator.subschema_for::<RaisedBy>();
        json_schema!({
            "description": "A raised alarm: what is wrong is the only key.",
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": raised_by,
        })
    }
}

impl<'de> Deserialize<'de> for Alarm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = BTreeMap::<String, RaisedBy>::deserialize(deserializer)?;
        let mut entries = map.into_iter();
        let (Some((text, raised_by)), None) = (entries.next(), entries.next()) else {
            return Err(D::Error::custom("an alarm has one name"));
        };
        Ok(Self { name: text.into(), raised_by })
    }
}
