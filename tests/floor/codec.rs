//! Numbers, strings and bytes of the protocol, as they were before it was flexible.

use std::io;

/// A request, from its front on.
pub struct Reader<'a>(&'a mut [u8]);

impl<'a> Reader<'a> {
    pub fn new(frame: &'a mut [u8]) -> Reader<'a> {
        Reader(frame)
    }

    fn take(&mut self, count: usize) -> io::Result<&'a mut [u8]> {
        let taken = self.0.split_off_mut(..count);
        taken.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        Ok((&*self.take(N)?).try_into().expect("as many were taken"))
    }

    pub fn skip(&mut self, count: usize) -> io::Result<()> {
        self.take(count).map(drop)
    }

    pub fn i16(&mut self) -> io::Result<i16> {
        self.array().map(i16::from_be_bytes)
    }

    pub fn i32(&mut self) -> io::Result<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub fn i64(&mut self) -> io::Result<i64> {
        self.array().map(i64::from_be_bytes)
    }

    pub fn nullable_string(&mut self) -> io::Result<Option<String>> {
        let Ok(length) = usize::try_from(self.i16()?) else { return Ok(None) };
        Ok(Some(String::from_utf8_lossy(self.take(length)?).into_owned()))
    }

    pub fn string(&mut self) -> io::Result<String> {
        self.nullable_string().map(Option::unwrap_or_default)
    }

    pub fn bytes(&mut self) -> io::Result<&'a mut [u8]> {
        let length = usize::try_from(self.i32()?).unwrap_or(0);
        self.take(length)
    }
}

/// An answer with room for its length at the front.
pub struct Writer(Vec<u8>);

impl Writer {
    pub fn answer(correlation: i32) -> Writer {
        let mut writer = Writer(vec![0; 4]);
        writer.i32(correlation);
        writer
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn put(&mut self, bytes: &[u8]) -> &mut Writer {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn i8(&mut self, number: i8) -> &mut Writer {
        self.put(&number.to_be_bytes())
    }

    pub fn i16(&mut self, number: i16) -> &mut Writer {
        self.put(&number.to_be_bytes())
    }

    pub fn i32(&mut self, number: i32) -> &mut Writer {
        self.put(&number.to_be_bytes())
    }

    pub fn i64(&mut self, number: i64) -> &mut Writer {
        self.put(&number.to_be_bytes())
    }

    pub fn string(&mut self, text: &str) -> &mut Writer {
        self.i16(text.len() as i16).put(text.as_bytes())
    }

    /// The frame, whose length counts so many bytes more that are sent from elsewhere.
    pub fn framed(mut self, elsewhere: u64) -> Vec<u8> {
        let length = (self.0.len() - 4) as u32 + elsewhere as u32;
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}
