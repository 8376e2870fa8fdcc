//! kcat's configuration files: `property=value`, a line each, and a little of Java's notation.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};

/// The buffer of kcat less its NUL: a longer line is two.
const LINE_BYTES_MAX: usize = 511;

/// What is in a file. A directory can be opened and has nothing in it, as in C.
pub fn open(path: &OsStr) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = File::open(path)?;
    let _ = file.read_to_end(&mut bytes);
    Ok(bytes)
}

/// A property and its value.
type Pair = (String, String);

/// Lines with their numbers, without comments; `None` for what is no pair.
pub fn lines(bytes: &[u8]) -> Vec<(usize, Option<Pair>)> {
    let whole = bytes.split_inclusive(|byte| *byte == b'\n');
    let pieces = whole.flat_map(|line| line.chunks(LINE_BYTES_MAX));
    let numbered = pieces.enumerate().map(|(index, line)| (index + 1, trimmed(line)));
    let meant = numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"));
    meant.map(|(number, line)| (number, pair(line))).collect()
}

fn trimmed(line: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let end = memchr::memchr(0, line).unwrap_or(line.len());
    let line = &line[..end];
    let start = line.iter().position(|byte| !is_space(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    &line[start..end]
}

fn pair(line: &[u8]) -> Option<Pair> {
    // Java's notation escapes these two.
    let line = String::from_utf8_lossy(line).replace("\\:", ":").replace("\\=", "=");
    let (name, value) = line.split_once('=')?;
    (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
}

/// What librdkafka has for a property that may be one of Java's.
pub fn of_librdkafka<'a>(name: &'a str, value: &'a str) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    match name {
        "ssl.endpoint.identification.algorithm" => Vec::new(),
        "sasl.jaas.config" => match plain_login(value) {
            Some((user, password)) => vec![
                ("sasl.username".into(), user.into()),
                ("sasl.password".into(), password.into()),
            ],
            None => vec![(name.into(), value.into())],
        },
        _ => vec![(name.into(), value.into())],
    }
}

fn plain_login(value: &str) -> Option<(&str, &str)> {
    let rest = value.strip_prefix("org.apache.kafka.common.security.plain.PlainLoginModule")?;
    let rest = rest.trim_start().strip_prefix("required")?;
    let rest = rest.trim_start().strip_prefix("username=\"")?;
    let (user, rest) = rest.split_once('"')?;
    let rest = rest.trim_start().strip_prefix("password=\"")?;
    let password = rest.split('"').next()?;
    (!user.is_empty() && !password.is_empty()).then_some((user, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &[(usize, Option<(&str, &str)>)]) {
        let found = lines(text.as_bytes());
        let found: Vec<_> = found
            .iter()
            .map(|(n, pair)| (*n, pair.as_ref().map(|(a, b)| (a.as_str(), b.as_str()))))
            .collect();
        assert_eq!(found, want);
    }

    #[test]
    fn a_line_is_a_property() {
        check("a=b\n\n# c\n  d = e f \r\n", &[(1, Some(("a", "b"))), (4, Some(("d ", " e f")))]);
        check("a\\:b=c\\=d\\\\:", &[(1, Some(("a:b", "c=d\\:")))]);
        check("a=", &[(1, Some(("a", "")))]);
        check("a\n=b", &[(1, None), (2, None)]);
        let long = format!("a={}", "b".repeat(LINE_BYTES_MAX));
        check(&long, &[(1, Some(("a", &long[2..LINE_BYTES_MAX]))), (2, None)]);
    }

    #[test]
    fn a_plain_login_of_java_is_read() {
        let jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required \
                    username=\"u\" password=\"p q\";";
        let found = of_librdkafka("sasl.jaas.config", jaas);
        assert_eq!(
            found,
            [("sasl.username".into(), "u".into()), ("sasl.password".into(), "p q".into()),]
                as [(Cow<'_, str>, Cow<'_, str>); 2]
        );
        assert_eq!(of_librdkafka("sasl.jaas.config", "x").len(), 1);
        assert!(of_librdkafka("ssl.endpoint.identification.algorithm", "https").is_empty());
    }
}
