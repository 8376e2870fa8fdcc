//! SCRAM's keys and the grammar of its messages (RFC 5802, RFC 7677), for client and server alike.
//! Never knows: which of the two it is, or whose password it is.
//!
//! ```text
//! client  n,,n=USER,r=NONCE              a nonce of the client's
//! server  r=NONCE,s=SALT,i=ITERATIONS    the same, continued by the server
//! client  c=biws,r=NONCE,p=PROOF         of the password, for these messages alone
//! server  v=SIGNATURE                    of its knowing the keys, for these messages alone
//! ```
//! The password is never sent, and what is sent is of no use in another exchange.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    /// What SASL calls SCRAM with it.
    pub fn mechanism(self) -> &'static str {
        match self {
            Hash::Sha256 => "SCRAM-SHA-256",
            Hash::Sha512 => "SCRAM-SHA-512",
        }
    }

    fn mac(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha256 => mac::<Hmac<Sha256>>(key, text),
            Hash::Sha512 => mac::<Hmac<Sha512>>(key, text),
        }
    }

    fn digest(self, text: &[u8]) -> Vec<u8> {
        match self {
            Hash::Sha256 => Sha256::digest(text).to_vec(),
            Hash::Sha512 => Sha512::digest(text).to_vec(),
        }
    }

    fn salted(self, password: &str, salting: &Salting) -> Vec<u8> {
        let (password, salt, rounds) = (password.as_bytes(), &salting.salt, salting.iterations);
        let mut salted = self.digest(b"");
        let filled = match self {
            Hash::Sha256 => pbkdf2::pbkdf2::<Hmac<Sha256>>(password, salt, rounds, &mut salted),
            Hash::Sha512 => pbkdf2::pbkdf2::<Hmac<Sha512>>(password, salt, rounds, &mut salted),
        };
        filled.expect("HMAC takes a key of any length");
        salted
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Vec<u8> {
    let keyed = <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    keyed.chain_update(text).finalize().into_bytes().to_vec()
}

/// How a password is made into keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salting {
    pub salt: Vec<u8>,
    pub iterations: u32,
}

/// What a server keeps of a password: enough to know who has it, not enough to pass for them.
#[derive(Clone)]
pub struct Credential {
    pub hash: Hash,
    pub salting: Salting,
    pub stored_key: Vec<u8>,
    pub server_key: Vec<u8>,
}

impl Credential {
    /// Whether the proof is of someone who has the password. Takes as long for a near miss as for
    /// a far one.
    pub fn accepts(&self, proof: &[u8], exchange: &str) -> bool {
        let signature = self.hash.mac(&self.stored_key, exchange.as_bytes());
        let client_key = exclusive_or(&signature, proof);
        is_same(&self.hash.digest(&client_key), &self.stored_key)
    }

    /// What only someone who has these keys can say of an exchange.
    pub fn signature(&self, exchange: &str) -> Vec<u8> {
        self.hash.mac(&self.server_key, exchange.as_bytes())
    }
}

/// What someone who has the password can make of it.
pub struct Keys {
    client_key: Vec<u8>,
    pub credential: Credential,
}

impl Keys {
    pub fn of(password: &str, hash: Hash, salting: Salting) -> Keys {
        let salted = hash.salted(password, &salting);
        let client_key = hash.mac(&salted, b"Client Key");
        let stored_key = hash.digest(&client_key);
        let server_key = hash.mac(&salted, b"Server Key");
        Keys { client_key, credential: Credential { hash, salting, stored_key, server_key } }
    }

    pub fn proof(&self, exchange: &str) -> Vec<u8> {
        let Credential { hash, stored_key, .. } = &self.credential;
        exclusive_or(&hash.mac(stored_key, exchange.as_bytes()), &self.client_key)
    }
}

/// What proof and signature are made of: both nonces, so neither is good for another exchange.
pub fn exchange(first_bare: &str, challenge: &str, final_without_proof: &str) -> String {
    format!("{first_bare},{challenge},{final_without_proof}")
}

/// As long as the shorter.
fn exclusive_or(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

/// Takes as long for a near miss as for a far one.
pub fn is_same(a: &[u8], b: &[u8]) -> bool {
    let differing = a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b));
    a.len() == b.len() && std::hint::black_box(differing) == 0
}

pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// A message's text, where it can be one: Kafka takes ASCII without NUL (ScramMessages.java).
pub fn text(message: &[u8]) -> Option<&str> {
    let text = str::from_utf8(message).ok()?;
    text.bytes().all(|byte| (1..=0x7f).contains(&byte)).then_some(text)
}

/// The values of a message whose attributes begin with these names, in this order, and its
/// extensions, which follow.
pub fn attributes<'a, const N: usize>(
    text: &'a str,
    names: [char; N],
) -> Option<([&'a str; N], impl Iterator<Item = (&'a str, &'a str)> + use<'a, N>)> {
    let mut all = text.split(',');
    let mut values = [""; N];
    for (value, name) in values.iter_mut().zip(names) {
        *value = all.next()?.strip_prefix(name)?.strip_prefix('=')?;
    }
    let is_extension = |part: &str| {
        part.split_once('=').is_some_and(|(name, value)| {
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic());
            is_name && !value.is_empty()
        })
    };
    let rest = all.clone().all(is_extension).then_some(all)?;
    Some((values, rest.filter_map(|part| part.split_once('='))))
}

/// A nonce is printable.
pub fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

/// A user as a message names it.
pub fn sasl_name(user: &str) -> String {
    user.replace('=', "=3D").replace(',', "=2C")
}

/// The user that a message names.
pub fn user(sasl_name: &str) -> Option<String> {
    let mut parts = sasl_name.split('=');
    let mut user = parts.next()?.to_owned();
    for part in parts {
        let (escaped, rest) = part.split_at_checked(2)?;
        user.push(match escaped {
            "2C" => ',',
            "3D" => '=',
            _ => return None,
        });
        user.push_str(rest);
    }
    (!user.is_empty()).then_some(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_example(hash: Hash, salt: &str, [nonce, proof, signature]: [&str; 3]) {
        let salting = Salting { salt: from_base64(salt).unwrap(), iterations: 4096 };
        let keys = Keys::of("pencil", hash, salting);
        let challenge = format!("r={nonce},s={salt},i=4096");
        let bare = "n=user,r=rOprNGfwEbeRWgbNEkqO";
        let exchange = exchange(bare, &challenge, &format!("c=biws,r={nonce}"));
        assert_eq!(base64(&keys.proof(&exchange)), proof);
        assert_eq!(base64(&keys.credential.signature(&exchange)), signature);
        assert!(keys.credential.accepts(&from_base64(proof).unwrap(), &exchange));
        let mut near = from_base64(proof).unwrap();
        near[0] ^= 1;
        for wrong in [&near[..], &near[1..], &[]] {
            assert!(!keys.credential.accepts(wrong, &exchange));
        }
    }

    #[test]
    fn the_example_of_rfc_7677() {
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let signature = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        check_example(Hash::Sha256, "W22ZaJ0SNY7soEsUEjb6gQ==", [nonce, proof, signature]);
        // There is none for SHA-512; this is what Python's hashlib makes of the same.
        let proof = "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXY\
                     TxwnYPJQ==";
        let signature = "ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq19\
                         9RVG2rR7N7Zw==";
        check_example(Hash::Sha512, "W22ZaJ0SNY7soEsUEjb6gQ==", [nonce, proof, signature]);
    }

    #[test]
    fn names_go_there_and_back() {
        for (plain, sasl) in [("kaw", "kaw"), ("a,b=c", "a=2Cb=3Dc"), ("=2C", "=3D2C")] {
            assert_eq!(sasl_name(plain), sasl);
            assert_eq!(user(sasl).as_deref(), Some(plain));
        }
        for wrong in ["", "a=", "a=2", "a=2c", "=ü"] {
            assert_eq!(user(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn attributes_are_in_their_order() {
        let parsed =
            |text| attributes(text, ['n', 'r']).map(|(values, rest)| (values, rest.count()));
        assert_eq!(parsed("n=u,r=x=y"), Some((["u", "x=y"], 0)));
        assert_eq!(parsed("n=u,r=x,ext=1,y=="), Some((["u", "x"], 2)));
        for wrong in ["", "n=u", "r=x,n=u", "m=1,n=u,r=x", "n=u,r=x,", "n=u,r=x,1=2", "n=u,r=x,a="]
        {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn secrets_are_compared_whole() {
        assert!(is_same(b"secret", b"secret"));
        assert!(!is_same(b"secre", b"secret"));
        assert!(!is_same(b"secreT", b"secret"));
    }
}
