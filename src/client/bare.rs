//! librdkafka with its own defaults, for a command that drives it step by step: kcat mode.
//! Never knows: kcat's options, or what is printed.

pub use super::sys::bare::{
    Broker, Metadata, Milliseconds, Partition, Place, Settings, TopicMetadata, TopicSettings,
    Transaction, debug_contexts, metadata, offsets_for_times,
};
pub use super::sys::{
    Full, GroupMember, Hold, Kind, Message, Native, News, Reader, Report, Sender, Target, Topic,
};
