//! What both nodes share: actor shells, the supervisor, configuration, telemetry.
