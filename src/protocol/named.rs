//! `named!`: numbers of the wire with Kafka's names.
//! Never knows: which numbers.

/// A number type with a constant a name; an unknown number is carried and shown as it is.
macro_rules! named {
    ($(#[$meta:meta])* $type:ident($number:ty) { $($name:ident = $value:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(pub $number);

        impl $type {
            $(pub const $name: $type = $type($value);)*

            /// Kafka's name of it.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $($type::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{} {}", stringify!($type), self.0),
                }
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    };
}

pub(super) use named;
