//! The types that fields of messages have, and how each lies on the wire.
//! Never knows: which message it is in.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::codec::{DecodeError, EncodeError, Fault, Field, Reader, Version, Writer};
use crate::record::{LeaderEpoch, Offset, PartitionId, ProducerEpoch, ProducerId, Timestamp, Uuid};

/// A text of the wire: cheap to clone, since names go from request to answer.
pub type Text = Arc<str>;

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Field for $type {
            fn read(from: &mut Reader) -> Result<Self, DecodeError> {
                Ok(<$type>::from_be_bytes(from.array()?))
            }

            fn write(&self, to: &mut Writer) -> Result<(), EncodeError> {
                to.slice(&self.to_be_bytes());
                Ok(())
            }

            fn size_min(_: Version) -> usize {
                size_of::<$type>()
            }
        }
    )*};
}
numbers!(i8, i16, u16, i32, i64, f64);

impl Field for bool {
    fn read(from: &mut Reader) -> Result<Self, DecodeError> {
        Ok(from.array()? != [0])
    }

    fn write(&self, to: &mut Writer) -> Result<(), EncodeError> {
        to.slice(&[u8::from(*self)]);
        Ok(())
    }

    fn size_min(_: Version) -> usize {
        1
    }
}

impl Field for Uuid {
    fn read(from: &mut Reader) -> Result<Self, DecodeError> {
        from.array().map(Uuid)
    }

    fn write(&self, to: &mut Writer) -> Result<(), EncodeError> {
        to.slice(&self.0);
        Ok(())
    }

    fn size_min(_: Version) -> usize {
        16
    }
}

/// A type that lies on the wire as its number does.
macro_rules! wrapped {
    ($($type:ident($number:ty)),*) => {$(
        impl Field for $type {
            fn read(from: &mut Reader) -> Result<Self, DecodeError> {
                <$number>::read(from).map($type)
            }

            fn write(&self, to: &mut Writer) -> Result<(), EncodeError> {
                self.0.write(to)
            }

            fn size_min(version: Version) -> usize {
                <$number>::size_min(version)
            }
        }
    )*};
}
pub(super) use wrapped;

/// The same where -1 means none.
macro_rules! optional {
    ($($type:ident($number:ty)),*) => {$(
        impl Field for Option<$type> {
            fn read(from: &mut Reader) -> Result<Self, DecodeError> {
                let number = <$number>::read(from)?;
                Ok((number != -1).then_some($type(number)))
            }

            fn write(&self, to: &mut Writer) -> Result<(), EncodeError> {
                self.map_or(-1, |value| value.0).write(to)
            }

            fn size_min(version: Version) -> usize {
                <$number>::size_min(version)
            }
        }
    )*};
}

wrapped!(NodeId(i32), Offset(i64), PartitionId(i32), LeaderEpoch(i32), ProducerId(i64));
wrapped!(ProducerEpoch(i16), Timestamp(i64));
optional!(NodeId(i32), Offset(i64), LeaderEpoch(i32), ProducerId(i64), ProducerEpoch(i16));
optional!(Timestamp(i64));

/// A broker of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NodeId(pub i32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn read_text(from: &mut Reader, length: usize) -> Result<Text, DecodeError> {
    let text = str::from_utf8(from.slice(length)?).map_err(|_| Fault::Utf8)?;
    Ok(if text.is_empty() { Text::default() } else { Text::from(text) })
}

impl Field for Text {
    fn read(from: &mut Reader) -> Result<Self, DecodeError> {
        let length = from.string_length()?.ok_or(Fault::Null)?;
        read_text(from, length)
    }

    fn write(&self, to: &mut Writer) -> Result<(), EncodeError> {
        to.string_length(Some(self.len()))?;
        to.slice(self.as_bytes());
        Ok(())
    }

    fn size_min(version: Version) -> usize {
        if version.flexible { 1 } else { 2 }
    }
}

impl Field for Option<Text> {
    fn read(from: &mut Reader) -> Result<Self, DecodeError> {
        from.string_length()?.map(|length| read_text(from, length)).transpose()
    }

    fn write(&self, to: &mut Writer) -> Result<(), EncodeError> {
        match self {
            Some(text) => text.write(to),
            None => to.string_length(None),
        }
    }

    fn size_min(version: Version) -> usize {
        Text::size_min(version)
    }

    fn is_null(&self) -> bool {
        self.is_none()
    }
}

fn length_size_min(version: Version) -> usize {
    if version.flexible { 1 } else { 4 }
}

/// Opaque bytes. Read, they are a slice of the frame; nothing is copied.
impl Field for Bytes {
    fn read(from: &mut Reader) -> Result<Self, DecodeError> {
        let length = from.length()?.ok_or(Fault::Null)?;
        from.bytes(length)
    }

    fn write(&self, to: &mut Writer) -> Result<(), EncodeError> {
        to.length(Some(self.len()))?;
        to.slice(self);
        Ok(())
    }

    fn size_min(version: Version) -> usize {
        length_size_min(version)
    }
}

impl Field for Option<Bytes> {
    fn read(from: &mut Reader) -> Result<Self, DecodeError> {
        from.length()?.map(|length| from.bytes(length)).transpose()
    }

    fn write(&self, to: &mut Writer) -> Result<(), EncodeError> {
        match self {
            Some(bytes) => bytes.write(to),
            None => to.length(None),
        }
    }

    fn size_min(version: Version) -> usize {
        length_size_min(version)
    }

    fn is_null(&self) -> bool {
        self.is_none()
    }
}

fn read_elements<T: Field>(from: &mut Reader) -> Result<Option<Vec<T>>, DecodeError> {
    let Some(count) = from.count::<T>()? else { return Ok(None) };
    let mut elements = Vec::with_capacity(count);
    for _ in 0..count {
        elements.push(T::read(from)?);
    }
    Ok(Some(elements))
}

fn write_elements<T: Field>(elements: &[T], to: &mut Writer) -> Result<(), EncodeError> {
    to.length(Some(elements.len()))?;
    elements.iter().try_for_each(|element| element.write(to))
}

impl<T: Field> Field for Vec<T> {
    fn read(from: &mut Reader) -> Result<Self, DecodeError> {
        read_elements(from)?.ok_or_else(|| Fault::Null.into())
    }

    fn write(&self, to: &mut Writer) -> Result<(), EncodeError> {
        write_elements(self, to)
    }

    fn size_min(version: Version) -> usize {
        length_size_min(version)
    }
}

impl<T: Field> Field for Option<Vec<T>> {
    fn read(from: &mut Reader) -> Result<Self, DecodeError> {
        read_elements(from)
    }

    fn write(&self, to: &mut Writer) -> Result<(), EncodeError> {
        match self {
            Some(elements) => write_elements(elements, to),
            None => to.length(None),
        }
    }

    fn size_min(version: Version) -> usize {
        length_size_min(version)
    }

    fn is_null(&self) -> bool {
        self.is_none()
    }
}

/// A list that many structs share, as thousands of partitions do their replicas.
impl<T: Field> Field for Arc<[T]> {
    fn read(from: &mut Reader) -> Result<Self, DecodeError> {
        let elements = Vec::read(from)?;
        Ok(if elements.is_empty() { Arc::default() } else { elements.into() })
    }

    fn write(&self, to: &mut Writer) -> Result<(), EncodeError> {
        write_elements(self, to)
    }

    fn size_min(version: Version) -> usize {
        length_size_min(version)
    }
}

/// Whole record batches on their way to a client. `None` cannot be said: librdkafka refuses null
/// where a fetch brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    Here(Bytes),
    /// So many bytes, to be sent at this place of the encoded message from elsewhere: a slice of a
    /// file. The n-th of a message is the n-th of `Encoded::splices`.
    Elsewhere(usize),
}

impl Records {
    /// Those of a message that was read, whose records always come with it.
    pub fn here(&self) -> &Bytes {
        match self {
            Records::Here(bytes) => bytes,
            Records::Elsewhere(_) => unreachable!("only what is written lies elsewhere"),
        }
    }
}

impl Default for Records {
    fn default() -> Self {
        Records::Here(Bytes::new())
    }
}

impl Field for Records {
    fn read(from: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Records::Here(Option::<Bytes>::read(from)?.unwrap_or_default()))
    }

    fn write(&self, to: &mut Writer) -> Result<(), EncodeError> {
        match self {
            Records::Here(bytes) => bytes.write(to)?,
            Records::Elsewhere(len) => {
                to.length(Some(*len))?;
                to.splice(*len);
            }
        }
        Ok(())
    }

    fn size_min(version: Version) -> usize {
        length_size_min(version)
    }
}

/// Bytes that no log may show.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(pub Bytes);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} bytes)", self.0.len())
    }
}

wrapped!(Secret(Bytes));

/// Which records a reader may see (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Isolation {
    #[default]
    ReadUncommitted,
    ReadCommitted,
}

impl Field for Isolation {
    fn read(from: &mut Reader) -> Result<Self, DecodeError> {
        match i8::read(from)? {
            0 => Ok(Isolation::ReadUncommitted),
            1 => Ok(Isolation::ReadCommitted),
            other => Err(Fault::Value(i64::from(other)).into()),
        }
    }

    fn write(&self, to: &mut Writer) -> Result<(), EncodeError> {
        (*self as i8).write(to)
    }

    fn size_min(_: Version) -> usize {
        1
    }
}
