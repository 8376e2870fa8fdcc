//! TLS and logins out of the one binary, against a real Apache Kafka.
//!
//! One broker serves all of it: a listener for each way in and each way to fail. Certificates are
//! made anew by `secure.sh`, and a small token endpoint in Python stands for an identity provider.

use std::fs;
use std::time::Duration;

use crate::harness::{Apache, Done, Kaw, Running, found, free_port};

const CERTIFICATES: &str = include_str!("secure.sh");

/// Beyond `--connect-timeout`, what a command may take.
const SLACK: Duration = Duration::from_secs(5);

/// Each listener's name, its protocol, and the store that it shows.
const LISTENERS: [(&str, &str, &str); 6] = [
    ("tls", "SSL", "broker"),
    ("mutual", "SSL", "broker"),
    ("expired", "SSL", "expired"),
    ("elsewhere", "SSL", "elsewhere"),
    ("login", "SASL_SSL", "broker"),
    ("open", "SASL_PLAINTEXT", "broker"),
];

struct Secured<'a> {
    kaw: &'a Kaw,
    apache: Apache,
    ports: Vec<(&'static str, u16)>,
}

impl<'a> Secured<'a> {
    fn start(kaw: &'a Kaw) -> Option<Secured<'a>> {
        found("openssl")?;
        found("keytool")?;
        kaw.sh(CERTIFICATES).run().ok();
        let ports: Vec<_> = LISTENERS.map(|(name, ..)| (name, free_port())).into();
        let mut listeners =
            "PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}".to_owned();
        let mut protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned();
        let mut settings = Vec::new();
        for ((name, protocol, store), (_, port)) in LISTENERS.into_iter().zip(&ports) {
            listeners += &format!(",{}://127.0.0.1:{port}", name.to_uppercase());
            protocols += &format!(",{}:{protocol}", name.to_uppercase());
            settings.extend(stores(kaw, name, store));
            if protocol.starts_with("SASL") {
                settings.extend(logins(name));
            }
        }
        settings.push(format!("listeners={listeners}"));
        settings.push(format!("listener.security.protocol.map={protocols}"));
        settings.push("listener.name.mutual.ssl.client.auth=required".to_owned());
        let scram = "--add-scram SCRAM-SHA-256=[name=alice,password=alice-secret] \
                     --add-scram SCRAM-SHA-512=[name=bob,password=bob-secret]";
        let apache = kaw.apache_with(&settings, scram)?;
        kaw.ok(&format!("topic create t -b {}", apache.address));
        Some(Secured { kaw, apache, ports })
    }

    fn at(&self, name: &str) -> String {
        let port = self.ports.iter().find(|(is, _)| *is == name).map(|(_, port)| port);
        port.map_or_else(|| self.apache.address.clone(), |port| format!("127.0.0.1:{port}"))
    }

    /// A record goes to this listener and comes back with these options, and the way that sizes
    /// and whole batches take, which is another, is open too.
    #[track_caller]
    fn reaches(&self, listener: &str, options: &str) {
        self.carries(listener, options);
        let found = self.weighs(listener, options);
        assert!(found.err().is_empty(), "{found}");
        let bytes = found.out().split_whitespace().last().and_then(|bytes| bytes.parse().ok());
        assert!(bytes.is_some_and(|bytes: u64| 0 < bytes), "{found}");
        let way = format!("-b {} {options}", self.at(listener));
        let copied = self.kaw.cmd(&format!("backup copy t {way}")).run().ok();
        assert!(copied.err().contains("new: 1 record,"), "{copied}");
    }

    #[track_caller]
    fn carries(&self, listener: &str, options: &str) {
        let way = format!("-b {} {options}", self.at(listener));
        self.kaw.cmd(&format!("produce -q t {way}")).stdin(format!("{options}\n")).run().ok();
        let back = self.kaw.cmd(&format!("consume -e -o -1 t {way}")).run().ok();
        back.prints(&format!("{options}\n"));
    }

    #[track_caller]
    fn weighs(&self, listener: &str, options: &str) -> Done {
        let way = format!("-b {} {options}", self.at(listener));
        self.kaw.cmd(&format!("topic list t --detailed {way}")).run().ok()
    }

    #[track_caller]
    fn refuses(&self, listener: &str, options: &str, code: i32, parts: &[&str]) {
        self.refuses_all(&[(listener, options)], code, parts);
    }

    /// No command gets in, each in time, and one line says where and why.
    #[track_caller]
    fn refuses_all(&self, ways: &[(&str, &str)], code: i32, parts: &[&str]) {
        let limit = Duration::from_secs(2);
        let mut running = Vec::new();
        for (listener, options) in ways {
            for line in ["topic list", "produce -q t", "consume -q -e t"] {
                let at = self.at(listener);
                let line = format!("{line} -b {at} --connect-timeout 2s {options}");
                running.push((at, self.kaw.cmd(&line).stdin("a\n").start()));
            }
        }
        for (at, running) in running {
            let done = running.done().within(limit + SLACK).code(code);
            let said = done.err();
            // What is told after two seconds of silence is another line.
            let last = said.lines().last().unwrap_or_default();
            assert!(last.starts_with("kaw: "), "{done}");
            let where_it_is = (code == 1 && !last.contains("token")).then_some(at.as_str());
            for part in parts.iter().copied().chain(where_it_is) {
                assert!(last.contains(part), "no '{part}': {done}");
            }
            assert!(!said.contains("-secret"), "a secret is told: {done}");
        }
    }
}

fn stores(kaw: &Kaw, name: &str, store: &str) -> [String; 4] {
    let path = |store: &str| kaw.path(format!("{store}.pem")).display().to_string();
    [
        format!("listener.name.{name}.ssl.keystore.location={}", path(store)),
        format!("listener.name.{name}.ssl.keystore.type=PEM"),
        format!("listener.name.{name}.ssl.truststore.location={}", path("authority")),
        format!("listener.name.{name}.ssl.truststore.type=PEM"),
    ]
}

/// How a listener lets users in.
fn logins(name: &str) -> Vec<String> {
    let package = "org.apache.kafka.common.security";
    let modules = [
        ("plain", "plain.PlainLoginModule required user_carol=\"carol's-secret\""),
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
    certificates(&secured);
    users(&secured);
    protocols(&secured);
    javas_files(&secured);
    tokens(&secured);
    secured.apache.stop();
});

fn certificates(to: &Secured) {
    let ssl = "-X security.protocol=ssl";
    let trusted = "-X security.protocol=ssl -X ssl.ca.location=authority.pem";
    to.reaches("tls", trusted);
    to.refuses("tls", ssl, 1, &["not trusted (authority)", "ssl.ca.location=FILE"]);
    let stranger = format!("{ssl} -X ssl.ca.location=stranger.pem");
    to.refuses("tls", &stranger, 1, &["not trusted (authority)", "ssl.ca.location=FILE"]);
    to.refuses("expired", trusted, 1, &["certificate (expired) expired on ", "a new one"]);
    let other_name = ["is for elsewhere.example", "ssl.endpoint.identification.algorithm=none"];
    to.refuses("elsewhere", trusted, 1, &other_name);
    to.reaches("elsewhere", &format!("{trusted} -X ssl.endpoint.identification.algorithm=none"));
    to.refuses("mutual", trusted, 1, &["without a certificate", "ssl.keystore.location"]);
    let store = "-X ssl.keystore.location=client.p12 -X ssl.keystore.password";
    to.reaches("mutual", &format!("{trusted} {store}=client-secret"));
    let wrong = format!("{trusted} {store}=no-secret");
    to.refuses("mutual", &wrong, 2, &["ssl.keystore.password is not the password of client.p12"]);
    let missing = format!("{ssl} -X ssl.ca.location=nowhere.pem");
    to.refuses("tls", &missing, 2, &["ssl.ca.location", "nowhere.pem", "No such file"]);
}

fn users(to: &Secured) {
    let ca = "-X ssl.ca.location=authority.pem";
    let login = |protocol: &str, mechanism: &str, name: &str, secret: &str| {
        format!(
            "-X security.protocol={protocol} -X sasl.mechanism={mechanism} \
             -X sasl.username={name} -X sasl.password=\"{secret}\" {ca}"
        )
    };
    to.reaches("login", &login("sasl_ssl", "PLAIN", "carol", "carol's-secret"));
    to.reaches("login", &login("sasl_ssl", "SCRAM-SHA-256", "alice", "alice-secret"));
    to.reaches("open", &login("sasl_plaintext", "SCRAM-SHA-512", "bob", "bob-secret"));
    let refused = ["refused the login", "sasl.*"];
    to.refuses("login", &login("sasl_ssl", "PLAIN", "carol", "no-secret"), 1, &refused);
    to.refuses("login", &login("sasl_ssl", "SCRAM-SHA-256", "alice", "no-secret"), 1, &refused);
    // Her password is kept for the other mechanism only.
    let other = login("sasl_plaintext", "SCRAM-SHA-512", "alice", "alice-secret");
    to.refuses("open", &other, 1, &refused);
    let nothing = "-X security.protocol=sasl_plaintext -X sasl.username=u";
    to.refuses("open", nothing, 2, &["sasl.mechanism", "PLAIN, SCRAM-SHA-256"]);
}

/// Each protocol at a listener of another one.
fn protocols(to: &Secured) {
    let ca = "-X ssl.ca.location=authority.pem";
    let ssl = format!("-X security.protocol=ssl {ca}");
    let user = "-X sasl.mechanism=PLAIN -X sasl.username=carol -X sasl.password=carol-secret";
    let sasl = format!("-X security.protocol=sasl_plaintext {user}");
    let both = format!("-X security.protocol=sasl_ssl {user} {ca}");
    let mismatches = [
        ("plain", ssl.as_str()),
        ("tls", ""),
        ("open", ""),
        ("open", &ssl),
        ("tls", &sasl),
        ("login", &sasl),
        ("tls", &both),
        ("plain", &both),
    ];
    to.refuses_all(&mismatches, 1, &["security.protocol"]);
}

/// What Java's users have: stores, inline PEM, login modules.
fn javas_files(to: &Secured) {
    let file = |text: &str| {
        to.kaw.file("client.properties", text);
        "-F client.properties"
    };
    let trust = "ssl.truststore.location=trust.PKCS12\nssl.truststore.password=trust-secret\n";
    to.reaches("tls", file(&format!("security.protocol=SSL\n{trust}key.serializer=S\n")));
    let jaas = "sasl.mechanism=SCRAM-SHA-256\nsasl.jaas.config=a.ScramLoginModule required \\\n  \
                username=\"alice\" \\\n  password=\"alice-secret\";\n";
    to.reaches("login", file(&format!("security.protocol=SASL_SSL\n{trust}{jaas}")));
    let wrong = "ssl.truststore.location=trust.PKCS12\nssl.truststore.password=no-secret\n";
    let wrong = file(&format!("security.protocol=SSL\n{wrong}"));
    to.refuses("tls", wrong, 2, &["client.properties:2", "not the password of trust.PKCS12"]);

    let jks = file("security.protocol=SSL\nssl.truststore.location=trust.JKS\n");
    let keytool = "keytool -importkeystore -srckeystore trust.JKS -destkeystore trust.p12 \
                   -deststoretype PKCS12";
    to.refuses("tls", jks, 2, &["client.properties:2", keytool]);
    // The line does what it says.
    let passwords = "-srcstorepass trust-secret -deststorepass trust-secret";
    to.kaw.sh(&format!("{keytool} {passwords}")).run().ok();
    let moved = "ssl.truststore.location=trust.p12\nssl.truststore.password=trust-secret\n";
    to.reaches("tls", file(&format!("security.protocol=SSL\n{moved}")));

    // One line each, as \ at the ends of lines makes it.
    let inline = |name: &str| fs::read_to_string(to.kaw.path(name)).unwrap().replace('\n', "\\\n");
    let pem = format!(
        "security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.certificates={}\n\n\
         ssl.keystore.type=PEM\nssl.keystore.key={}\n\nssl.keystore.certificate.chain={}\n\n\
         ssl.key.password=key-secret\n",
        inline("authority.pem"),
        inline("locked.key"),
        inline("client.crt"),
    );
    to.reaches("mutual", file(&pem));
    let stores = "security.protocol=SSL\nssl.truststore.location=authority.pem\n\
                  ssl.keystore.location=locked.pem\nssl.key.password=key-secret\n";
    to.reaches("mutual", file(stores));
}

/// Gives each client that names itself a token that says so, and writes down what it was asked.
const IDENTITY_PROVIDER: &str = r#"
import base64, http.server, json, ssl, sys, time

class Provider(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        scheme, client = self.headers["Authorization"].split()
        client, secret = base64.b64decode(client).decode().split(":")
        print(scheme, client, body, flush=True)
        if secret != "dave-secret":
            return self.answer(401, {"error": "invalid_client"})
        encoded = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
        part = lambda value: encoded(value).rstrip("=")
        now = int(time.time())
        claims = {"sub": client, "iat": now, "exp": now + 600, "scope": "kafka"}
        token = part({"alg": "none"}) + "." + part(claims) + "."
        self.answer(200, {"access_token": token, "token_type": "Bearer", "expires_in": 600})

    def answer(self, code, value):
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
scheme = "http"
if len(sys.argv) > 1:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "https"
print(f"at {scheme}://127.0.0.1:{server.server_address[1]}/token", flush=True)
server.serve_forever()
"#;

fn provider(kaw: &Kaw, store: Option<&str>) -> Option<(Running, String)> {
    let python = found("python3")?;
    let program = kaw.tool(python.to_str()?).args(["-c", IDENTITY_PROVIDER]).args(store);
    let running = program.start();
    let url = running.until("its address", |out, _| {
        let (_, rest) = out.split_once("at ")?;
        rest.split_once('\n').map(|(url, _)| url.to_owned())
    });
    Some((running, url))
}

fn tokens(to: &Secured) {
    let Some((provider, url)) = provider(to.kaw, None) else { return };
    let protocol = "-X security.protocol=sasl_plaintext -X sasl.mechanism=OAUTHBEARER";
    let client = |secret: &str, url: &str| {
        format!(
            "{protocol} -X sasl.oauthbearer.token.endpoint.url={url} \
             -X sasl.oauthbearer.client.id=dave -X sasl.oauthbearer.client.secret={secret}"
        )
    };
    to.carries("open", &client("dave-secret", &url));
    provider.until_out("Basic dave grant_type=client_credentials");
    // Tokens are librdkafka's alone, and that is worth a word to who asks.
    let unknown = to.weighs("open", &client("dave-secret", &url));
    assert!(unknown.err().is_empty() && unknown.out().ends_with(" -\n"), "{unknown}");
    let unknown = to.weighs("open", &format!("{} -v", client("dave-secret", &url)));
    unknown.says("BYTES are not known: only librdkafka can log in with OAUTHBEARER");
    let said = ["no token", "invalid_client", "client's id and secret"];
    to.refuses("open", &client("no-secret", &url), 1, &said);
    let nobody = format!("http://127.0.0.1:{}/token", free_port());
    to.refuses(
        "open",
        &client("dave-secret", &nobody),
        1,
        &["no token", "connect", "endpoint.url"],
    );

    let jaas = "sasl.jaas.config=o.OAuthBearerLoginModule required clientId=\"dave\" \\\n \
                clientSecret=\"dave-secret\" scope=\"kafka\"";
    let file = |endpoint: &str, more: &str| {
        let endpoint = format!("sasl.oauthbearer.token.endpoint.url={endpoint}");
        let protocol = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=OAUTHBEARER";
        let text = format!("{protocol}\n{endpoint}\n{jaas}{more};\n");
        to.kaw.file("token.properties", text);
        "-F token.properties"
    };
    to.carries("open", file(&url, ""));
    provider.until_out("scope=kafka");
    let (_provider, url) = self::provider(to.kaw, Some("broker.pem")).expect("found before");
    to.refuses("open", file(&url, ""), 1, &["no token", "certificate", "client's id and"]);
    to.carries("open", file(&url, " ssl.truststore.location=\"authority.pem\""));
}
