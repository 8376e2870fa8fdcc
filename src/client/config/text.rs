//! The text of a configuration file as keys and values, in librdkafka's way and in Java's.
//! Never knows: where the text came from, what a key is for.

use super::java;
use super::known;

/// One setting and the line on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub number: usize,
    pub key: String,
    pub value: String,
}

/// Whose way of writing a file is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `key=value`, a line each; a backslash is itself, but before `:` and `=` (kcat.c).
    Librdkafka,
    /// What `java.util.Properties` loads.
    Java,
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub line: usize,
    pub why: String,
}

impl Wrong {
    fn new(line: usize, why: impl Into<String>) -> Wrong {
        Wrong { line, why: why.into() }
    }
}

/// Reads a text both ways. Where they differ its keys tell whose it is, then its name; where keys
/// of both kinds are in it, nobody can tell what it means.
pub fn read(text: &str, named: Kind) -> Result<(Kind, Vec<Line>), Wrong> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(at) = text.find('\0') {
        let line = text[..at].matches('\n').count() + 1;
        return Err(Wrong::new(line, "there is a NUL byte; this is no text file"));
    }
    let (plain, java) = (librdkafkas(text), javas(text));
    let has = |is: fn(&str) -> bool| java.iter().flatten().any(|line| is(&line.key));
    let kind = match (has(java::is_javas_alone), has(is_librdkafkas_alone)) {
        (true, false) => Kind::Java,
        (false, true) => Kind::Librdkafka,
        (false, false) => named,
        (true, true) => both_kinds(&plain, &java)?,
    };
    let lines = if kind == Kind::Java { java? } else { plain? };
    Ok((kind, lines))
}

/// Keys of both kinds: fine as long as both readings are the same, or only one makes sense.
fn both_kinds(
    plain: &Result<Vec<Line>, Wrong>,
    java: &Result<Vec<Line>, Wrong>,
) -> Result<Kind, Wrong> {
    let (Ok(plain), Ok(java)) = (plain, java) else { return Ok(Kind::Java) };
    let differs = plain.iter().zip(java).find(|(plain, java)| plain != java);
    let makes_sense = plain.iter().all(|line| known(&line.key) || java::is_javas_alone(&line.key));
    match differs {
        None if plain.len() == java.len() => Ok(Kind::Librdkafka),
        Some((line, _)) if makes_sense => {
            let why = "Java and librdkafka read this line in two ways, and the file has settings \
                       of both; keep to the names of one of them, or write no backslash";
            Err(Wrong::new(line.number, why))
        }
        _ => Ok(Kind::Java),
    }
}

fn is_librdkafkas_alone(key: &str) -> bool {
    known(key) && !java::is_shared(key)
}

fn librdkafkas(text: &str) -> Result<Vec<Line>, Wrong> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let line = line.replace("\\:", ":").replace("\\=", "=");
        let Some((key, value)) = line.split_once('=') else {
            // The rest may be a password.
            let start = line.split([' ', '\t', ':']).next().unwrap_or_default();
            return Err(Wrong::new(index + 1, format!("'{start}…' is not KEY=VALUE")));
        };
        let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
        lines.push(Line { number: index + 1, key, value });
    }
    Ok(lines)
}

fn javas(text: &str) -> Result<Vec<Line>, Wrong> {
    let mut lines = Vec::new();
    for (number, line) in logical_lines(text) {
        let end = unescaped(&line, |c| is_blank(c) || c == '=' || c == ':');
        let rest = line[end..].trim_start_matches(is_blank);
        let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start_matches(is_blank);
        let key = unescape(&line[..end]).map_err(|why| Wrong::new(number, why))?;
        let value = unescape(rest).map_err(|why| Wrong::new(number, why))?;
        // Kafka trims what it is given, passwords too (ConfigDef.parseType).
        lines.push(Line { number, key, value: value.trim().to_owned() });
    }
    Ok(lines)
}

/// Lines without comments; one that ends with a single backslash goes on in the next.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start_matches(is_blank);
        let slashes = line.len() - line.trim_end_matches('\\').len();
        let part = &line[..line.len() - slashes % 2];
        match lines.last_mut() {
            Some((_, whole)) if goes_on => whole.push_str(part),
            _ if line.is_empty() || line.starts_with(['#', '!']) => continue,
            _ => lines.push((index + 1, part.to_owned())),
        }
        goes_on = slashes % 2 == 1;
    }
    lines
}

/// What `Properties` takes for white space.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

/// Where the first character lies that `is_end` and no backslash stands before.
fn unescaped(line: &str, is_end: impl Fn(char) -> bool) -> usize {
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if is_end(c) => return at,
            _ => {}
        }
    }
    line.len()
}

/// Java's escapes; before any other character a backslash goes away.
fn unescape(text: &str) -> Result<String, String> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let c = match c {
            '\\' => match rest.next() {
                Some('u') => {
                    units.push(unit(rest.as_str()).ok_or("\\u needs four hexadecimal digits")?);
                    rest = rest.as_str()[4..].chars();
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some(c) => c,
                None => continue,
            },
            c => c,
        };
        units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
    }
    String::from_utf16(&units).map_err(|_| "half of a pair of \\u escapes is missing".to_owned())
}

/// The UTF-16 unit of the first four characters.
fn unit(text: &str) -> Option<u16> {
    let digits = text.get(..4)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, named: Kind, want: &str) {
        let shown = match read(text, named) {
            Ok((kind, lines)) => {
                let line = |line: &Line| format!("{} {}={}", line.number, line.key, line.value);
                let lines: Vec<String> = lines.iter().map(line).collect();
                format!("{kind:?}: {}", lines.join("; "))
            }
            Err(wrong) => format!("{}: {}", wrong.line, wrong.why),
        };
        assert_eq!(shown, want, "{text}");
    }

    #[test]
    fn librdkafkas_files_are_read_as_kcat_does() {
        let check = |text, want| check(text, Kind::Librdkafka, want);
        check("# c\n\n! d\nacks=1\n", "Librdkafka: 4 acks=1");
        check(" bootstrap.servers = h\\:1 ", "Librdkafka: 1 bootstrap.servers=h:1");
        check("\u{feff}acks=1\r\nlinger.ms=2\r\n", "Librdkafka: 1 acks=1; 2 linger.ms=2");
        check("sasl.password=a\\b\\\nacks=1", "Librdkafka: 1 sasl.password=a\\b\\; 2 acks=1");
        check("sasl.password=a=b #c", "Librdkafka: 1 sasl.password=a=b #c");
        check("client.id=a\\b", "Librdkafka: 1 client.id=a\\b");
        check("topic.acks=1\nacks=", "Librdkafka: 1 topic.acks=1; 2 acks=");
        check("bootstrap.servers", "1: 'bootstrap.servers…' is not KEY=VALUE");
        check("acks=1\nsasl.password: secret", "2: 'sasl.password…' is not KEY=VALUE");
        check("acks=1\na\0b", "2: there is a NUL byte; this is no text file");
    }

    #[test]
    fn javas_files_are_read_as_properties_loads_them() {
        let check = |text, want: &str| check(text, Kind::Java, &format!("Java: {want}"));
        check("a=b\na:b\na b\na = b\na : b\na\tb", "1 a=b; 2 a=b; 3 a=b; 4 a=b; 5 a=b; 6 a=b");
        check("a==b\na= =b\na", "1 a==b; 2 a==b; 3 a=");
        check("! c\n  # c\na=b\\\n   c\\\n\n# d", "3 a=bc");
        check("a=b\\\n# c", "1 a=b# c");
        check("a=b\\\\\nc=d", "1 a=b\\; 2 c=d");
        check("a\\=b\\:c\\ d=e", "1 a=b:c d=e");
        check("a=b\\t\\n\\u00e9\\ud83d\\ude00\\z", "1 a=b\t\n\u{e9}\u{1f600}z");
        check("a=https\\://h/p?q\\=1", "1 a=https://h/p?q=1");
    }

    #[test]
    fn what_java_cannot_load_is_said() {
        check("a=1\nb=\\u12", Kind::Java, "2: \\u needs four hexadecimal digits");
        check("a=\\u+123", Kind::Java, "1: \\u needs four hexadecimal digits");
        check("a=\\ud83d", Kind::Java, "1: half of a pair of \\u escapes is missing");
    }

    #[test]
    fn a_files_keys_tell_whose_it_is() {
        let jaas = "sasl.jaas.config=M required \\\n username=\"a\\\\b\";";
        check(jaas, Kind::Librdkafka, "Java: 1 sasl.jaas.config=M required username=\"a\\b\";");
        check("sasl.password=a\\b", Kind::Java, "Librdkafka: 1 sasl.password=a\\b");
        check("client.id=a\\b", Kind::Java, "Java: 1 client.id=ab");
        check(
            "key.serializer=S\nsasl.password=ab",
            Kind::Java,
            "Librdkafka: 1 key.serializer=S; 2 sasl.password=ab",
        );
        check(
            "key.serializer=S\nsasl.password=tell\\nobody",
            Kind::Java,
            "2: Java and librdkafka read this line in two ways, and the file has settings of both; \
             keep to the names of one of them, or write no backslash",
        );
        let mixed = "ssl.ca.location=/ca\nsasl.jaas.config=M required \\\n  username=\"u\";";
        check(
            mixed,
            Kind::Librdkafka,
            "Java: 1 ssl.ca.location=/ca; 2 sasl.jaas.config=M required username=\"u\";",
        );
    }
}
