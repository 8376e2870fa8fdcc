//! The built-in broker: Kafka's protocol over the log engine.
//! Never knows: librdkafka, clap, the wire client.
