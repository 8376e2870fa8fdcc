//! Who may come in by the door of a data directory: whoever knows its secret.
//! Never knows: how they show it.

use crate::broker::home;
use crate::protocol::scram::{Credential, Hash, Keys, Salting, is_same};

/// Iterations make the guessing of a password costly. There is no guessing 32 random bytes, and
/// every connection of librdkafka's would pay for them: 4096 cost it 5 ms.
const ITERATIONS: u32 = 1;

const SALT_BYTES: usize = 16;

pub struct Doorkeeper {
    secret: home::Secret,
    /// Names this door: see `home::user`.
    user: String,
    salt: Vec<u8>,
}

impl Doorkeeper {
    pub fn new(secret: home::Secret, port: u16) -> Doorkeeper {
        let salt = home::random_word(SALT_BYTES).into_bytes();
        Doorkeeper { secret, user: home::user(port), salt }
    }

    /// Users of the catalogue (UserScramCredentialRecord) will be found here too.
    pub fn credential(&self, hash: Hash, user: &str) -> Option<Credential> {
        let salting = Salting { salt: self.salt.clone(), iterations: ITERATIONS };
        (user == self.user).then(|| Keys::of(self.secret.reveal(), hash, salting).credential)
    }

    /// Whether this is the secret; with it one user's name is as good as another's.
    pub fn knows(&self, password: &[u8]) -> bool {
        is_same(password, self.secret.reveal().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_knows_those_who_want_this_door() {
        let keeper = Doorkeeper::new(home::Secret::new("open sesame"), 21_300);
        assert!(keeper.credential(Hash::Sha256, &home::user(21_300)).is_some());
        for other in [&home::user(21_301), "kaw", ""] {
            assert!(keeper.credential(Hash::Sha256, other).is_none(), "{other}");
        }
        assert!(keeper.knows(b"open sesame") && !keeper.knows(b"open") && !keeper.knows(b""));
    }
}
