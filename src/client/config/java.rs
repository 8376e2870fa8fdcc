//! The settings of Java's clients in librdkafka's words.
//! Never knows: where a setting came from.

use super::jaas::Login;
use super::store::{self, Authorities, Identity};

/// What both have under one name and with one meaning.
const SHARED: &str = "
    acks allow.auto.create.topics auto.commit.interval.ms auto.offset.reset batch.size
    bootstrap.servers check.crcs client.dns.lookup client.id client.rack compression.type
    connections.max.idle.ms delivery.timeout.ms enable.auto.commit enable.idempotence
    enable.metrics.push fetch.max.bytes fetch.min.bytes group.id group.instance.id group.protocol
    group.remote.assignor heartbeat.interval.ms isolation.level linger.ms
    max.in.flight.requests.per.connection max.partition.fetch.bytes max.poll.interval.ms
    metadata.max.age.ms metadata.recovery.rebootstrap.trigger.ms metadata.recovery.strategy
    partition.assignment.strategy reconnect.backoff.max.ms reconnect.backoff.ms request.timeout.ms
    retries retry.backoff.max.ms retry.backoff.ms sasl.kerberos.kinit.cmd
    sasl.kerberos.min.time.before.relogin sasl.kerberos.service.name sasl.mechanism
    sasl.oauthbearer.assertion.algorithm sasl.oauthbearer.assertion.claim.aud
    sasl.oauthbearer.assertion.claim.exp.seconds sasl.oauthbearer.assertion.claim.iss
    sasl.oauthbearer.assertion.claim.jti.include sasl.oauthbearer.assertion.claim.nbf.seconds
    sasl.oauthbearer.assertion.claim.sub sasl.oauthbearer.assertion.file
    sasl.oauthbearer.assertion.private.key.file sasl.oauthbearer.assertion.private.key.passphrase
    sasl.oauthbearer.client.credentials.client.id sasl.oauthbearer.client.credentials.client.secret
    sasl.oauthbearer.scope sasl.oauthbearer.token.endpoint.url security.protocol session.timeout.ms
    socket.connection.setup.timeout.ms ssl.cipher.suites ssl.endpoint.identification.algorithm
    ssl.key.password ssl.keystore.location ssl.keystore.password transaction.timeout.ms
    transactional.id";

/// What Java alone has and `translate` puts into librdkafka's words.
const TRANSLATED: &str = "
    bootstrap.controllers buffer.memory compression.gzip.level compression.lz4.level
    compression.zstd.level config.providers fetch.max.wait.ms max.request.size
    partitioner.ignore.keys receive.buffer.bytes sasl.jaas.config
    sasl.oauthbearer.jwt.retriever.class send.buffer.bytes ssl.keystore.certificate.chain
    ssl.keystore.key ssl.keystore.type ssl.truststore.certificates ssl.truststore.location
    ssl.truststore.password ssl.truststore.type";

/// What Java alone has and a command line has no use for.
const OF_NO_USE: &str = "
    auto.include.jmx.reporter default.api.timeout.ms exclude.internal.topics interceptor.classes
    internal.throw.on.fetch.stable.offset.unsupported key.deserializer key.serializer max.block.ms
    max.poll.records metadata.max.idle.ms metric.reporters metrics.num.samples
    metrics.recording.level metrics.sample.window.ms partitioner.adaptive.partitioning.enable
    partitioner.availability.timeout.ms partitioner.class sasl.client.callback.handler.class
    sasl.kerberos.ticket.renew.jitter sasl.kerberos.ticket.renew.window.factor
    sasl.login.callback.handler.class sasl.login.class sasl.login.connect.timeout.ms
    sasl.login.read.timeout.ms sasl.login.refresh.buffer.seconds
    sasl.login.refresh.min.period.seconds sasl.login.refresh.window.factor
    sasl.login.refresh.window.jitter sasl.login.retry.backoff.max.ms sasl.login.retry.backoff.ms
    sasl.oauthbearer.assertion.template.file sasl.oauthbearer.clock.skew.seconds
    sasl.oauthbearer.expected.audience sasl.oauthbearer.expected.issuer
    sasl.oauthbearer.header.urlencode sasl.oauthbearer.jwks.endpoint.refresh.ms
    sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms
    sasl.oauthbearer.jwks.endpoint.retry.backoff.ms sasl.oauthbearer.jwks.endpoint.url
    sasl.oauthbearer.jwt.validator.class sasl.oauthbearer.scope.claim.name
    sasl.oauthbearer.sub.claim.name security.providers share.acknowledgement.mode
    share.acquire.mode socket.connection.setup.timeout.max.ms ssl.enabled.protocols
    ssl.engine.factory.class ssl.keymanager.algorithm ssl.protocol ssl.provider
    ssl.secure.random.implementation ssl.trustmanager.algorithm
    transaction.two.phase.commit.enable value.deserializer value.serializer";

/// Settings of what other programs read from the same files: a schema registry, monitoring.
const OF_OTHERS: [&str; 4] = ["schema.registry.", "basic.auth.", "bearer.auth.", "confluent."];

/// Whether Java's clients and librdkafka both have it.
pub fn is_shared(key: &str) -> bool {
    is_in(SHARED, key)
}

/// Whether Java's clients have it and librdkafka has not.
pub fn is_javas_alone(key: &str) -> bool {
    is_in(TRANSLATED, key) || is_of_no_use(key)
}

/// Whether it may stand in a file and says nothing to kaw.
pub fn is_of_no_use(key: &str) -> bool {
    is_in(OF_NO_USE, key) || OF_OTHERS.iter().any(|prefix| key.starts_with(prefix))
}

/// What Java's clients alone have, for suggestions.
pub fn names() -> impl Iterator<Item = &'static str> {
    TRANSLATED.split_whitespace().chain(OF_NO_USE.split_whitespace())
}

fn is_in(names: &str, key: &str) -> bool {
    names.split_whitespace().any(|name| name == key)
}

/// Where librdkafka names no file that is missing, only itself.
const FILES: [&str; 5] = [
    "https.ca.location",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.crl.location",
    "ssl.key.location",
];

const COOPERATIVE: &str = "cooperative-sticky";

/// Properties of librdkafka's.
pub type Properties = Vec<(&'static str, String)>;

/// A setting in librdkafka's words: none where they have nothing for it, `None` where it is
/// librdkafka's already. `other` looks up what else is set. No error has a secret in it.
pub fn translate<'a>(
    key: &str,
    value: &str,
    other: &dyn Fn(&str) -> Option<&'a str>,
) -> Result<Option<Properties>, String> {
    let given = |key| other(key).unwrap_or_default();
    let name = |name: &'static str| Ok(vec![(name, value.to_owned())]);
    let properties = match key {
        "bootstrap.controllers" => Err("kaw talks to brokers; set bootstrap.servers".to_owned()),
        "config.providers" => Err("kaw asks no providers; write the values themselves".to_owned()),
        "buffer.memory" => number(value)
            .map(|bytes| vec![("queue.buffering.max.kbytes", (bytes / 1024).max(1).to_string())]),
        "send.buffer.bytes" => none_is_zero("socket.send.buffer.bytes", value),
        "receive.buffer.bytes" => none_is_zero("socket.receive.buffer.bytes", value),
        "connections.max.idle.ms" => none_is_zero("connections.max.idle.ms", value),
        "batch.size" if value == "0" => Ok(vec![("batch.size", "1".to_owned())]),
        "max.request.size" => name("message.max.bytes"),
        "fetch.max.wait.ms" => name("fetch.wait.max.ms"),
        "compression.gzip.level" => level("gzip", value, given("compression.type")),
        "compression.lz4.level" => level("lz4", value, given("compression.type")),
        "compression.zstd.level" => level("zstd", value, given("compression.type")),
        "partitioner.ignore.keys" if value == "true" => {
            Ok(vec![("partitioner", "random".to_owned())])
        }
        "auto.offset.reset" if value == "none" => Ok(vec![("auto.offset.reset", "error".into())]),
        "auto.offset.reset" if value.starts_with("by_duration:") => Ok(vec![]),
        "partition.assignment.strategy" if value.contains("Assignor") => assignors(value),
        "client.dns.lookup" if value == "default" => Ok(vec![]),
        "sasl.jaas.config" => login(value, other),
        "sasl.oauthbearer.token.endpoint.url" => oidc(value, other),
        "sasl.oauthbearer.jwt.retriever.class" => Ok(grant(value)),
        key if key.starts_with("sasl.kerberos.") => Ok(vec![]),
        "ssl.endpoint.identification.algorithm" if value.is_empty() => {
            Ok(vec![("ssl.endpoint.identification.algorithm", "none".to_owned())])
        }
        "ssl.cipher.suites" if value.contains([',', '_']) => ciphers(value),
        "ssl.truststore.location" => {
            trust(value, given("ssl.truststore.password"), ["ssl.ca.location", "ssl.ca.pem"])
        }
        "ssl.truststore.certificates" => inline("ssl.ca.pem", value),
        "ssl.keystore.location" => keys(value, given("ssl.keystore.password")),
        "ssl.keystore.password" if other("ssl.keystore.location").is_none() => Ok(vec![]),
        "ssl.keystore.key" => inline("ssl.key.pem", value),
        "ssl.keystore.certificate.chain" => inline("ssl.certificate.pem", value),
        key if is_javas_alone(key) => Ok(vec![]),
        key if FILES.contains(&key) && value != "probe" => {
            store::readable(value)?;
            return Ok(None);
        }
        _ => return Ok(None),
    };
    properties.map(Some)
}

fn number(value: &str) -> Result<u64, String> {
    value.parse().map_err(|_| format!("'{value}' is no number"))
}

/// Java's -1 for none is librdkafka's 0.
fn none_is_zero(name: &'static str, value: &str) -> Result<Properties, String> {
    Ok(vec![(name, if value == "-1" { "0" } else { value }.to_owned())])
}

/// librdkafka has one level, for the codec that is chosen.
fn level(codec: &str, value: &str, chosen: &str) -> Result<Properties, String> {
    let of_it = codec.eq_ignore_ascii_case(chosen);
    Ok(if of_it { vec![("compression.level", value.to_owned())] } else { vec![] })
}

/// Java's classes by librdkafka's names. The eager sticky one, which it has not, is left out.
fn assignors(value: &str) -> Result<Properties, String> {
    let named = value.split(',').filter_map(|class| match class.trim().rsplit('.').next()? {
        "RangeAssignor" => Some("range"),
        "RoundRobinAssignor" => Some("roundrobin"),
        "CooperativeStickyAssignor" => Some(COOPERATIVE),
        _ => None,
    });
    let named: Vec<&str> = named.collect();
    // It refuses to mix the cooperative one with others; Java begins with what comes first.
    let chosen = match named.first() {
        None => return Ok(vec![]),
        Some(&COOPERATIVE) => COOPERATIVE.to_owned(),
        Some(_) => {
            let eager = named.into_iter().filter(|name| *name != COOPERATIVE);
            eager.collect::<Vec<_>>().join(",")
        }
    };
    Ok(vec![("partition.assignment.strategy", chosen)])
}

/// JSSE's names are those of the standards; OpenSSL has its own up to TLS 1.2, and those of 1.3
/// are always on.
fn ciphers(value: &str) -> Result<Properties, String> {
    let suites = value.split([',', ':']).map(str::trim).filter(|suite| !suite.is_empty());
    let mut names = Vec::new();
    for suite in suites {
        let name = openssl::ssl::cipher_name(suite);
        match name {
            "(NONE)" => return Err(format!("OpenSSL has no cipher suite '{suite}'")),
            name if name.starts_with("TLS_") => {}
            name => names.push(name),
        }
    }
    Ok(if names.is_empty() { vec![] } else { vec![("ssl.cipher.suites", names.join(":"))] })
}

fn trust(path: &str, password: &str, names: [&'static str; 2]) -> Result<Properties, String> {
    if path.is_empty() {
        return Ok(vec![]);
    }
    let [location, pem] = names;
    Ok(match store::authorities(path, password)? {
        Authorities::File => vec![(location, path.to_owned())],
        Authorities::Pem(text) => vec![(pem, text)],
    })
}

fn keys(path: &str, password: &str) -> Result<Properties, String> {
    if path.is_empty() {
        return Ok(vec![]);
    }
    Ok(match store::identity(path, password)? {
        // One file has both.
        Identity::Pem => {
            vec![("ssl.key.location", path.to_owned()), ("ssl.certificate.location", path.into())]
        }
        Identity::Pkcs12 => vec![("ssl.keystore.location", path.to_owned())],
    })
}

fn inline(name: &'static str, value: &str) -> Result<Properties, String> {
    let pem = store::pem(value);
    pem.map(|pem| vec![(name, pem)]).ok_or("there is no PEM block in it".to_owned())
}

fn login<'a>(value: &str, other: &dyn Fn(&str) -> Option<&'a str>) -> Result<Properties, String> {
    let login = Login::parse(value)?;
    let of = |name| login.option(name).ok_or(format!("{} has no {name}=\"…\"", login.module));
    match login.module.as_str() {
        "ScramLoginModule" if login.option("tokenauth") == Some("true") => {
            Err("librdkafka cannot log in with a delegation token".to_owned())
        }
        "PlainLoginModule" | "ScramLoginModule" => Ok(vec![
            ("sasl.username", of("username")?.to_owned()),
            ("sasl.password", of("password")?.to_owned()),
        ]),
        "OAuthBearerLoginModule" => bearer(&login, other),
        "Krb5LoginModule" => Err("Kerberos is not built in".to_owned()),
        module => Err(format!(
            "login module {module} is not known; \
             use PlainLoginModule, ScramLoginModule or OAuthBearerLoginModule"
        )),
    }
}

/// The names under which Java's OAUTHBEARER module and librdkafka know the same.
const BEARER: [(&str, &str); 3] = [
    ("clientId", "sasl.oauthbearer.client.id"),
    ("clientSecret", "sasl.oauthbearer.client.secret"),
    ("scope", "sasl.oauthbearer.scope"),
];

fn bearer<'a>(
    login: &Login,
    other: &dyn Fn(&str) -> Option<&'a str>,
) -> Result<Properties, String> {
    if let Some(principal) = login.option("unsecuredLoginStringClaim_sub") {
        return Ok(vec![
            ("enable.sasl.oauthbearer.unsecure.jwt", "true".to_owned()),
            ("sasl.oauthbearer.config", format!("principal={principal}")),
        ]);
    }
    if other("sasl.oauthbearer.token.endpoint.url").is_none() {
        return Err("it needs sasl.oauthbearer.token.endpoint.url too".to_owned());
    }
    let has = |(java, name)| Some((name, login.option(java)?.to_owned()));
    let mut properties: Properties = BEARER.into_iter().filter_map(has).collect();
    let extensions = login.options_of("extension_").map(|(name, value)| format!("{name}={value}"));
    let extensions: Vec<String> = extensions.collect();
    if !extensions.is_empty() {
        properties.push(("sasl.oauthbearer.extensions", extensions.join(",")));
    }
    if let Some(path) = login.option("ssl.truststore.location") {
        let password = login.option("ssl.truststore.password").unwrap_or_default();
        properties.extend(trust(path, password, ["https.ca.location", "https.ca.pem"])?);
    }
    Ok(properties)
}

/// Without this method librdkafka waits for its application to bring a token.
fn oidc<'a>(value: &str, other: &dyn Fn(&str) -> Option<&'a str>) -> Result<Properties, String> {
    let mut properties = vec![("sasl.oauthbearer.token.endpoint.url", value.to_owned())];
    if other("sasl.oauthbearer.method").is_none() {
        properties.push(("sasl.oauthbearer.method", "oidc".to_owned()));
    }
    Ok(properties)
}

fn grant(class: &str) -> Properties {
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    match class.ends_with(".JwtBearerJwtRetriever") {
        true => vec![("sasl.oauthbearer.grant.type", grant.to_owned())],
        false => vec![],
    }
}

#[cfg(test)]
mod tests;
