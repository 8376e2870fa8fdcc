//! The settings of security as `wire` takes them, with librdkafka's meaning (rdkafka_ssl.c).
//! Never knows: what is asked for with them.

use std::fs;
use std::path::Path;

use openssl::base64::encode_block;
use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslContext, SslContextBuilder, SslMethod, SslOptions, SslVerifyMode};
use openssl::x509::X509;
use openssl::x509::verify::X509VerifyFlags;

use super::Config;
use crate::protocol::scram::Hash;
use crate::wire::{Access, Account, Mechanism, Names, Tls};

/// Where systems keep the certificates of authorities, in the order in which librdkafka looks.
const AUTHORITIES: [&str; 17] = [
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-bundle.crt",
    "/etc/pki/tls/certs/ca-bundle.trust.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/ssl/cert.pem",
    "/etc/ssl/cacert.pem",
    "/etc/certs/ca-certificates.crt",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/certs",
    "/usr/local/etc/ssl/cert.pem",
    "/usr/local/etc/ssl/cacert.pem",
    "/usr/local/etc/ssl/certs/cert.pem",
    "/usr/local/etc/ssl/certs/cacert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
    "/etc/openssl/certs/ca-certificates.crt",
];

/// What librdkafka's OpenSSL is extended with, and ours is not.
const EXTENSIONS: [&str; 3] = ["ssl.engine.location", "ssl.engine.id", "ssl.providers"];

const NONCE_BYTES: usize = 18;

/// Letters that no login had before.
pub fn nonce() -> String {
    let mut nonce = [0; NONCE_BYTES];
    openssl::rand::rand_bytes(&mut nonce).expect("the kernel has random bytes");
    encode_block(&nonce)
}

impl Config {
    /// The way in for `wire`; an error says why it has none.
    pub fn access(&self) -> Result<Access, String> {
        let protocol = self.said("security.protocol").unwrap_or("plaintext").to_lowercase();
        let is_tls = protocol.ends_with("ssl");
        Ok(Access {
            client_id: self.said("client.id").unwrap_or("kaw").to_owned(),
            tls: if is_tls { Some(self.tls()?) } else { None },
            account: if protocol.starts_with("sasl_") { Some(self.account()?) } else { None },
        })
    }

    fn account(&self) -> Result<Account, String> {
        let mechanism = self.said("sasl.mechanism").unwrap_or("GSSAPI");
        let mechanism = match mechanism.to_uppercase().as_str() {
            "PLAIN" => Mechanism::Plain,
            "SCRAM-SHA-256" => Mechanism::Scram(Hash::Sha256),
            "SCRAM-SHA-512" => Mechanism::Scram(Hash::Sha512),
            other => return Err(format!("only librdkafka can log in with {other}")),
        };
        let text = |key| self.get(key).unwrap_or_default().to_owned();
        Ok(Account { mechanism, user: text("sasl.username"), password: text("sasl.password") })
    }

    fn tls(&self) -> Result<Tls, String> {
        if let Some(key) = EXTENSIONS.into_iter().find(|key| self.said(key).is_some()) {
            return Err(format!("only librdkafka can use {key}"));
        }
        let algorithm = self.said("ssl.endpoint.identification.algorithm");
        let names = match algorithm {
            Some("none") => Names::Any,
            _ => Names::Checked,
        };
        let context = self.context().map_err(|error| {
            let reason = error.errors().last().and_then(|error| error.reason());
            format!("OpenSSL refuses ssl.*: {}", reason.unwrap_or("no reason given"))
        })?;
        Ok(Tls { context, names })
    }

    fn context(&self) -> Result<SslContext, ErrorStack> {
        let mut context = SslContextBuilder::new(SslMethod::tls_client())?;
        // As librdkafka does: a broker that hangs up is no attack.
        context.set_options(SslOptions::NO_SSLV3 | SslOptions::IGNORE_UNEXPECTED_EOF);
        let verified = self.said("enable.ssl.certificate.verification");
        let is_verified = !verified.is_some_and(|said| ["false", "f", "0"].contains(&said));
        context.set_verify(match is_verified {
            true => SslVerifyMode::PEER,
            false => SslVerifyMode::NONE,
        });
        if let Some(suites) = self.said("ssl.cipher.suites") {
            context.set_cipher_list(suites)?;
        }
        if let Some(curves) = self.said("ssl.curves.list") {
            context.set_groups_list(curves)?;
        }
        if let Some(algorithms) = self.said("ssl.sigalgs.list") {
            context.set_sigalgs_list(algorithms)?;
        }
        self.trust(&mut context)?;
        self.identify(&mut context)?;
        Ok(context.build())
    }

    /// Who vouches for brokers.
    fn trust(&self, context: &mut SslContextBuilder) -> Result<(), ErrorStack> {
        let location = self.said("ssl.ca.location").filter(|path| *path != "probe");
        let pem = self.said("ssl.ca.pem");
        if let Some(path) = location {
            load(context, path)?;
        }
        for certificate in pem.map_or(Ok(Vec::new()), |pem| X509::stack_from_pem(pem.as_bytes()))? {
            context.cert_store_mut().add_cert(certificate)?;
        }
        if location.is_none() && pem.is_none() {
            let mut there = AUTHORITIES.iter().filter(|path| Path::new(path).exists());
            let found = there.find_map(|path| load(context, path).ok());
            if found.is_none() {
                context.set_default_verify_paths()?;
            }
        }
        if let Some(path) = self.said("ssl.crl.location") {
            context.load_verify_locations(Some(Path::new(path)), None)?;
            context.cert_store_mut().set_flags(X509VerifyFlags::CRL_CHECK)?;
        }
        Ok(())
    }

    /// The client's own certificate and key.
    fn identify(&self, context: &mut SslContextBuilder) -> Result<(), ErrorStack> {
        if let Some(path) = self.said("ssl.keystore.location") {
            let password = self.get("ssl.keystore.password").unwrap_or_default();
            let store = Pkcs12::from_der(&bytes(path))?.parse2(password)?;
            show(context, store.cert.into_iter().chain(store.ca.into_iter().flatten()))?;
            if let Some(key) = store.pkey {
                context.set_private_key(&key)?;
            }
        }
        let text = |location, pem| match (self.said(location), self.said(pem)) {
            (_, Some(pem)) => Some(pem.as_bytes().to_vec()),
            (Some(path), None) => Some(bytes(path)),
            (None, None) => None,
        };
        if let Some(chain) = text("ssl.certificate.location", "ssl.certificate.pem") {
            show(context, X509::stack_from_pem(&chain)?)?;
        }
        if let Some(key) = text("ssl.key.location", "ssl.key.pem") {
            // With no password it would ask on the terminal.
            let password = self.get("ssl.key.password").unwrap_or_default();
            let key: PKey<Private> =
                PKey::private_key_from_pem_passphrase(&key, password.as_bytes())?;
            context.set_private_key(&key)?;
        }
        Ok(())
    }

    fn said(&self, key: &str) -> Option<&str> {
        self.get(key).filter(|value| !value.is_empty())
    }
}

/// Trusts what is in a file or folder.
fn load(context: &mut SslContextBuilder, path: &str) -> Result<(), ErrorStack> {
    let path = Path::new(path);
    match path.is_dir() {
        true => context.load_verify_locations(None, Some(path)),
        false => context.load_verify_locations(Some(path), None),
    }
}

/// Shows the first certificate, and after it those that vouch for it.
fn show(
    context: &mut SslContextBuilder,
    chain: impl IntoIterator<Item = X509>,
) -> Result<(), ErrorStack> {
    let mut chain = chain.into_iter();
    if let Some(own) = chain.next() {
        context.set_certificate(&own)?;
    }
    chain.try_for_each(|certificate| context.add_extra_chain_cert(certificate))
}

/// librdkafka has read the file when it started; should it be gone since, OpenSSL says the rest.
fn bytes(path: &str) -> Vec<u8> {
    fs::read(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(settings: &[(&str, &str)], want: &str) {
        let mut config = Config::new();
        for (key, value) in settings {
            config.set(key, value).unwrap();
        }
        let shown = match config.access() {
            Ok(Access { tls, account, .. }) => {
                let names = tls.map(|tls| tls.names);
                let account = account.map(|it| (it.mechanism, it.user, it.password));
                format!("{names:?} {account:?}")
            }
            Err(why) => why,
        };
        assert_eq!(shown, want, "{settings:?}");
    }

    #[test]
    fn settings_give_access() {
        let user = ("sasl.username", "a");
        let password = ("sasl.password", "b");
        let with = |protocol, mechanism| {
            [("security.protocol", protocol), ("sasl.mechanism", mechanism), user, password]
        };
        check(&[], "None None");
        // Neither of them has a say without its protocol.
        check(&with("PLAINTEXT", "PLAIN"), "None None");
        check(&with("SSL", "PLAIN"), "Some(Checked) None");
        check(&with("sasl_plaintext", "plain"), r#"None Some((Plain, "a", "b"))"#);
        check(
            &with("SASL_SSL", "SCRAM-SHA-512"),
            r#"Some(Checked) Some((Scram(Sha512), "a", "b"))"#,
        );
        let any = ("ssl.endpoint.identification.algorithm", "none");
        check(&[("security.protocol", "ssl"), any], "Some(Any) None");
        let bearer = with("SASL_PLAINTEXT", "OAUTHBEARER");
        check(&bearer, "only librdkafka can log in with OAUTHBEARER");
        let providers = [("security.protocol", "ssl"), ("ssl.providers", "legacy")];
        check(&providers, "only librdkafka can use ssl.providers");
        let suites = [("security.protocol", "ssl"), ("ssl.cipher.suites", "none-such")];
        check(&suites, "OpenSSL refuses ssl.*: no cipher match");
    }
}
