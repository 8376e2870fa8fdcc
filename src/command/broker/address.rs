//! `--listen [NAME://]HOST:PORT` and `--advertise HOST:PORT`.

use crate::broker::Listener;

/// Kafka's own port.
pub const PORT: u16 = 9092;

/// The listener of someone who typed none: both loopbacks, as far as the machine has them.
pub fn usual() -> Listener {
    Listener { host: "localhost".to_owned(), port: PORT, advertise: None }
}

/// Reads one `--listen`.
pub fn listener(text: &str) -> Result<Listener, String> {
    let (name, address) = match text.split_once("://") {
        Some((name, address)) => (name, address),
        None => ("PLAINTEXT", text),
    };
    if !name.eq_ignore_ascii_case("PLAINTEXT") {
        return Err(format!("no listener of the kind {name}; write PLAINTEXT://HOST:PORT"));
    }
    let (host, port) = host_and_port(address)?;
    Ok(Listener { host, port, advertise: None })
}

/// Reads `HOST:PORT`; an IPv6 address stands in brackets.
pub fn host_and_port(text: &str) -> Result<(String, u16), String> {
    let wrong = || format!("'{text}' is not an address; write HOST:PORT, as in 127.0.0.1:9092");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or_else(wrong)?,
        None if host.contains(':') => return Err(wrong()),
        None => host,
    };
    if host.is_empty() {
        return Err(format!("'{text}' names no host; 0.0.0.0:{port} listens on every address"));
    }
    let port = port.parse().map_err(|_| wrong())?;
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = match listener(text) {
            Ok(listener) => format!("{} {}", listener.host, listener.port),
            Err(error) => error,
        };
        assert_eq!(got, want, "{text}");
    }

    #[test]
    fn listeners_are_read_as_kafka_writes_them() {
        check("127.0.0.1:9092", "127.0.0.1 9092");
        check("localhost:0", "localhost 0");
        check("[::1]:9092", "::1 9092");
        check("PLAINTEXT://0.0.0.0:19092", "0.0.0.0 19092");
        check("plaintext://h:1", "h 1");
        check("SSL://h:1", "no listener of the kind SSL; write PLAINTEXT://HOST:PORT");
        check("::1:9092", "'::1:9092' is not an address; write HOST:PORT, as in 127.0.0.1:9092");
        check("9092", "'9092' is not an address; write HOST:PORT, as in 127.0.0.1:9092");
        check("h:66000", "'h:66000' is not an address; write HOST:PORT, as in 127.0.0.1:9092");
        check(":9092", "':9092' names no host; 0.0.0.0:9092 listens on every address");
    }
}
