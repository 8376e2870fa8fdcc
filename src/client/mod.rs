//! librdkafka, wrapped once: options to config, admin, produce, consume.
//! Never knows: clap, the broker, the log.
