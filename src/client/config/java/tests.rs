//! The table of Java's settings and librdkafka's.

use super::*;
use crate::client::config::{known, properties};

/// What becomes of some settings, given together as in one file.
#[track_caller]
fn check(given: &[(&str, &str)], want: &str) {
    let other = |key: &str| given.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
    let mut said = Vec::new();
    for (key, value) in given {
        match translate(key, value, &other) {
            Err(why) => said.push(format!("{key}: {why}")),
            Ok(None) => said.push(format!("{key}={value}")),
            Ok(Some(all)) => said.extend(all.iter().map(|(key, value)| format!("{key}={value}"))),
        }
    }
    assert_eq!(said.join(" "), want, "{given:?}");
}

#[test]
fn plain_settings_are_put_into_librdkafkas_words() {
    let table = [
        ("acks", "all", "acks=all"),
        ("buffer.memory", "33554432", "queue.buffering.max.kbytes=32768"),
        ("buffer.memory", "100", "queue.buffering.max.kbytes=1"),
        ("buffer.memory", "much", "buffer.memory: 'much' is no number"),
        ("send.buffer.bytes", "-1", "socket.send.buffer.bytes=0"),
        ("receive.buffer.bytes", "65536", "socket.receive.buffer.bytes=65536"),
        ("connections.max.idle.ms", "-1", "connections.max.idle.ms=0"),
        ("max.request.size", "2000000", "message.max.bytes=2000000"),
        ("fetch.max.wait.ms", "100", "fetch.wait.max.ms=100"),
        ("batch.size", "0", "batch.size=1"),
        ("batch.size", "16384", "batch.size=16384"),
        ("auto.offset.reset", "none", "auto.offset.reset=error"),
        ("auto.offset.reset", "earliest", "auto.offset.reset=earliest"),
        ("auto.offset.reset", "by_duration:PT1H", ""),
        ("partitioner.ignore.keys", "true", "partitioner=random"),
        ("client.dns.lookup", "default", ""),
        ("client.dns.lookup", "use_all_dns_ips", "client.dns.lookup=use_all_dns_ips"),
        ("key.serializer", "org.x.StringSerializer", ""),
        ("schema.registry.url", "http://h", ""),
        ("sasl.kerberos.service.name", "kafka", ""),
        ("ssl.endpoint.identification.algorithm", "", "ssl.endpoint.identification.algorithm=none"),
        ("ssl.truststore.location", "", ""),
        (
            "bootstrap.controllers",
            "h:1",
            "bootstrap.controllers: kaw talks to brokers; set bootstrap.servers",
        ),
    ];
    for (key, value, want) in table {
        check(&[(key, value)], want);
    }
    let level = ("compression.zstd.level", "7");
    check(&[level, ("compression.type", "zstd")], "compression.level=7 compression.type=zstd");
    check(&[level, ("compression.type", "gzip")], "compression.type=gzip");
}

#[test]
fn assignors_have_names_instead_of_classes() {
    let check = |value, want| check(&[("partition.assignment.strategy", value)], want);
    let package = "org.apache.kafka.clients.consumer.";
    let both = format!("{package}RangeAssignor,{package}CooperativeStickyAssignor");
    check(&both, "partition.assignment.strategy=range");
    let cooperative = format!("{package}CooperativeStickyAssignor");
    check(&cooperative, "partition.assignment.strategy=cooperative-sticky");
    let eager = format!("{package}RoundRobinAssignor, {package}RangeAssignor");
    check(&eager, "partition.assignment.strategy=roundrobin,range");
    check("org.apache.kafka.clients.consumer.StickyAssignor", "");
    check("range", "partition.assignment.strategy=range");
}

#[test]
fn cipher_suites_have_openssls_names() {
    let check = |value, want| check(&[("ssl.cipher.suites", value)], want);
    check(
        "TLS_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "ssl.cipher.suites=ECDHE-RSA-AES128-GCM-SHA256",
    );
    check("ECDHE-RSA-AES128-GCM-SHA256:HIGH", "ssl.cipher.suites=ECDHE-RSA-AES128-GCM-SHA256:HIGH");
    check("TLS_X", "ssl.cipher.suites: OpenSSL has no cipher suite 'TLS_X'");
}

#[test]
fn login_modules_become_users_and_tokens() {
    let check = |given: &[(&str, &str)], want| check(given, want);
    let jaas = "sasl.jaas.config";
    let user = "sasl.username=u sasl.password=p w";
    check(&[(jaas, "a.PlainLoginModule required username=u password=\"p w\";")], user);
    check(&[(jaas, "a.ScramLoginModule required username=\"u\" password='p w';")], user);
    check(
        &[(jaas, "a.PlainLoginModule required username=u;")],
        "sasl.jaas.config: PlainLoginModule has no password=\"…\"",
    );
    check(
        &[(jaas, "a.ScramLoginModule required username=u password=p tokenauth=true;")],
        "sasl.jaas.config: librdkafka cannot log in with a delegation token",
    );
    check(
        &[(jaas, "com.sun.Krb5LoginModule required keyTab=\"x\";")],
        "sasl.jaas.config: Kerberos is not built in",
    );
    check(
        &[(jaas, "a.IAMLoginModule required;")],
        "sasl.jaas.config: login module IAMLoginModule is not known; \
         use PlainLoginModule, ScramLoginModule or OAuthBearerLoginModule",
    );
}

#[test]
fn bearer_tokens_come_from_an_endpoint() {
    let module = "o.OAuthBearerLoginModule required";
    let client =
        format!("{module} clientId=\"c\" clientSecret=\"s\" scope=\"x\" extension_a=\"b\";");
    let url = ("sasl.oauthbearer.token.endpoint.url", "https://h/token");
    check(
        &[("sasl.jaas.config", &client), url],
        "sasl.oauthbearer.client.id=c sasl.oauthbearer.client.secret=s sasl.oauthbearer.scope=x \
         sasl.oauthbearer.extensions=a=b sasl.oauthbearer.token.endpoint.url=https://h/token \
         sasl.oauthbearer.method=oidc",
    );
    let own = ("sasl.oauthbearer.method", "default");
    let untouched = "sasl.oauthbearer.token.endpoint.url=https://h/token \
                     sasl.oauthbearer.method=default";
    check(&[url, own], untouched);
    check(
        &[("sasl.jaas.config", &client)],
        "sasl.jaas.config: it needs sasl.oauthbearer.token.endpoint.url too",
    );
    let unsecured = format!("{module} unsecuredLoginStringClaim_sub=\"alice\";");
    check(
        &[("sasl.jaas.config", &unsecured)],
        "enable.sasl.oauthbearer.unsecure.jwt=true sasl.oauthbearer.config=principal=alice",
    );
    check(
        &[("sasl.oauthbearer.jwt.retriever.class", "o.JwtBearerJwtRetriever")],
        "sasl.oauthbearer.grant.type=urn:ietf:params:oauth:grant-type:jwt-bearer",
    );
}

#[test]
fn inline_pem_gets_its_lines_back() {
    let certificate = "-----BEGIN CERTIFICATE-----AAAA-----END CERTIFICATE-----";
    let want = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    check(&[("ssl.truststore.certificates", certificate)], &format!("ssl.ca.pem={want}"));
    let chain = ("ssl.keystore.certificate.chain", certificate);
    check(&[chain], &format!("ssl.certificate.pem={want}"));
    let broken = "ssl.keystore.key: there is no PEM block in it";
    check(&[("ssl.keystore.key", "secret")], broken);
}

#[test]
fn every_name_is_on_one_side_only() {
    for name in names() {
        assert!(!known(name), "librdkafka has {name} too");
        assert!(!is_shared(name), "{name} is in two lists");
    }
    for name in SHARED.split_whitespace() {
        assert!(known(name), "librdkafka has no {name}");
    }
    assert!(properties().iter().all(|property| !is_javas_alone(&property.name)));
}

#[test]
fn what_becomes_of_a_setting_is_librdkafkas() {
    for name in TRANSLATED.split_whitespace() {
        // Most want a value of their own kind.
        let Ok(Some(properties)) = translate(name, "1", &|_| Some("zstd")) else { continue };
        for (key, _) in properties {
            assert!(known(key), "{name} becomes {key}");
        }
    }
}
