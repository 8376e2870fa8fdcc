//! Records in, bytes out; pure over `Write`.
//! Never knows: librdkafka, clap, sockets.
