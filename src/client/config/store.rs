//! Java's stores of keys and certificates, turned into what librdkafka takes.
//! Never knows: which setting named a store.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use openssl::pkcs12::{ParsedPkcs12_2, Pkcs12};

/// A store of all the world's authorities has a few hundred KiB.
const STORE_BYTES_MAX: u64 = 16 << 20;
/// OpenSSL's PKCS12_R_MAC_VERIFY_FAILURE (openssl/pkcs12err.h).
const WRONG_PASSWORD: i32 = 113;
const PEM_COLUMNS: usize = 64;

/// Who vouches for brokers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorities {
    /// A file that librdkafka reads itself.
    File,
    /// Certificates out of a store, as PEM.
    Pem(String),
}

/// A client's own key and certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    Pem,
    Pkcs12,
}

enum Store {
    Pem,
    Pkcs12(Pkcs12),
}

/// The certificates of a trust store. Its content says what it is: Java's default type of a store
/// names both of its formats.
pub fn authorities(path: &str, password: &str) -> Result<Authorities, String> {
    match read(path)? {
        Store::Pem => Ok(Authorities::File),
        Store::Pkcs12(store) => {
            let parsed = open(path, &store, password, "ssl.truststore.password")?;
            let chain = parsed.ca.iter().flatten().map(|certificate| certificate.to_pem());
            let own = parsed.cert.iter().map(|certificate| certificate.to_pem());
            let pem: Result<Vec<Vec<u8>>, _> = own.chain(chain).collect();
            let pem = pem.map_err(|_| format!("{path} has a certificate that is broken"))?;
            let pem = String::from_utf8(pem.concat()).expect("PEM is ASCII");
            match pem.is_empty() {
                true => Err(format!("{path} has no certificates")),
                false => Ok(Authorities::Pem(pem)),
            }
        }
    }
}

/// What kind of key store it is; one that librdkafka could not open is an error.
pub fn identity(path: &str, password: &str) -> Result<Identity, String> {
    match read(path)? {
        Store::Pem => Ok(Identity::Pem),
        Store::Pkcs12(store) => {
            let parsed = open(path, &store, password, "ssl.keystore.password")?;
            match (parsed.pkey, parsed.cert) {
                (Some(_), Some(_)) => Ok(Identity::Pkcs12),
                _ => Err(format!("{path} has no private key with its certificate")),
            }
        }
    }
}

fn open(path: &str, store: &Pkcs12, password: &str, key: &str) -> Result<ParsedPkcs12_2, String> {
    store.parse2(password).map_err(|errors| {
        match errors.errors().iter().any(|error| error.reason_code() == WRONG_PASSWORD) {
            true => format!("{key} is not the password of {path}"),
            false => format!("{path} is encrypted in an old way; {}", keytool(path, ".new.p12")),
        }
    })
}

/// Whether a file or folder that librdkafka is to read is there.
pub fn readable(path: &str) -> Result<(), String> {
    File::open(path).map(drop).map_err(|error| format!("cannot read {path}: {error}"))
}

fn read(path: &str) -> Result<Store, String> {
    let bytes = bytes(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    let no_store = || format!("{path} is neither PEM nor PKCS12");
    match &bytes[..] {
        [] => Err(format!("{path} is empty")),
        bytes if STORE_BYTES_MAX < bytes.len() as u64 => {
            Err(format!("{path} is larger than 16 MiB; that is no store of certificates"))
        }
        // The magic numbers of JKS and JCEKS (JavaKeyStore.java, JceKeyStore.java).
        [0xfe, 0xed, 0xfe, 0xed, ..] | [0xce, 0xce, 0xce, 0xce, ..] => {
            Err(format!("{path} is a JKS store, which only Java reads; {}", keytool(path, ".p12")))
        }
        [0x30, ..] => Pkcs12::from_der(&bytes).map(Store::Pkcs12).map_err(|_| no_store()),
        bytes if bytes.windows(10).any(|part| part == b"-----BEGIN") => Ok(Store::Pem),
        _ => Err(no_store()),
    }
}

fn bytes(path: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(STORE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The line to run, and what to do then.
fn keytool(path: &str, ending: &str) -> String {
    let new = Path::new(path).with_extension("").to_string_lossy().into_owned() + ending;
    let (old, new) = (quoted(path), quoted(&new));
    format!(
        "run `keytool -importkeystore -srckeystore {old} -destkeystore {new} \
         -deststoretype PKCS12` and name {new}"
    )
}

/// As a shell takes it for one word.
fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@".contains(c);
    match path.chars().all(is_plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', "'\\''")),
    }
}

/// The blocks of a PEM text with their lines as OpenSSL wants them: a value of Java's often is one
/// long line. `None` where there is no block.
pub fn pem(text: &str) -> Option<String> {
    let mut pem = String::new();
    let mut rest = text;
    while let Some((_, begun)) = rest.split_once("-----BEGIN ") {
        let (label, body) = begun.split_once("-----")?;
        let (body, after) = body.split_once(&format!("-----END {label}-----"))?;
        pem += &format!("-----BEGIN {label}-----\n");
        // Headers, as of an old encrypted key, need their own lines.
        if body.contains(':') {
            pem += &format!("{}\n", body.trim());
        } else {
            let digits: Vec<char> = body.chars().filter(|c| !c.is_whitespace()).collect();
            for line in digits.chunks(PEM_COLUMNS) {
                pem.extend(line);
                pem.push('\n');
            }
        }
        pem += &format!("-----END {label}-----\n");
        rest = after;
    }
    (!pem.is_empty()).then_some(pem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_in_one_line_is_taken_apart() {
        let body = "A".repeat(70);
        let one_line = format!("-----BEGIN X-----{body}-----END X----- -----BEGIN Y-----\nB\n");
        let text = format!("# comment\n{one_line}-----END Y-----");
        let want = format!(
            "-----BEGIN X-----\n{}\nAAAAAA\n-----END X-----\n\
             -----BEGIN Y-----\nB\n-----END Y-----\n",
            "A".repeat(64)
        );
        assert_eq!(pem(&text), Some(want.clone()));
        assert_eq!(pem(&want), Some(want));
        for broken in ["", "no PEM", "-----BEGIN X-----AAAA", "-----BEGIN X"] {
            assert_eq!(pem(broken), None, "{broken}");
        }
    }

    #[test]
    fn the_keytool_line_can_be_pasted() {
        let said = keytool("/etc/my client.jks", ".p12");
        let names = "-srckeystore '/etc/my client.jks' -destkeystore '/etc/my client.p12'";
        assert!(said.contains(names), "{said}");
        assert!(keytool("a.jks", ".p12").contains("-destkeystore a.p12 "));
    }
}
