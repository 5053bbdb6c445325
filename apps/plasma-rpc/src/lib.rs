//! The wire contract of our servers: DTOs, error codes, the two envelopes, server and client.
