//! How a number is laid out: franz-go's names.

/// How a number is written and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    Ascii,
    /// So many digits.
    Hex(u8),
    /// As many digits as it takes; it is only written.
    HexShort,
    /// So many bytes.
    Big(u8),
    Little(u8),
    Bool,
}

impl Number {
    /// Every name, for those who mistyped one.
    pub const NAMES: &'static str = "ascii, hex, hex4 to hex64, byte, big8 to big64, \
                                     little8 to little64 or bool";

    pub fn named(name: &str) -> Option<Number> {
        Some(match name {
            "ascii" | "number" => Number::Ascii,
            "hex" => Number::HexShort,
            "hex4" => Number::Hex(1),
            "hex8" => Number::Hex(2),
            "hex16" => Number::Hex(4),
            "hex32" => Number::Hex(8),
            "hex64" => Number::Hex(16),
            "byte" | "big8" | "little8" => Number::Big(1),
            "big16" => Number::Big(2),
            "big32" => Number::Big(4),
            "big64" => Number::Big(8),
            "little16" => Number::Little(2),
            "little32" => Number::Little(4),
            "little64" => Number::Little(8),
            "bool" => Number::Bool,
            _ => return None,
        })
    }
}
