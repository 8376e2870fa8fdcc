//! Bytes in, records out; pure over `Read`.
//! Never knows: librdkafka, clap, sockets.
