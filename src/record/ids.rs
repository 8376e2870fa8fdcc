//! The numbers of Kafka, one type each, so that no two can be confused.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[derive(Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl $name {
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A record's place in its partition, from 0. An end is exclusive: the next record's offset.
    Offset(i64)
);
number!(
    /// A partition of a topic, from 0.
    PartitionId(i32)
);
number!(
    /// The reign under which a batch was appended (KIP-101). It never goes back.
    LeaderEpoch(i32)
);
number!(
    /// An idempotent producer (KIP-98).
    ProducerId(i64)
);
number!(
    /// The incarnation of a producer id; a higher one fences the lower (KIP-98).
    ProducerEpoch(i16)
);
number!(
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64)
);

impl Offset {
    pub const ZERO: Offset = Offset(0);

    /// The offset `count` records further on.
    pub fn plus(self, count: i64) -> Offset {
        Offset(self.0.checked_add(count).expect("an offset fits i64"))
    }
}

/// A KRaft id: 16 bytes, written as 22 characters of URL-safe base64 (Uuid.java).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// No id, where the protocol wants sixteen bytes all the same.
    pub const ZERO: Uuid = Uuid([0; 16]);

    /// An id made of random bytes, or `None` where Kafka would refuse it: reserved ids, and ids
    /// whose text starts with a dash, which command lines take for an option.
    pub fn from_random(bytes: [u8; 16]) -> Option<Uuid> {
        let reserved = bytes[..15].iter().all(|&byte| byte == 0) && bytes[15] < 100;
        let id = Uuid(bytes);
        (!reserved && !id.to_string().starts_with('-')).then_some(id)
    }

    pub fn parse(text: &str) -> Option<Uuid> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Uuid(bytes.try_into().ok()?))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_22_characters_and_back() {
        let id = Uuid([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        assert_eq!(id.to_string().len(), 22);
        assert_eq!(Uuid::parse(&id.to_string()), Some(id));
        assert_eq!(Uuid::parse("short"), None);
    }

    #[test]
    fn reserved_and_dashed_ids_are_not_made() {
        let mut metadata_topic = [0; 16];
        metadata_topic[15] = 1;
        assert_eq!(Uuid::from_random(metadata_topic), None);
        assert_eq!(Uuid::from_random([0xf8; 16]), None);
        assert!(Uuid::from_random([7; 16]).is_some());
    }
}
