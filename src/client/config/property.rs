//! librdkafka's own table of its properties: names, defaults, aliases.
//! Never knows: what anything is set to.

use std::sync::OnceLock;

use super::java;
use crate::client::sys;

/// A row of that table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    pub name: String,
    pub default: String,
    /// Its values, where they are words of which there are few.
    pub words: Vec<String>,
    /// What it takes, where librdkafka tells: `0 .. 900000` or `none, gzip`.
    pub range: String,
    pub alias_of: Option<String>,
    /// Whether a text can set it: callbacks are for programs.
    pub is_text: bool,
}

/// All of them, in librdkafka's order.
pub fn properties() -> &'static [Property] {
    static TABLE: OnceLock<Vec<Property>> = OnceLock::new();
    TABLE.get_or_init(|| sys::properties().lines().filter_map(row).collect())
}

/// `name | C/P | range | default | importance | description`, below a heading.
fn row(line: &str) -> Option<Property> {
    let mut cells = line.splitn(6, '|').map(str::trim);
    let name = cells.next().filter(|name| name.bytes().all(is_of_name) && !name.is_empty())?;
    let (range, default, description) = (cells.nth(1)?, cells.next()?, cells.nth(1)?);
    let alias = description.split_once("Alias for `").and_then(|(_, rest)| rest.split_once('`'));
    Some(Property {
        name: name.to_owned(),
        default: default.to_owned(),
        words: words(range),
        range: range.to_owned(),
        alias_of: alias.map(|(of, _)| of.to_owned()),
        is_text: !description.contains("see dedicated API"),
    })
}

/// A range is `1 .. 1000`, a list of words, or nothing in particular.
fn words(range: &str) -> Vec<String> {
    let words = range.split(", ").filter(|_| range.contains(", ") && !range.contains(".."));
    words.map(str::to_owned).collect()
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.' || byte == b'_'
}

/// The name that was probably meant.
pub fn nearest(key: &str) -> Option<&'static str> {
    let own = properties().iter().map(|property| property.name.as_str());
    crate::client::nearest::nearest(key, own.chain(java::names()))
}

/// What the property takes, where librdkafka tells.
pub fn range(key: &str) -> Option<&'static str> {
    let property = properties().iter().find(|property| property.name == key)?;
    Some(property.range.as_str()).filter(|range| !range.is_empty())
}

/// Whether a number is beyond the range. librdkafka would cut it down to another.
pub fn is_beyond(value: &str, range: &str) -> bool {
    let max = range.split_once(" .. ").and_then(|(_, max)| max.parse::<i64>().ok());
    max.zip(value.trim().parse().ok()).is_some_and(|(max, value)| max < value)
}

/// Whether nobody should see its value on a screen.
pub fn is_secret(key: &str) -> bool {
    const PARTS: [&str; 7] =
        ["password", "passphrase", "secret", "jaas", "user.info", "key.pem", "keystore.key"];
    let is_token = key.contains("token") && key != "sasl.oauthbearer.token.endpoint.url";
    let is_config = ["sasl.oauthbearer.config", "sasl.oauthbearer.extensions"].contains(&key);
    is_token || is_config || PARTS.iter().any(|part| key.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn librdkafkas_table_is_read() {
        let find = |name| properties().iter().find(|property| property.name == name).unwrap();
        assert!(150 < properties().len());
        assert_eq!(find("linger.ms").alias_of.as_deref(), Some("queue.buffering.max.ms"));
        assert_eq!(find("ssl.endpoint.identification.algorithm").default, "https");
        assert_eq!((find("acks").default.as_str(), find("acks").is_text), ("-1", true));
        assert_eq!(find("linger.ms").range, "0 .. 900000");
        assert_eq!(find("client.id").range, "");
        assert!(!find("error_cb").is_text);
        assert_eq!(find("enable.idempotence").words, ["true", "false"]);
        let protocols = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];
        assert_eq!(find("security.protocol").words, protocols);
        assert!(find("linger.ms").words.is_empty() && find("client.id").words.is_empty());
        assert!(properties().iter().all(|property| property.name != "Property"));
    }

    #[test]
    fn a_number_beyond_its_range_is_seen() {
        let range = range("delivery.timeout.ms").unwrap();
        assert!(is_beyond("8640000000", range) && !is_beyond("2147483647", range));
        assert!(!is_beyond("soon", range) && !is_beyond("9", "none, gzip"));
    }

    #[test]
    fn the_nearest_name_is_found() {
        let check = |key, want: Option<&str>| assert_eq!(nearest(key), want, "{key}");
        check("sasl.pasword", Some("sasl.password"));
        check("linger", Some("linger.ms"));
        check("bootstrap.server", Some("bootstrap.servers"));
        check("BOOTSTRAP_SERVERS", Some("bootstrap.servers"));
        check("sasl.jass.config", Some("sasl.jaas.config"));
        check("no.such.property", None);
        check("x", None);
    }

    #[test]
    fn secrets_are_known() {
        let secrets = [
            "sasl.password",
            "ssl.key.password",
            "ssl.keystore.password",
            "ssl.key.pem",
            "sasl.jaas.config",
            "sasl.oauthbearer.client.secret",
            "sasl.oauthbearer.assertion.private.key.passphrase",
            "sasl.oauthbearer.assertion.private.key.pem",
            "basic.auth.user.info",
        ];
        assert!(secrets.into_iter().all(is_secret));
        for open in ["sasl.username", "ssl.key.location", "sasl.oauthbearer.token.endpoint.url"] {
            assert!(!is_secret(open), "{open}");
        }
    }
}
