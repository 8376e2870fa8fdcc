//! A small blocking Kafka client: connect, authenticate, call.
//! Never knows: librdkafka, the broker, tokio.
