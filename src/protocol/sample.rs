//! (test) Values for every field of every message, and what they are called.
//! Never knows: which messages there are.

use std::sync::Arc;

use bytes::Bytes;

use super::api_key::ApiKey;
use super::codec::{Field, Reader, Version, Writer};
use super::describe_cluster::EndpointType;
use super::describe_configs::{ConfigSource, ConfigType, ResourceType};
use super::error_code::ErrorCode;
use super::field::{Isolation, NodeId, Records, Secret, Text};
use super::find_coordinator::CoordinatorKind;
use super::incremental_alter_configs::ConfigOperation;
use super::list_offsets::OffsetSpec;
use super::message::Message;
use super::produce::Acks;
use crate::record::{LeaderEpoch, Offset, PartitionId, ProducerEpoch, ProducerId, Timestamp, Uuid};

/// A field's name and its value in words.
pub type Leaf = (&'static str, String);

/// What can be made up for a test.
pub trait Sample: Sized {
    fn sample(from: &mut Sampler) -> Self;
    fn leaves(&self, name: &'static str, into: &mut Vec<Leaf>);
}

/// Makes values up, for one version.
pub struct Sampler {
    pub version: Version,
    state: u64,
    wild: bool,
}

impl Sampler {
    /// Every field set, no two alike, two elements a list.
    pub fn full(version: Version) -> Sampler {
        Sampler { version, state: 0, wild: false }
    }

    /// Anything: nulls, empty lists, the ends of numbers.
    pub fn wild(version: Version, seed: u64) -> Sampler {
        Sampler { version, state: seed, wild: true }
    }

    /// The next number; in the wild by splitmix64.
    pub fn next(&mut self) -> u64 {
        if !self.wild {
            self.state += 1;
            return self.state;
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn count(&mut self) -> usize {
        if self.wild { self.next() as usize % 4 } else { 2 }
    }

    fn null(&mut self) -> bool {
        self.wild && self.next().is_multiple_of(4)
    }

    fn text(&mut self) -> String {
        let text = format!("text{}", self.next());
        if self.wild { text.repeat(self.next() as usize % 20) } else { text }
    }

    /// A number's bytes.
    fn fixed<const N: usize>(&mut self) -> [u8; N] {
        let number = match self.next() {
            number if !self.wild => number % 100,
            number if number % 8 < 4 => [0, u64::MAX, 1, u64::MAX >> 1][(number % 4) as usize],
            number => number,
        };
        let bytes = number.to_be_bytes();
        std::array::from_fn(|at| bytes[(8 + at - N % 8) % 8])
    }

    /// A field's value, never null where that is not allowed.
    pub fn field<T: Sample + Field>(&mut self, null: bool) -> T {
        loop {
            let value = T::sample(self);
            if null || !value.is_null() {
                return value;
            }
        }
    }
}

/// Types of a fixed size lie on the wire as the number that is their leaf.
macro_rules! fixed {
    ($($type:ty: $size:literal),* $(,)?) => {$(
        impl Sample for $type {
            fn sample(from: &mut Sampler) -> Self {
                loop {
                    let bytes = Bytes::copy_from_slice(&from.fixed::<$size>());
                    if let Ok(value) = Field::read(&mut Reader::new(bytes, from.version)) {
                        return value;
                    }
                }
            }

            fn leaves(&self, name: &'static str, into: &mut Vec<Leaf>) {
                let mut writer = Writer::new(Version { number: 0, flexible: false });
                self.write(&mut writer).unwrap();
                let bytes = writer.into_parts().0;
                let fill = if bytes[0] < 0x80 { 0 } else { 0xff };
                let mut number = [fill; 8];
                number[8 - bytes.len()..].copy_from_slice(&bytes);
                into.push((name, i64::from_be_bytes(number).to_string()));
            }
        }
    )*};
}

fixed! {
    i8: 1, i16: 2, u16: 2, i32: 4, i64: 8, NodeId: 4, Option<NodeId>: 4, Offset: 8,
    ProducerEpoch: 2,
    Option<Offset>: 8, PartitionId: 4, LeaderEpoch: 4, Option<LeaderEpoch>: 4, ProducerId: 8,
    Option<ProducerId>: 8, Option<ProducerEpoch>: 2, Timestamp: 8, Option<Timestamp>: 8,
    ErrorCode: 2, ApiKey: 2, ResourceType: 1, ConfigSource: 1, ConfigType: 1, EndpointType: 1,
    Isolation: 1, CoordinatorKind: 1, Acks: 2, OffsetSpec: 8,
    ConfigOperation: 1,
}

impl Sample for bool {
    fn sample(from: &mut Sampler) -> Self {
        !from.null()
    }

    fn leaves(&self, name: &'static str, into: &mut Vec<Leaf>) {
        into.push((name, self.to_string()));
    }
}

impl Sample for f64 {
    fn sample(from: &mut Sampler) -> Self {
        (from.next() % 1000) as f64 / 8.0
    }

    fn leaves(&self, name: &'static str, into: &mut Vec<Leaf>) {
        into.push((name, self.to_string()));
    }
}

impl Sample for Uuid {
    fn sample(from: &mut Sampler) -> Self {
        Uuid(from.fixed())
    }

    fn leaves(&self, name: &'static str, into: &mut Vec<Leaf>) {
        into.push((name, self.to_string()));
    }
}

impl Sample for Text {
    fn sample(from: &mut Sampler) -> Self {
        from.text().into()
    }

    fn leaves(&self, name: &'static str, into: &mut Vec<Leaf>) {
        into.push((name, self.to_string()));
    }
}

impl Sample for Bytes {
    fn sample(from: &mut Sampler) -> Self {
        from.text().into()
    }

    fn leaves(&self, name: &'static str, into: &mut Vec<Leaf>) {
        into.push((name, String::from_utf8_lossy(self).into_owned()));
    }
}

impl Sample for Secret {
    fn sample(from: &mut Sampler) -> Self {
        Secret(Sample::sample(from))
    }

    fn leaves(&self, name: &'static str, into: &mut Vec<Leaf>) {
        self.0.leaves(name, into);
    }
}

impl Sample for Records {
    fn sample(from: &mut Sampler) -> Self {
        Records::Here(Sample::sample(from))
    }

    fn leaves(&self, name: &'static str, into: &mut Vec<Leaf>) {
        match self {
            Records::Here(bytes) => bytes.leaves(name, into),
            Records::Elsewhere(_) => unreachable!("no sample lies elsewhere"),
        }
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(from: &mut Sampler) -> Self {
        (0..from.count()).map(|_| T::sample(from)).collect()
    }

    fn leaves(&self, name: &'static str, into: &mut Vec<Leaf>) {
        self.iter().for_each(|element| element.leaves(name, into));
    }
}

impl<T: Sample> Sample for Arc<[T]> {
    fn sample(from: &mut Sampler) -> Self {
        Vec::sample(from).into()
    }

    fn leaves(&self, name: &'static str, into: &mut Vec<Leaf>) {
        self.iter().for_each(|element| element.leaves(name, into));
    }
}

macro_rules! nullable {
    ($(($($of:tt)*) $type:ty),*) => {$(
        impl $($of)* Sample for Option<$type> {
            fn sample(from: &mut Sampler) -> Self {
                (!from.null()).then(|| Sample::sample(from))
            }

            fn leaves(&self, name: &'static str, into: &mut Vec<Leaf>) {
                match self {
                    Some(value) => value.leaves(name, into),
                    None => into.push((name, "None".to_owned())),
                }
            }
        }
    )*};
}
nullable!(() Text, () Bytes, (<T: Sample>) Vec<T>, (<T: Sample + Message>) T);
