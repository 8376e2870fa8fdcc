//! TLS and logins out of the one binary, against a real Apache Kafka.

use std::fs;
use std::time::Duration;

use crate::harness::{Apache, Kaw, found, free_port};

const CERTIFICATES: &str = include_str!("secure.sh");

struct Secured {
    apache: Apache,
    ports: Vec<(&'static str, u16)>,
}

/// Each listener's name, its protocol, and the store that it shows.
const LISTENERS: [(&str, &str, &str); 6] = [
    ("tls", "SSL", "broker"),
    ("mutual", "SSL", "broker"),
    ("expired", "SSL", "expired"),
    ("elsewhere", "SSL", "elsewhere"),
    ("login", "SASL_SSL", "broker"),
    ("bare", "SASL_PLAINTEXT", "broker"),
];

impl Secured {
    fn start(kaw: &Kaw) -> Option<Secured> {
        found("openssl")?;
        found("keytool")?;
        kaw.sh(CERTIFICATES).run().ok();
        let ports: Vec<_> = LISTENERS.map(|(name, ..)| (name, free_port())).into();
        let own = "PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}";
        let mut listeners = own.to_owned();
        let mut protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned();
        let mut settings = Vec::new();
        for ((name, protocol, store), (_, port)) in LISTENERS.into_iter().zip(&ports) {
            listeners += &format!(",{}://127.0.0.1:{port}", name.to_uppercase());
            protocols += &format!(",{}:{protocol}", name.to_uppercase());
            let at = kaw.path(format!("{store}.pem"));
            settings.push(format!("listener.name.{name}.ssl.keystore.location={}", at.display()));
            settings.push(format!("listener.name.{name}.ssl.keystore.type=PEM"));
            if protocol.starts_with("SASL") {
                settings.extend(logins(name));
            }
        }
        settings.push(format!("listeners={listeners}"));
        settings.push(format!("listener.security.protocol.map={protocols}"));
        let trust = kaw.path("authority.pem");
        settings.push(format!("listener.name.mutual.ssl.truststore.location={}", trust.display()));
        settings.push("listener.name.mutual.ssl.truststore.type=PEM".to_owned());
        settings.push("listener.name.mutual.ssl.client.auth=required".to_owned());
        let scram = "--add-scram SCRAM-SHA-256=[name=alice,password=alice-secret] \
                     --add-scram SCRAM-SHA-512=[name=bob,password=bob-secret]";
        let apache = kaw.apache_with(&settings, scram)?;
        Some(Secured { apache, ports })
    }

    fn at(&self, name: &str) -> String {
        let (_, port) = self.ports.iter().find(|(is, _)| *is == name).unwrap();
        format!("127.0.0.1:{port}")
    }
}

/// How a listener lets users in.
fn logins(name: &str) -> Vec<String> {
    let package = "org.apache.kafka.common.security";
    let modules = [
        ("plain", "plain.PlainLoginModule required user_carol=\"carol\\\\\\\"s-secret\""),
        ("scram-sha-256", "scram.ScramLoginModule required"),
        ("scram-sha-512", "scram.ScramLoginModule required"),
        (
            "oauthbearer",
            "oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"admin\"",
        ),
    ];
    let jaas = modules.map(|(mechanism, module)| {
        format!("listener.name.{name}.{mechanism}.sasl.jaas.config={package}.{module};")
    });
    let enabled = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER";
    let enabled = format!("listener.name.{name}.sasl.enabled.mechanisms={enabled}");
    jaas.into_iter().chain([enabled]).collect()
}

it!(tls_and_logins_reach_an_apache_kafka, |kaw| {
    let Some(secured) = Secured::start(kaw) else { return };
    let show = |line: &str| {
        let done = kaw.cmd(line).stdin("a\n").run();
        eprintln!("$ {line}\n{}{}[{}] {:?}", done.out(), done.err(), done.code, done.took);
    };
    let at = |name| secured.at(name);
    let ssl = "-X security.protocol=ssl --connect-timeout 3s";
    let ca = "-X ssl.ca.location=authority.pem";
    show(&format!("produce t -b {} {ssl} {ca}", at("tls")));
    show(&format!("topic list -b {} {ssl}", at("tls")));
    show(&format!("topic list -b {} {ssl} -X ssl.ca.location=stranger.pem", at("tls")));
    show(&format!("topic list -b {} {ssl} -X ssl.ca.location=nowhere.pem", at("tls")));
    show(&format!("topic list -b {} {ssl} {ca}", at("expired")));
    show(&format!("topic list -b {} {ssl} {ca}", at("elsewhere")));
    show(&format!("topic list -b {} {ssl} {ca}", at("mutual")));
    show(&format!("topic list -b {} {ssl} {ca} -X ssl.keystore.location=client.p12 -X ssl.keystore.password=client-secret", at("mutual")));
    show(&format!("topic list -b {} {ssl} {ca} -X ssl.keystore.location=client.p12 -X ssl.keystore.password=wrong", at("mutual")));
    show(&format!("topic list -b {} {ssl} {ca}", secured.apache.address));
    show(&format!("topic list -b {} --connect-timeout 3s", at("tls")));
    show(&format!("topic list -b {} --connect-timeout 3s", at("bare")));
    show(&format!("topic list -b {} --connect-timeout 3s -X security.protocol=sasl_plaintext -X sasl.mechanism=PLAIN -X sasl.username=carol -X sasl.password=wrong", at("bare")));
    show(&format!("topic list -b {} --connect-timeout 3s -X security.protocol=sasl_plaintext -X sasl.mechanism=SCRAM-SHA-256 -X sasl.username=alice -X sasl.password=alice-secret", at("bare")));
    show(&format!("topic list -b {} --connect-timeout 3s -X security.protocol=sasl_plaintext -X sasl.mechanism=SCRAM-SHA-256 -X sasl.username=alice -X sasl.password=wrong", at("bare")));
    show(&format!("topic list -b {} --connect-timeout 3s -X security.protocol=sasl_plaintext -X sasl.mechanism=SCRAM-SHA-512 -X sasl.username=alice -X sasl.password=alice-secret", at("bare")));
    show(&format!("topic list -b {} --connect-timeout 3s -X security.protocol=sasl_plaintext -X sasl.mechanism=PLAIN -X sasl.username=alice -X sasl.password=alice-secret", at("tls")));
    show(&format!("topic list -b {} {ca} --connect-timeout 3s -X security.protocol=sasl_ssl -X sasl.mechanism=PLAIN -X sasl.username=carol -X sasl.password=alice-secret", at("tls")));
    show(&format!("topic list -b {} --connect-timeout 3s -X security.protocol=sasl_plaintext -X sasl.username=alice", at("tls")));
    show(&format!("topic list -b {} --connect-timeout 3s -X security.protocol=sasl_plaintext -X sasl.mechanism=PLAIN", at("bare")));
    show(&format!("topic list -b {} --connect-timeout 3s -X security.protocol=sasl_plaintext -X sasl.mechanism=OAUTHBEARER -X sasl.oauthbearer.token.endpoint.url=http://127.0.0.1:1/ -X sasl.oauthbearer.client.id=a -X sasl.oauthbearer.client.secret=b", at("bare")));
    show(&format!("topic list -b {} --connect-timeout 3s -X security.protocol=sasl_plaintext -X sasl.mechanism=OAUTHBEARER -X enable.sasl.oauthbearer.unsecure.jwt=true -X sasl.oauthbearer.config=principal=alice", at("bare")));
    panic!("look");
});
