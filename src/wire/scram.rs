//! SCRAM, the client's half (RFC 5802): shows that it knows the password without showing it, and
//! has the server show the same.
//! Never knows: sockets.

use std::fmt;

use crate::protocol::scram::{self, Hash, Keys, Salting};

/// Kafka lets no user have more (ScramControlManager.java). Whoever asks for millions wants our
/// time.
const ITERATIONS_MAX: u32 = 16_384;

/// Who comes.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    pub user: &'a str,
    pub password: &'a str,
    /// Letters that no login had before.
    pub nonce: &'a str,
}

/// Why a server is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproven {
    Message,
    Nonce,
    Iterations,
    Signature,
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unproven::Message => "its answer is none of SCRAM's",
            Unproven::Nonce => "its nonce is not ours continued",
            Unproven::Iterations => "it asks for too many iterations",
            Unproven::Signature => "its signature is wrong",
        })
    }
}

/// The beginning: the client's first message, and what to do with the server's.
pub struct Opening<'a> {
    hash: Hash,
    login: Login<'a>,
    bare: String,
}

/// The end: the client's last message, and what the server must answer.
pub struct Proof {
    pub message: String,
    signature: Vec<u8>,
}

impl<'a> Opening<'a> {
    pub fn new(hash: Hash, login: Login<'a>) -> Opening<'a> {
        let bare = format!("n={},r={}", scram::sasl_name(login.user), login.nonce);
        Opening { hash, login, bare }
    }

    pub fn message(&self) -> String {
        format!("n,,{}", self.bare)
    }

    pub fn prove(self, challenge: &[u8]) -> Result<Proof, Unproven> {
        let challenge = scram::text(challenge).ok_or(Unproven::Message)?;
        let attributes = scram::attributes(challenge, ['r', 's', 'i']);
        let ([nonce, salt, iterations], _) = attributes.ok_or(Unproven::Message)?;
        let theirs = nonce.strip_prefix(self.login.nonce).unwrap_or_default();
        if !scram::is_nonce(theirs) {
            return Err(Unproven::Nonce);
        }
        let salt = scram::from_base64(salt).ok_or(Unproven::Message)?;
        let iterations: u32 = iterations.parse().map_err(|_| Unproven::Message)?;
        if !(1..=ITERATIONS_MAX).contains(&iterations) {
            return Err(Unproven::Iterations);
        }
        let salting = Salting { salt, iterations };
        let keys = Keys::of(self.login.password, self.hash, salting);
        let without_proof = format!("c=biws,r={nonce}");
        let exchange = scram::exchange(&self.bare, challenge, &without_proof);
        let proof = scram::base64(&keys.proof(&exchange));
        let message = format!("{without_proof},p={proof}");
        Ok(Proof { message, signature: keys.credential.signature(&exchange) })
    }
}

impl Proof {
    pub fn check(&self, answer: &[u8]) -> Result<(), Unproven> {
        let answer = scram::text(answer).ok_or(Unproven::Message)?;
        let ([signature], _) = scram::attributes(answer, ['v']).ok_or(Unproven::Message)?;
        let signature = scram::from_base64(signature).ok_or(Unproven::Message)?;
        match scram::is_same(&signature, &self.signature) {
            true => Ok(()),
            false => Err(Unproven::Signature),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: Login<'static> =
        Login { user: "user", password: "pencil", nonce: "rOprNGfwEbeRWgbNEkqO" };
    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

    fn proof(challenge: &str) -> Result<Proof, Unproven> {
        Opening::new(Hash::Sha256, LOGIN).prove(challenge.as_bytes())
    }

    #[test]
    fn the_example_of_rfc_7677() {
        assert_eq!(
            Opening::new(Hash::Sha256, LOGIN).message(),
            format!("n,,n=user,r={}", LOGIN.nonce)
        );
        let challenge = format!("r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        let proof = proof(&challenge).map_err(|_| ()).unwrap();
        let want = format!("c=biws,r={NONCE},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        assert_eq!(proof.message, want);
        assert_eq!(proof.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Ok(()));
        for (answer, want) in [
            ("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G8=", Unproven::Signature),
            ("v=6rriTRBi23WpRR/wtup+", Unproven::Signature),
            ("v=", Unproven::Signature),
            ("v=?", Unproven::Message),
            ("", Unproven::Message),
            ("e=other-error", Unproven::Message),
            ("v", Unproven::Message),
            ("\u{1b}", Unproven::Message),
        ] {
            assert_eq!(proof.check(answer.as_bytes()), Err(want), "{answer}");
        }
    }

    #[track_caller]
    fn check_refused(challenge: &str, want: Unproven) {
        assert_eq!(proof(challenge).map(|proof| proof.message), Err(want), "{challenge}");
    }

    #[test]
    fn a_challenge_that_is_none_gets_no_proof() {
        for nonce in ["", "x", &NONCE[1..], LOGIN.nonce, "rOprNGfwEbeRWgbNEkqO "] {
            check_refused(&format!("r={nonce},s=c2FsdA==,i=4096"), Unproven::Nonce);
        }
        for iterations in ["0", "16385", "4294967295"] {
            check_refused(&format!("r={NONCE},s=c2FsdA==,i={iterations}"), Unproven::Iterations);
        }
        for iterations in ["", "-1", "1e3", "99999999999"] {
            check_refused(&format!("r={NONCE},s=c2FsdA==,i={iterations}"), Unproven::Message);
        }
        for challenge in ["", "r", "r=x", "e=other-error", "v=AAAA", "\0", "ü"] {
            check_refused(challenge, Unproven::Message);
        }
        check_refused(&format!("r={NONCE},s=?,i=4096"), Unproven::Message);
        check_refused(&format!("m=x,r={NONCE},s=c2FsdA==,i=4096"), Unproven::Message);
    }
}
