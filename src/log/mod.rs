//! The durable log of one partition.
//! Never knows: topics, requests, clap, tokio, the clock.
