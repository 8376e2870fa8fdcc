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
        $visibility:vis struct $name:ident {
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
        $visibility struct $name {
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::field::Text;
    use super::*;

    message! {
        struct Inner {
            number: i16,
        }
    }

    message! {
        struct Outer {
            always: i16,
            later: Option<Text> [2..],
            gone: i8 [..=1] = 7,
            weighty: bool [2.., strict] = true,
            listed: Option<Vec<i16>> [0..; null 1..],
            inner: Option<Inner> [3..],
        }
        tagged {
            0 => extra: i16 [3..] = -1,
            5 => named: Text [4..],
        }
    }

    fn at(number: i16) -> Version {
        Version { number, flexible: 3 <= number }
    }

    fn write(outer: &Outer, version: i16) -> Result<Vec<u8>, EncodeError> {
        let mut writer = Writer::new(at(version));
        outer.write(&mut writer).map(|()| writer.into_parts().0)
    }

    fn read(bytes: &[u8], version: i16) -> Result<Outer, DecodeError> {
        Outer::read(&mut Reader::new(Bytes::copy_from_slice(bytes), at(version)))
    }

    fn outer() -> Outer {
        Outer { always: 1, listed: Some(vec![2, 3]), ..Default::default() }
    }

    #[track_caller]
    fn check(outer: &Outer, version: i16, bytes: &[u8]) {
        assert_eq!(write(outer, version).as_deref(), Ok(bytes), "version {version}");
        assert_eq!(read(bytes, version).as_ref(), Ok(outer), "version {version}");
    }

    #[test]
    fn a_field_is_there_in_its_versions_alone() {
        check(&outer(), 0, &[0, 1, 7, 0, 0, 0, 2, 0, 2, 0, 3]);
        let later = Outer { later: Some("ab".into()), ..outer() };
        check(&later, 2, &[0, 1, 0, 2, b'a', b'b', 1, 0, 0, 0, 2, 0, 2, 0, 3]);
        let absent = read(&write(&later, 1).unwrap(), 1).unwrap();
        assert_eq!(absent.later, None);
    }

    #[test]
    fn flexible_versions_have_compact_lengths_nullable_structs_and_tags() {
        check(&outer(), 3, &[0, 1, 0, 1, 3, 0, 2, 0, 3, 0xff, 0]);
        let full = Outer {
            later: Some("ab".into()),
            inner: Some(Inner { number: 9 }),
            extra: 4,
            named: "n".into(),
            ..outer()
        };
        let start = [0, 1, 3, b'a', b'b', 1, 3, 0, 2, 0, 3, 1, 0, 9, 0];
        check(&full, 4, &[&start[..], &[2, 0, 2, 0, 4, 5, 2, 2, b'n']].concat());
        let older = Outer { named: Text::default(), ..full };
        check(&older, 3, &[&start[..], &[1, 0, 2, 0, 4]].concat());
    }

    #[test]
    fn an_unknown_tag_is_skipped() {
        let bytes = [0, 1, 0, 1, 3, 0, 2, 0, 3, 0xff, 2, 0, 2, 0, 4, 99, 3, 7, 7, 7];
        assert_eq!(read(&bytes, 3), Ok(Outer { extra: 4, ..outer() }));
    }

    #[test]
    fn what_cannot_be_left_out_is_an_error() {
        let error = write(&Outer { weighty: false, ..outer() }, 1).unwrap_err();
        assert_eq!(error.to_string(), "version 1 has no place for Outer.weighty");
        let error = write(&Outer { listed: None, ..outer() }, 0).unwrap_err();
        assert_eq!(error.to_string(), "Outer.listed cannot be null in version 0");
        assert!(write(&Outer { listed: None, ..outer() }, 1).is_ok());
        let long = Outer { later: Some("x".repeat(40_000).into()), ..outer() };
        let error = write(&long, 2).unwrap_err();
        assert_eq!(error.to_string(), "a text or array of 40000 exceeds the format's 32767");
        assert!(write(&long, 3).is_ok());
    }

    #[track_caller]
    fn refused(bytes: &[u8], version: i16, want: &str) {
        assert_eq!(read(bytes, version).unwrap_err().to_string(), want);
    }

    #[test]
    fn an_error_names_the_field_and_what_is_wrong() {
        refused(&[0], 0, "Outer.always: 2 bytes are announced, 1 are there");
        refused(&[0, 1, 7, 0xff, 0xff, 0xff, 0xff], 0, "Outer.listed: null is not allowed here");
        refused(&[0, 1, 7, 0xff, 0xff, 0xff, 0xfe], 0, "Outer.listed: -2 is no length");
        refused(&[0, 1, 0, 1, 0xff], 2, "Outer.later: the text is not UTF-8");
        let endless = [0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        refused(&endless, 3, "Outer.later: a variable-length number has no end");
        refused(&[0, 1, 0, 1, 1, 1, 0], 3, "Inner.number: 2 bytes are announced, 1 are there");
        // Ten bytes that ask for gigabytes.
        let greedy = [0, 1, 7, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0];
        refused(&greedy, 0, "Outer.listed: 4294967294 bytes are announced, 3 are there");
    }
}
