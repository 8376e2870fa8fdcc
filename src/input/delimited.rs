//! A record's bytes to key and value, as `-K`, `-k` and `-Z` say.

use memchr::{memchr, memmem};

/// How a record's bytes are laid out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Ends the key; a record without it is all value, its key null.
    pub key_delimiter: Option<Vec<u8>>,
    /// What is empty is null.
    pub empty_is_null: bool,
}

impl Layout {
    /// Key and value.
    pub fn parse<'r>(&self, record: &'r [u8]) -> (Option<&'r [u8]>, Option<&'r [u8]>) {
        let (key, value) = match &self.key_delimiter {
            None => (None, record),
            Some(delimiter) => split(record, delimiter),
        };
        (key.filter(|key| self.is_there(key)), Some(value).filter(|value| self.is_there(value)))
    }

    fn is_there(&self, part: &[u8]) -> bool {
        !(self.empty_is_null && part.is_empty())
    }
}

fn split<'r>(record: &'r [u8], delimiter: &[u8]) -> (Option<&'r [u8]>, &'r [u8]) {
    let at = match delimiter {
        [byte] => memchr(*byte, record),
        bytes => memmem::find(record, bytes),
    };
    match at {
        Some(at) => (Some(&record[..at]), &record[at + delimiter.len()..]),
        None => (None, record),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(layout: &Layout, record: &str, key: Option<&str>, value: Option<&str>) {
        let want = (key.map(str::as_bytes), value.map(str::as_bytes));
        assert_eq!(layout.parse(record.as_bytes()), want, "{record:?}");
    }

    #[test]
    fn null_and_empty_differ() {
        let keyed = Layout { key_delimiter: Some(b"::".to_vec()), empty_is_null: false };
        check(&keyed, "k::v", Some("k"), Some("v"));
        check(&keyed, "k::a::b", Some("k"), Some("a::b"));
        check(&keyed, "::", Some(""), Some(""));
        check(&keyed, "only value", None, Some("only value"));
        let nulls = Layout { empty_is_null: true, ..keyed };
        check(&nulls, "k::", Some("k"), None);
        check(&nulls, "::v", None, Some("v"));
        check(&nulls, "", None, None);
        let plain = Layout::default();
        check(&plain, "", None, Some(""));
        check(&plain, "a\tb", None, Some("a\tb"));
    }
}
