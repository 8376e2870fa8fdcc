//! PLAIN: `[authorization id] NUL user NUL password` (RFC 4616), as PlainSaslServer.java reads it.
//! Never knows: who has which password.

use super::Failure;

/// Kafka stops counting here.
const PARTS_MAX: usize = 4;

pub fn check(token: &[u8], knows: impl FnOnce(&[u8], &[u8]) -> bool) -> Result<(), Failure> {
    let parts: Vec<&[u8]> = token.splitn(PARTS_MAX, |byte| *byte == 0).collect();
    let [identity, user, password] = parts[..] else { return Err(Failure::Parts(parts.len())) };
    if user.is_empty() {
        return Err(Failure::NoUser);
    }
    if password.is_empty() {
        return Err(Failure::NoPassword);
    }
    if !knows(user, password) {
        return Err(Failure::Password);
    }
    match identity.is_empty() || identity == user {
        true => Ok(()),
        false => Err(Failure::Identity),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_token(token: &str, want: Result<(), Failure>) {
        let knows = |user: &[u8], password: &[u8]| (user, password) == (b"u", b"p");
        assert_eq!(check(token.as_bytes(), knows), want, "{token:?}");
    }

    #[test]
    fn tokens_are_read_as_kafka_does() {
        check_token("\0u\0p", Ok(()));
        check_token("u\0u\0p", Ok(()));
        check_token("\0u\0q", Err(Failure::Password));
        check_token("\0v\0p", Err(Failure::Password));
        check_token("v\0u\0p", Err(Failure::Identity));
        check_token("v\0u\0q", Err(Failure::Password));
        check_token("\0\0p", Err(Failure::NoUser));
        check_token("\0u\0", Err(Failure::NoPassword));
        check_token("", Err(Failure::Parts(1)));
        check_token("u\0p", Err(Failure::Parts(2)));
        check_token("\0u\0p\0", Err(Failure::Parts(4)));
        check_token("\0u\0p\0\0\0", Err(Failure::Parts(4)));
    }
}
