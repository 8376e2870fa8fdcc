//! Who a client is: SASL's mechanisms as state machines, tokens in and tokens out.
//! Never knows: sockets, requests, how a token travels.

mod doorkeeper;
mod plain;
mod scram;

use std::fmt;

pub use doorkeeper::Doorkeeper;

use crate::protocol::scram::Hash;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Nobody who does not know the password already learns anything that helps (RFC 7677).
    Scram(Hash),
    /// The password itself (RFC 4616), for clients that know nothing else.
    Plain,
}

impl Mechanism {
    /// In the order in which a client should try them.
    pub const ALL: [Mechanism; 3] =
        [Mechanism::Scram(Hash::Sha256), Mechanism::Scram(Hash::Sha512), Mechanism::Plain];

    pub fn name(self) -> &'static str {
        match self {
            Mechanism::Scram(Hash::Sha256) => "SCRAM-SHA-256",
            Mechanism::Scram(Hash::Sha512) => "SCRAM-SHA-512",
            Mechanism::Plain => "PLAIN",
        }
    }

    pub fn named(name: &str) -> Option<Mechanism> {
        Mechanism::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }
}

/// How far a client has come with the mechanism that it named.
pub enum Exchange {
    /// Its first token is to come.
    Begun(Mechanism),
    /// It was asked for a proof.
    Challenged(scram::Challenged),
}

/// What a token leads to: one for the client, and more from it or not.
pub enum Step {
    Ask(Exchange, Vec<u8>),
    Welcome(Vec<u8>),
}

impl Exchange {
    /// `nonce` is fresh: no other exchange ever had it.
    pub fn step(self, token: &[u8], keeper: &Doorkeeper, nonce: &str) -> Result<Step, Failure> {
        match self {
            Exchange::Begun(Mechanism::Plain) => {
                plain::check(token, |_, password| keeper.knows(password))?;
                Ok(Step::Welcome(Vec::new()))
            }
            Exchange::Begun(Mechanism::Scram(hash)) => {
                let find = |user: &str| keeper.credential(hash, user);
                let (challenged, token) = scram::challenge(token, find, nonce)?;
                Ok(Step::Ask(Exchange::Challenged(challenged), token))
            }
            Exchange::Challenged(challenged) => challenged.check(token).map(Step::Welcome),
        }
    }

    pub fn mechanism(&self) -> Mechanism {
        match self {
            Exchange::Begun(mechanism) => *mechanism,
            Exchange::Challenged(challenged) => Mechanism::Scram(challenged.hash()),
        }
    }
}

/// Why a client is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It wants what is not offered.
    Mechanism,
    /// It speaks out of turn.
    Turn,
    /// A PLAIN token of so many parts.
    Parts(usize),
    NoUser,
    NoPassword,
    Password,
    /// It wants to act for somebody else.
    Identity,
    /// A SCRAM message that is none, or asks for what is not offered, such as channel binding.
    Message,
    User,
    Nonce,
    Binding,
    Proof,
}

impl Failure {
    /// What the client is told, in Kafka's words (PlainSaslServer.java and
    /// SaslServerAuthenticator.java). Of SCRAM's failures they tell none apart, not even whether
    /// there is such a user.
    pub fn told(self, mechanism: Mechanism) -> String {
        match self {
            Failure::Parts(count) => {
                format!("Invalid SASL/PLAIN response: expected 3 tokens, got {count}")
            }
            Failure::NoUser => "Authentication failed: username not specified".to_owned(),
            Failure::NoPassword => "Authentication failed: password not specified".to_owned(),
            Failure::Password => "Authentication failed: Invalid username or password".to_owned(),
            Failure::Identity => {
                "Authentication failed: Client requested an authorization id that \
                                  is different from username"
                    .to_owned()
            }
            _ => format!(
                "Authentication failed during authentication due to invalid credentials with SASL \
                 mechanism {}",
                mechanism.name()
            ),
        }
    }
}

/// For the log.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failure::Mechanism => "no such SASL mechanism",
            Failure::Turn => "a request out of turn",
            Failure::Parts(_) => "not a PLAIN token",
            Failure::NoUser => "no user name",
            Failure::NoPassword => "no password",
            Failure::Password => "wrong password",
            Failure::Identity => "an authorization id that is not its user name",
            Failure::Message => "not a SCRAM message of a kind that is served",
            Failure::User => "unknown user",
            Failure::Nonce => "wrong nonce",
            Failure::Binding => "wrong channel binding",
            Failure::Proof => "wrong proof",
        })
    }
}
