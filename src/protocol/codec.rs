//! Readers and writers of Kafka's primitives, in their old and their flexible (KIP-482) forms.
//! Never knows: which message it is in.

use std::fmt;

use bytes::Bytes;

/// The version at which a message is read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    pub number: i16,
    /// Compact lengths, and tagged fields at the end of every struct (KIP-482).
    pub flexible: bool,
}

/// A value that can be a field of a message.
pub trait Field: Sized {
    fn read(from: &mut Reader) -> Result<Self, DecodeError>;
    fn write(&self, to: &mut Writer) -> Result<(), EncodeError>;

    /// The fewest bytes that a value can take. An array's length is checked against it before
    /// anything is reserved.
    fn size_min(version: Version) -> usize;

    fn is_null(&self) -> bool {
        false
    }
}

/// Bytes that are not the message they should be. It says which field, and never holds content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    field: &'static str,
    fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    Truncated { wanted: usize, left: usize },
    Length(i64),
    Null,
    Utf8,
    Varint,
    Value(i64),
    Version(i16),
    Key(i64),
    Trailing(usize),
}

impl DecodeError {
    /// Names the field, unless one further in has been named already.
    #[cold]
    pub fn within(mut self, field: &'static str) -> Self {
        if self.field.is_empty() {
            self.field = field;
        }
        self
    }
}

impl From<Fault> for DecodeError {
    #[cold]
    fn from(fault: Fault) -> Self {
        DecodeError { field: "", fault }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        match self.fault {
            Fault::Truncated { wanted, left } => {
                write!(f, "{wanted} bytes are announced, {left} are there")
            }
            Fault::Length(length) => write!(f, "{length} is no length"),
            Fault::Null => f.write_str("null is not allowed here"),
            Fault::Utf8 => f.write_str("the text is not UTF-8"),
            Fault::Varint => f.write_str("a variable-length number has no end"),
            Fault::Value(value) => write!(f, "{value} has no meaning here"),
            Fault::Version(version) => write!(f, "version {version} is not known"),
            Fault::Key(key) => write!(f, "key {key} is not known"),
            Fault::Trailing(bytes) => write!(f, "{bytes} bytes are left over"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// A message that its version cannot carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// The field says something that the version has no place for, and leaving it out would
    /// change what is asked.
    NoPlaceFor {
        field: &'static str,
        version: i16,
    },
    Null {
        field: &'static str,
        version: i16,
    },
    TooLong {
        bytes: usize,
        bytes_max: usize,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::NoPlaceFor { field, version } => {
                write!(f, "version {version} has no place for {field}")
            }
            EncodeError::Null { field, version } => {
                write!(f, "{field} cannot be null in version {version}")
            }
            EncodeError::TooLong { bytes, bytes_max } => {
                write!(f, "a text or array of {bytes} exceeds the format's {bytes_max}")
            }
        }
    }
}

impl std::error::Error for EncodeError {}

/// Takes values off the front of a frame. Slices of it are handed out without copying.
pub struct Reader {
    frame: Bytes,
    at: usize,
    version: Version,
}

impl Reader {
    pub fn new(frame: Bytes, version: Version) -> Self {
        Reader { frame, at: 0, version }
    }

    pub fn version(&self) -> Version {
        self.version
    }

    /// What follows is read at another version, as a body is after its header.
    pub fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    pub fn left(&self) -> usize {
        self.frame.len() - self.at
    }

    /// What has not been read yet.
    pub fn rest(self) -> Bytes {
        self.frame.slice(self.at..)
    }

    /// Fails unless everything has been read.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.left() {
            0 => Ok(()),
            left => Err(Fault::Trailing(left).into()),
        }
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.frame[self.at..].first_chunk::<N>() {
            Some(bytes) => {
                self.at += N;
                Ok(*bytes)
            }
            None => Err(self.truncated(N)),
        }
    }

    pub fn slice(&mut self, len: usize) -> Result<&[u8], DecodeError> {
        if self.left() < len {
            return Err(self.truncated(len));
        }
        let start = self.at;
        self.at += len;
        Ok(&self.frame[start..self.at])
    }

    pub fn bytes(&mut self, len: usize) -> Result<Bytes, DecodeError> {
        if self.left() < len {
            return Err(self.truncated(len));
        }
        let start = self.at;
        self.at += len;
        Ok(self.frame.slice(start..self.at))
    }

    #[cold]
    fn truncated(&self, wanted: usize) -> DecodeError {
        Fault::Truncated { wanted, left: self.left() }.into()
    }

    /// An unsigned LEB128 number of at most 32 bits; not zig-zag.
    pub fn uvarint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(value).map_err(|_| Fault::Varint.into());
            }
        }
        Err(Fault::Varint.into())
    }

    /// The length of a string; `None` is null.
    pub fn string_length(&mut self) -> Result<Option<usize>, DecodeError> {
        if self.version.flexible { self.compact_length() } else { self.short_length() }
    }

    /// The length of bytes or of an array; `None` is null.
    pub fn length(&mut self) -> Result<Option<usize>, DecodeError> {
        if self.version.flexible {
            return self.compact_length();
        }
        old_length(i64::from(i32::from_be_bytes(self.array()?)))
    }

    /// The length of a string in its old form, which headers keep in flexible versions too.
    pub fn short_length(&mut self) -> Result<Option<usize>, DecodeError> {
        old_length(i64::from(i16::from_be_bytes(self.array()?)))
    }

    fn compact_length(&mut self) -> Result<Option<usize>, DecodeError> {
        Ok((self.uvarint()? as usize).checked_sub(1))
    }

    /// The length of an array whose elements fit the bytes that are left; `None` is null.
    pub fn count<T: Field>(&mut self) -> Result<Option<usize>, DecodeError> {
        let Some(count) = self.length()? else { return Ok(None) };
        let wanted = count.saturating_mul(T::size_min(self.version).max(1));
        if self.left() < wanted {
            return Err(self.truncated(wanted));
        }
        Ok(Some(count))
    }

    /// Hands each tagged field to `take`, which leaves alone what it does not know.
    pub fn tags(
        &mut self,
        mut take: impl FnMut(u32, &mut Reader) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        for _ in 0..self.uvarint()? {
            let tag = self.uvarint()?;
            let size = self.uvarint()? as usize;
            take(tag, &mut Reader::new(self.bytes(size)?, self.version))?;
        }
        Ok(())
    }
}

fn old_length(length: i64) -> Result<Option<usize>, DecodeError> {
    match length {
        -1 => Ok(None),
        _ => Ok(Some(usize::try_from(length).map_err(|_| Fault::Length(length))?)),
    }
}

/// A place in encoded bytes where others, `len` of them, are to be sent from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Splice {
    pub at: usize,
    pub len: usize,
}

/// Appends values to a buffer.
pub struct Writer {
    buffer: Vec<u8>,
    splices: Vec<Splice>,
    version: Version,
}

impl Writer {
    pub fn new(version: Version) -> Self {
        Writer { buffer: Vec::new(), splices: Vec::new(), version }
    }

    pub fn with_capacity(bytes: usize, version: Version) -> Self {
        Writer { buffer: Vec::with_capacity(bytes), splices: Vec::new(), version }
    }

    pub fn version(&self) -> Version {
        self.version
    }

    /// What follows is written at another version, as a body is after its header.
    pub fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    pub fn into_parts(self) -> (Vec<u8>, Vec<Splice>) {
        (self.buffer, self.splices)
    }

    pub fn slice(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    pub fn splice(&mut self, len: usize) {
        self.splices.push(Splice { at: self.buffer.len(), len });
    }

    pub fn uvarint(&mut self, mut value: u32) {
        while 0x80 <= value {
            self.buffer.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.buffer.push(value as u8);
    }

    pub fn string_length(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        if self.version.flexible { self.compact_length(length) } else { self.short_length(length) }
    }

    pub fn length(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        if self.version.flexible {
            return self.compact_length(length);
        }
        let length = length.map_or(Ok(-1), |n| i32::try_from(n).map_err(|_| too_long(n)))?;
        self.slice(&length.to_be_bytes());
        Ok(())
    }

    pub fn short_length(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        let bytes_max = i16::MAX as usize;
        let length = length.map_or(Ok(-1), |bytes| {
            i16::try_from(bytes).map_err(|_| EncodeError::TooLong { bytes, bytes_max })
        })?;
        self.slice(&length.to_be_bytes());
        Ok(())
    }

    fn compact_length(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        match length {
            None => self.uvarint(0),
            Some(n) if n < i32::MAX as usize => self.uvarint(n as u32 + 1),
            Some(n) => return Err(too_long(n)),
        }
        Ok(())
    }

    /// A tagged field: its number, the length of its bytes, its bytes.
    pub fn tag(&mut self, tag: u32, value: &impl Field) -> Result<(), EncodeError> {
        self.uvarint(tag);
        let start = self.buffer.len();
        value.write(self)?;
        let end = self.buffer.len();
        self.uvarint((end - start) as u32);
        // The length stands before the bytes, and is known only after them.
        let length_size = self.buffer.len() - end;
        self.buffer[start..].rotate_right(length_size);
        Ok(())
    }
}

fn too_long(bytes: usize) -> EncodeError {
    EncodeError::TooLong { bytes, bytes_max: i32::MAX as usize }
}
