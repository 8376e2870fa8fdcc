//! `message!`: a struct of the wire, declared once, read and written at every version.
//! Never knows: which messages there are.
//!
//! ```text
//! message! {
//!     /// What it is.
//!     pub struct Name {
//!         always: i32,
//!         later: Text [2..],                     versions that have the field (Rust's ranges)
//!         gone: bool [..=3],
//!         listed: Option<Vec<i32>> [0..; null 1..],   null is allowed from version 1
//!         weighty: bool [4.., strict] = true,    other values cannot be left out of older versions
//!         epoch: i32 [1..] = -1,                 the value where the version lacks the field
//!     }
//!     tagged {
//!         0 => extra: Text [3..],                written only when it differs from its default
//!     }
//! }
//! ```
//!
//! A field that its version lacks is left out when written (Kafka's *ignorable*), unless it is
//! `strict`: then a value other than the default is an error. Responses have no strict fields: a
//! broker fills in what it knows, and an old client is told what its version can carry.
//! Unknown tagged fields are skipped.

use super::codec::{DecodeError, EncodeError, Fault, Field, Reader, Version, Writer};

/// A struct that `message!` declared.
pub trait Message: Field + Default {}

macro_rules! message {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $(
                $(#[$about:meta])*
                $field:ident: $type:ty
                $([$versions:expr $(; null $nullable:expr)? $(, $strict:ident)?])?
                $(= $default:expr)?,
            )*
        }
        $(tagged {
            $(
                $(#[$tag_about:meta])*
                $tag:literal => $tagged:ident: $tag_type:ty [$tag_versions:expr]
                $(= $tag_default:expr)?,
            )*
        })?
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[$about])* pub $field: $type,)*
            $($($(#[$tag_about])* pub $tagged: $tag_type,)*)?
        }

        impl $crate::protocol::message::Message for $name {}

        impl Default for $name {
            fn default() -> Self {
                $name {
                    $($field: message!(@default $($default)?),)*
                    $($($tagged: message!(@default $($tag_default)?),)*)?
                }
            }
        }

        impl $crate::protocol::codec::Field for $name {
            fn read(
                from: &mut $crate::protocol::codec::Reader,
            ) -> Result<Self, $crate::protocol::codec::DecodeError> {
                #[allow(unused_variables, reason = "a struct may have no fields")]
                let version = from.version().number;
                #[allow(unused_mut, reason = "only tagged fields are set later")]
                let mut it = $name {
                    $($field: if message!(@holds version $(, $versions)?) {
                        let null = message!(@holds version $($(, $nullable)?)?);
                        $crate::protocol::message::read_field(from, null)
                            .map_err(|e| e.within(message!(@path $name $field)))?
                    } else {
                        message!(@default $($default)?)
                    },)*
                    $($($tagged: message!(@default $($tag_default)?),)*)?
                };
                if from.version().flexible {
                    #[allow(unused_variables, reason = "a struct may have no tagged fields")]
                    from.tags(|tag, value| {
                        match tag {
                            $($($tag if message!(@holds version, $tag_versions) => {
                                it.$tagged = $crate::protocol::codec::Field::read(value)
                                    .map_err(|e| e.within(message!(@path $name $tagged)))?;
                            })*)?
                            _ => {}
                        }
                        Ok(())
                    })?;
                }
                Ok(it)
            }

            fn write(
                &self,
                to: &mut $crate::protocol::codec::Writer,
            ) -> Result<(), $crate::protocol::codec::EncodeError> {
                #[allow(unused_variables, reason = "a struct may have no fields")]
                let version = to.version().number;
                $(if message!(@holds version $(, $versions)?) {
                    let null = message!(@holds version $($(, $nullable)?)?);
                    $crate::protocol::message::write_field(
                        to, &self.$field, null, message!(@path $name $field))?;
                } else if message!(@strict $($($strict)?)?) {
                    let default: $type = message!(@default $($default)?);
                    $crate::protocol::message::require_default(
                        &self.$field, &default, version, message!(@path $name $field))?;
                })*
                if to.version().flexible {
                    #[allow(unused_mut, reason = "a struct may have no tagged fields")]
                    let mut count = 0;
                    $($(
                        let default: $tag_type = message!(@default $($tag_default)?);
                        let $tagged =
                            message!(@holds version, $tag_versions) && self.$tagged != default;
                        count += u32::from($tagged);
                    )*)?
                    to.uvarint(count);
                    $($(if $tagged {
                        to.tag($tag, &self.$tagged)?;
                    })*)?
                }
                Ok(())
            }

            fn size_min(version: $crate::protocol::codec::Version) -> usize {
                usize::from(version.flexible)
                    $(+ if message!(@holds version.number $(, $versions)?) {
                        <$type as $crate::protocol::codec::Field>::size_min(version)
                    } else {
                        0
                    })*
            }
        }

        #[cfg(test)]
        impl $crate::protocol::sample::Sample for $name {
            fn sample(from: &mut $crate::protocol::sample::Sampler) -> Self {
                #[allow(unused_variables, reason = "a struct may have no versioned fields")]
                let version = from.version.number;
                $name {
                    $($field: if message!(@holds version $(, $versions)?) {
                        from.field(message!(@holds version $($(, $nullable)?)?))
                    } else {
                        message!(@default $($default)?)
                    },)*
                    $($($tagged: if message!(@holds version, $tag_versions) {
                        from.field(true)
                    } else {
                        message!(@default $($tag_default)?)
                    },)*)?
                }
            }

            #[allow(unused_variables, reason = "a struct may have no fields")]
            fn leaves(
                &self,
                _: &'static str,
                into: &mut Vec<$crate::protocol::sample::Leaf>,
            ) {
                $(self.$field.leaves(stringify!($field), into);)*
                $($(self.$tagged.leaves(stringify!($tagged), into);)*)?
            }
        }
    };
    (@default) => { Default::default() };
    (@default $default:expr) => { $default };
    (@holds $version:expr) => { true };
    (@holds $version:expr, $range:expr) => { ($range).contains(&$version) };
    (@strict) => { false };
    (@strict strict) => { true };
    (@path $name:ident $field:ident) => { concat!(stringify!($name), ".", stringify!($field)) };
}

pub(super) use message;

pub(super) fn read_field<T: Field>(from: &mut Reader, null: bool) -> Result<T, DecodeError> {
    let value = T::read(from)?;
    if !null && value.is_null() {
        return Err(Fault::Null.into());
    }
    Ok(value)
}

pub(super) fn write_field<T: Field>(
    to: &mut Writer,
    value: &T,
    null: bool,
    field: &'static str,
) -> Result<(), EncodeError> {
    if !null && value.is_null() {
        return Err(EncodeError::Null { field, version: to.version().number });
    }
    value.write(to)
}

pub(super) fn require_default<T: PartialEq>(
    value: &T,
    default: &T,
    version: i16,
    field: &'static str,
) -> Result<(), EncodeError> {
    match value == default {
        true => Ok(()),
        false => Err(EncodeError::NoPlaceFor { field, version }),
    }
}

/// A struct that may be null: one byte, negative for null, before the struct (KIP-893).
impl<T: Message> Field for Option<T> {
    fn read(from: &mut Reader) -> Result<Self, DecodeError> {
        match i8::from_be_bytes(from.array()?) {
            ..0 => Ok(None),
            _ => T::read(from).map(Some),
        }
    }

    fn write(&self, to: &mut Writer) -> Result<(), EncodeError> {
        match self {
            None => to.slice(&[0xff]),
            Some(value) => {
                to.slice(&[1]);
                value.write(to)?;
            }
        }
        Ok(())
    }

    fn size_min(_: Version) -> usize {
        1
    }

    fn is_null(&self) -> bool {
        self.is_none()
    }
}
