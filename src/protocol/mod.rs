//! Kafka's wire format: frames, primitives, one file of messages an API.
//! Never knows: sockets, files, the clock.
