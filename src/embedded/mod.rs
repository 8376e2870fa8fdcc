//! Finds, leases or starts the built-in broker of a data directory.
//! Never knows: clap, librdkafka, the broker's insides.
