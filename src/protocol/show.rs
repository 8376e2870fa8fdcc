//! Messages as JSON, for who looks into a log: each field under its name.
//! Never knows: which messages there are.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use super::describe_configs::ResourceType;
use super::field::{NodeId, Secret};
use crate::record::{LeaderEpoch, Offset, PartitionId, ProducerEpoch, ProducerId, Timestamp, Uuid};

/// A value that can be shown.
pub trait Show {
    fn show(&self) -> Value;
}

/// `message!` for a struct that can be shown as well.
macro_rules! shown {
    ($($message:tt)*) => {
        $crate::protocol::message::message! { $($message)* }
        $crate::protocol::show::show_fields! { $($message)* }
    };
}

macro_rules! show_fields {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident {
            $(
                $(#[$about:meta])*
                $field:ident: $type:ty $([$($versions:tt)*])? $(= $default:expr)?,
            )*
        }
        $(tagged {
            $(
                $(#[$tag_about:meta])*
                $tag:literal => $tagged:ident: $tag_type:ty [$($tag_versions:tt)*]
                $(= $tag_default:expr)?,
            )*
        })?
    ) => {
        impl $crate::protocol::show::Show for $name {
            fn show(&self) -> serde_json::Value {
                #[allow(unused_mut, reason = "a struct may have no fields")]
                let mut fields = serde_json::Map::new();
                $(fields.insert(
                    stringify!($field).to_owned(),
                    $crate::protocol::show::Show::show(&self.$field),
                );)*
                $($(fields.insert(
                    stringify!($tagged).to_owned(),
                    $crate::protocol::show::Show::show(&self.$tagged),
                );)*)?
                serde_json::Value::Object(fields)
            }
        }
    };
}

pub(super) use {show_fields, shown};

macro_rules! as_they_are {
    ($($type:ty),*) => {$(
        impl Show for $type {
            fn show(&self) -> Value {
                Value::from(*self)
            }
        }
    )*};
}
as_they_are!(bool, i8, i16, u16, i32, i64, f64);

macro_rules! as_numbers {
    ($($type:ty),*) => {$(
        impl Show for $type {
            fn show(&self) -> Value {
                Value::from(self.0)
            }
        }
    )*};
}
as_numbers!(LeaderEpoch, NodeId, Offset, PartitionId, ProducerEpoch, ProducerId, ResourceType);
as_numbers!(Timestamp);

impl Show for Uuid {
    fn show(&self) -> Value {
        Value::from(self.to_string())
    }
}

impl Show for Arc<str> {
    fn show(&self) -> Value {
        Value::from(&**self)
    }
}

impl Show for Bytes {
    fn show(&self) -> Value {
        Value::from(STANDARD.encode(self))
    }
}

/// Whoever wants to see it finds it in the record's own bytes.
impl Show for Secret {
    fn show(&self) -> Value {
        Value::from("(hidden)")
    }
}

impl<T: Show> Show for Option<T> {
    fn show(&self) -> Value {
        self.as_ref().map_or(Value::Null, Show::show)
    }
}

impl<T: Show> Show for Vec<T> {
    fn show(&self) -> Value {
        self.iter().map(Show::show).collect()
    }
}
