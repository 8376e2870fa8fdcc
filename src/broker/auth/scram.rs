//! SCRAM, the server's half (RFC 5802): as strict as ScramSaslServer.java, or as the RFC.
//! Never knows: where credentials come from.

use super::Failure;
use crate::protocol::scram::{self, Credential, Hash};

/// What a client says when it binds itself to no TLS channel and does not wonder that we offer
/// none. Kafka offers none either.
const NO_BINDING: &str = "n,";

/// A client that was asked for its proof.
pub struct Challenged {
    credential: Credential,
    /// What its last message must repeat.
    binding: String,
    nonce: String,
    first_bare: String,
    challenge: String,
}

/// Answers a client's first message, if there is such a user.
pub fn challenge(
    message: &[u8],
    find: impl FnOnce(&str) -> Option<Credential>,
    nonce: &str,
) -> Result<(Challenged, Vec<u8>), Failure> {
    let first = First::parse(message).ok_or(Failure::Message)?;
    let credential = find(&first.user).ok_or(Failure::User)?;
    if first.identity.is_some_and(|identity| identity != first.user) {
        return Err(Failure::Identity);
    }
    let nonce = format!("{}{nonce}", first.nonce);
    let (salt, iterations) =
        (scram::base64(&credential.salting.salt), credential.salting.iterations);
    let challenge = format!("r={nonce},s={salt},i={iterations}");
    let token = challenge.clone().into_bytes();
    let (binding, first_bare) = (first.binding.to_owned(), first.bare.to_owned());
    Ok((Challenged { credential, binding, nonce, first_bare, challenge }, token))
}

impl Challenged {
    pub fn hash(&self) -> Hash {
        self.credential.hash
    }

    /// Checks a client's last message; the answer proves that we know it too.
    pub fn check(self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let last = Last::parse(message).ok_or(Failure::Message)?;
        if last.nonce != self.nonce {
            return Err(Failure::Nonce);
        }
        if last.binding != self.binding.as_bytes() {
            return Err(Failure::Binding);
        }
        let exchange = scram::exchange(&self.first_bare, &self.challenge, last.without_proof);
        if !self.credential.accepts(&last.proof, &exchange) {
            return Err(Failure::Proof);
        }
        let signature = scram::base64(&self.credential.signature(&exchange));
        Ok(format!("v={signature}").into_bytes())
    }
}

/// `n,[a=IDENTITY],n=USER,r=NONCE[,EXTENSION=VALUE]…`
struct First<'a> {
    /// Up to and with the second comma.
    binding: &'a str,
    /// The rest.
    bare: &'a str,
    identity: Option<String>,
    user: String,
    nonce: &'a str,
}

impl<'a> First<'a> {
    fn parse(message: &'a [u8]) -> Option<First<'a>> {
        let message = scram::text(message)?;
        let (identity, bare) = message.strip_prefix(NO_BINDING)?.split_once(',')?;
        let binding = &message[..message.len() - bare.len()];
        let identity = match identity {
            "" => None,
            identity => Some(scram::user(identity.strip_prefix("a=")?)?),
        };
        let ([user, nonce], mut extensions) = scram::attributes(bare, ['n', 'r'])?;
        // A delegation token's id instead of a user (KIP-48). There are no tokens here.
        let is_token =
            |(name, value): (&str, &str)| name == "tokenauth" && value.eq_ignore_ascii_case("true");
        if extensions.any(is_token) || !scram::is_nonce(nonce) {
            return None;
        }
        Some(First { binding, bare, identity, user: scram::user(user)?, nonce })
    }
}

/// `c=BINDING,r=NONCE[,EXTENSION=VALUE]…,p=PROOF`
struct Last<'a> {
    binding: Vec<u8>,
    nonce: &'a str,
    without_proof: &'a str,
    proof: Vec<u8>,
}

impl<'a> Last<'a> {
    fn parse(message: &'a [u8]) -> Option<Last<'a>> {
        let (without_proof, proof) = scram::text(message)?.rsplit_once(",p=")?;
        let ([binding, nonce], _) = scram::attributes(without_proof, ['c', 'r'])?;
        let (binding, proof) = (scram::from_base64(binding)?, scram::from_base64(proof)?);
        Some(Last { binding, nonce, without_proof, proof })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::scram::{Keys, Salting};

    const PASSWORD: &str = "open sesame";

    fn keys(salt: &[u8], iterations: u32) -> Keys {
        Keys::of(PASSWORD, Hash::Sha256, Salting { salt: salt.to_vec(), iterations })
    }

    fn find(user: &str) -> Option<Credential> {
        (user == "a,b").then(|| keys(b"salt", 7).credential)
    }

    fn asked(first: &str) -> Result<(Challenged, String), Failure> {
        let (challenged, token) = challenge(first.as_bytes(), find, "server")?;
        Ok((challenged, String::from_utf8(token).unwrap()))
    }

    /// The last message of a client that has the password, for this challenge.
    fn last(first: &str, challenge: &str, without_proof: &str) -> String {
        let bare = first.splitn(3, ',').nth(2).unwrap();
        let proof = keys(b"salt", 7).proof(&scram::exchange(bare, challenge, without_proof));
        format!("{without_proof},p={}", scram::base64(&proof))
    }

    #[test]
    fn who_has_the_password_comes_in_and_sees_that_we_have_it() {
        let client = scram::base64(b"n,a=a=2Cb,");
        for (first, binding) in [
            ("n,,n=a=2Cb,r=client", "biws"),
            ("n,,n=a=2Cb,r=client,x=y,tokenauth=false", "biws"),
            ("n,a=a=2Cb,n=a=2Cb,r=client", &client),
        ] {
            let (challenged, challenge) = asked(first).map_err(|_| first).unwrap();
            assert_eq!(challenge, "r=clientserver,s=c2FsdA==,i=7");
            let without_proof = format!("c={binding},r=clientserver");
            let last = last(first, &challenge, &without_proof);
            let answer = String::from_utf8(challenged.check(last.as_bytes()).unwrap()).unwrap();
            let bare = first.splitn(3, ',').nth(2).unwrap();
            let exchange = scram::exchange(bare, &challenge, &without_proof);
            let signature = keys(b"salt", 7).credential.signature(&exchange);
            assert_eq!(answer, format!("v={}", scram::base64(&signature)));
        }
    }

    #[track_caller]
    fn check_first(first: &str, want: Failure) {
        assert_eq!(asked(first).map(|(_, token)| token), Err(want), "{first:?}");
    }

    #[test]
    fn a_first_message_that_is_none_is_refused() {
        check_first("n,,n=b,r=client", Failure::User);
        check_first("n,a=b,n=a=2Cb,r=client", Failure::Identity);
        for wrong in [
            "",
            "n",
            "n,,",
            "n,,n=a=2Cb",
            "n,,n=a=2Cb,r=",
            "n,,n=a=2Cb,r=cli ent",
            "n,,n=,r=client",
            "n,,n=a=b,r=client",
            "n,b,n=a=2Cb,r=client",
            "n,,n=ü,r=client",
            "n,,r=client,n=a=2Cb",
            "n,,n=a=2Cb,r=client,",
            // Channel binding: would be, must be.
            "y,,n=a=2Cb,r=client",
            "p=tls-unique,,n=a=2Cb,r=client",
            // What must be understood is not.
            "n,,m=x,n=a=2Cb,r=client",
            "n,,n=a=2Cb,r=client,tokenauth=True",
        ] {
            check_first(wrong, Failure::Message);
        }
    }

    #[track_caller]
    fn check_last(change: impl FnOnce(&str) -> String, want: Failure) {
        let first = "n,,n=a=2Cb,r=client";
        let (challenged, challenge) = asked(first).map_err(|_| ()).unwrap();
        let changed = change(&last(first, &challenge, "c=biws,r=clientserver"));
        assert_eq!(challenged.check(changed.as_bytes()), Err(want), "{changed:?}");
    }

    #[test]
    fn a_last_message_proves_nothing_else() {
        check_last(|last| last.replace("r=clientserver", "r=client"), Failure::Nonce);
        check_last(|last| last.replace("r=clientserver", "r=clientserver2"), Failure::Nonce);
        check_last(|last| last.replace("c=biws", "c=eSws"), Failure::Binding);
        check_last(|last| last.replace(",p=", ",x=y,p="), Failure::Proof);
        check_last(|last| last.replace(",p=", ",p=AAAA"), Failure::Proof);
        check_last(|last| last[..last.len() - 4].to_owned(), Failure::Proof);
        check_last(|last| last.split(",p=").next().unwrap().to_owned() + ",p=", Failure::Proof);
        check_last(|last| last.split(",p=").next().unwrap().to_owned(), Failure::Message);
        check_last(|last| format!("{last}?"), Failure::Message);
        check_last(|last| format!("m=x,{last}"), Failure::Message);
        check_last(|_| String::new(), Failure::Message);
        check_last(|_| "n,,n=a=2Cb,r=client".to_owned(), Failure::Message);
    }

    proptest! {
        #[test]
        fn random_tokens_are_refused(token in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(challenge(&token, find, "server").is_err());
            let (challenged, _) = asked("n,,n=a=2Cb,r=client").map_err(|_| ()).unwrap();
            prop_assert!(challenged.check(&token).is_err());
        }
    }
}
