//! Where settings come from, what is in force, and what a bad file gets.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::harness::{Kaw, Running};

/// What `kaw config` shows of one property, as `VALUE FROM`.
#[track_caller]
fn shown(kaw: &Kaw, property: &str, line: &str, env: &[(&str, &str)]) -> String {
    let cmd = kaw.cmd(&format!("config -J {line}"));
    let done = env.iter().fold(cmd, |cmd, (name, value)| cmd.env(name, value)).run().ok();
    let out = done.out();
    let mut rows = out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let row = rows.rfind(|row| row["property"] == property);
    let Some(row) = row else { return "not there".to_owned() };
    let value = match row["hidden"].as_bool() {
        Some(true) => "hidden",
        _ => row["value"].as_str().unwrap_or("-"),
    };
    let ignored = if row["ignored"] == true { " ignored" } else { "" };
    let from = row["from"].as_str().unwrap().replace(kaw.path("").to_str().unwrap(), "");
    format!("{value} {from}{ignored}")
}

fn write(kaw: &Kaw, name: &str, text: &str) {
    let path = kaw.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

it!(brokers_come_from_the_first_that_names_them, |kaw| {
    let check = |line: &str, env: &[(&str, &str)], want: &str| {
        assert_eq!(shown(kaw, "bootstrap.servers", line, env), want, "{line} {env:?}");
    };
    check("", &[], "- built-in broker");
    write(kaw, "home/.config/kafkacat.conf", "bootstrap.servers=older:1\n");
    check("", &[], "older:1 home/.config/kafkacat.conf:1");
    write(kaw, "home/.config/kcat.conf", "metadata.broker.list=kcat:1\n");
    check("", &[], "kcat:1 home/.config/kcat.conf:1");
    write(kaw, "named", "\nbootstrap.servers=named:1\n");
    check("", &[("KCAT_CONFIG", "named")], "named:1 named:2");
    write(kaw, "home/.config/kaw.conf", "bootstrap.servers=own:1\n");
    check("", &[("KCAT_CONFIG", "named")], "own:1 home/.config/kaw.conf:1");
    write(kaw, "elsewhere/kaw.conf", "bootstrap.servers=xdg:1\n");
    let elsewhere = kaw.path("elsewhere");
    let elsewhere = elsewhere.to_str().unwrap();
    check("", &[("XDG_CONFIG_HOME", elsewhere)], "xdg:1 elsewhere/kaw.conf:1");
    write(kaw, "home/.config/kaw/prod.conf", "bootstrap.servers=prod:1\n");
    check("--profile prod", &[], "prod:1 home/.config/kaw/prod.conf:1");
    check("", &[("KAW_PROFILE", "prod")], "prod:1 home/.config/kaw/prod.conf:1");
    check("", &[("KAW_PROFILE", "prod"), ("KAW_CONFIG", "named")], "named:1 named:2");
    let both = [("KAW_PROFILE", ""), ("KAW_CONFIG", "named")];
    check("--profile prod", &both, "prod:1 home/.config/kaw/prod.conf:1");
    check("-F named", &[("KAW_PROFILE", "prod")], "named:1 named:2");
    check("-F none", &[("KAW_CONFIG", "named")], "- built-in broker");
    check("", &[("KAW_CONFIG", "-")], "- built-in broker");

    let kafkas = [("KAFKA_BROKERS", "c:1"), ("KAFKA_BOOTSTRAP_SERVERS", "b:1")];
    check("-F named", &kafkas[..1], "c:1 KAFKA_BROKERS");
    check("-F named", &kafkas, "b:1 KAFKA_BOOTSTRAP_SERVERS");
    let all = [kafkas[0], kafkas[1], ("KAW_BROKERS", "a:1")];
    check("-F named", &all, "a:1 KAW_BROKERS");
    check("-F named -b typed:1", &all, "typed:1 -b");
    check("-F named --bootstrap-server typed:1", &all, "typed:1 -b");
    check("-b typed:1 -X metadata.broker.list=set:1", &all, "set:1 -X");
});

it!(a_variable_that_overrules_a_file_that_was_typed_is_named, |kaw| {
    write(kaw, "named", "bootstrap.servers=named:1\n");
    let line = "topic list --connect-timeout 1s";
    let ask = |options: &str| {
        kaw.cmd(&format!("{options} {line}")).env("KAW_BROKERS", "127.0.0.1:1").run().code(1).err()
    };
    let news = "kaw: KAW_BROKERS=127.0.0.1:1 is used, not the named:1 of named:1; unset \
                KAW_BROKERS, or pass -b";
    assert!(ask("-F named").contains(news), "{}", ask("-F named"));
    assert!(!ask("-F named -b 127.0.0.1:1").contains("is used"));
    assert!(!ask("").contains("is used"));
});

it!(files_of_both_kinds_are_in_force, |kaw| {
    let java = "bootstrap.servers = h\\:1\n! Java's\nsecurity.protocol : SASL_SSL\n\
                sasl.mechanism SCRAM-SHA-256\nsasl.jaas.config=o.ScramLoginModule required \\\n\
                \x20  username=\"u\" password=\"\\u0074ell\\\\nobody\";\nbuffer.memory=2048\n\
                key.serializer=S\nmy.interceptor.level=7\n";
    write(kaw, "client.properties", java);
    let check = |property: &str, want: &str| {
        assert_eq!(shown(kaw, property, "-F client.properties", &[]), want, "{property}");
    };
    check("bootstrap.servers", "h:1 client.properties:1");
    check("sasl.mechanism", "SCRAM-SHA-256 client.properties:4");
    check("sasl.username", "u client.properties:5");
    check("sasl.password", "hidden client.properties:5");
    check("queue.buffering.max.kbytes", "2 client.properties:7");
    check("key.serializer", "S client.properties:8 ignored");
    check("my.interceptor.level", "7 client.properties:9 ignored");
    let over = "-F client.properties -X buffer.memory=4096";
    assert_eq!(shown(kaw, "queue.buffering.max.kbytes", over, &[]), "4 -X");

    write(kaw, "kcat.conf", "topic.acks=1\nclient.id=a\\b\n# c\n");
    let of_kcats = |property| shown(kaw, property, "-F kcat.conf", &[]);
    assert_eq!(of_kcats("acks"), "1 kcat.conf:1");
    assert_eq!(of_kcats("client.id"), "a\\b kcat.conf:2");
    assert_eq!(shown(kaw, "linger.ms", "-F kcat.conf -a", &[]), "5 librdkafka");
});

it!(no_secret_is_shown, |kaw| {
    let secrets = "sasl.username=u\nsasl.password=tell-nobody\nssl.key.password=tell-nobody\n\
                   ssl.key.pem=tell-nobody\nsasl.oauthbearer.client.secret=tell-nobody\n\
                   sasl.jaas.config=o.PlainLoginModule required username=u password=tell-nobody;\n\
                   basic.auth.user.info=u:tell-nobody\nbootstrap.servers=h:1\n";
    write(kaw, "secret", secrets);
    for line in ["config -F secret", "config -a -F secret", "config -J -F secret"] {
        let done = kaw.cmd(line).run().ok();
        assert!(!format!("{done}").contains("tell-nobody"), "{done}");
        assert!(done.out().contains("sasl.password"), "{done}");
    }
    for wrong in [
        "sasl.password: tell-nobody",
        "sasl.pasword=tell-nobody",
        "sasl.jaas.config=o.PlainLoginModule username=u password=tell-nobody;",
        "sasl.jaas.config=o.PlainLoginModule required user=u password=tell-nobody;",
        "ssl.keystore.key=tell-nobody",
    ] {
        write(kaw, "wrong", &format!("\n{wrong}\n"));
        let said = kaw.cmd("topic list -b h:1 -F wrong").run().fails(2);
        assert!(said.contains("wrong:2") && !said.contains("tell-nobody"), "{said}");
    }
});

it!(the_built_in_broker_needs_no_security, |kaw| {
    let security = "security.protocol=sasl_ssl\nsasl.mechanism=PLAIN\nsasl.username=u\n\
                    ssl.ca.location=/nowhere\nssl.truststore.location=/nowhere.jks\n";
    write(kaw, "secure.conf", security);
    kaw.cmd("produce t -F secure.conf").stdin("a\n").run().ok();
    kaw.cmd("consume -e t -F secure.conf -X security.protocol=ssl").run().ok().prints("a\n");
    let dir = kaw.data();
    assert_eq!(shown(kaw, "data-dir", "", &[]), format!("{} KAW_DATA_DIR", dir.display()));
    assert_eq!(shown(kaw, "data-dir", "--data-dir /d", &[]), "/d --data-dir");
    let protocol = shown(kaw, "security.protocol", "-F secure.conf", &[]);
    assert_eq!(protocol, "sasl_ssl secure.conf:1 ignored");
    let own = kaw.cmd("config").unset("KAW_DATA_DIR").run().ok().out();
    assert!(own.contains("/home/.local/share/kaw"), "{own}");
});

it!(profiles_are_listed_and_a_wrong_one_is_named, |kaw| {
    assert_eq!(kaw.ok("config --profiles --no-headers"), "");
    let none = kaw.cmd("topic list --profile x").run().fails(2);
    assert!(none.contains("--profile x") && none.contains("no profiles"), "{none}");
    for name in ["stage", "prod"] {
        write(kaw, &format!("home/.config/kaw/{name}.conf"), "acks=1\n");
    }
    write(kaw, "home/.config/kaw/notes.txt", "");
    let listed = kaw.ok("config --profiles --no-headers");
    let names: Vec<&str> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["prod", "stage"]);
    assert!(kaw.ok("config --profiles -J").starts_with("{\"profile\":\"prod\",\"file\":\"/"));
    for wrong in ["pro", "../kaw/prod", "/prod", "notes"] {
        let said = kaw.cmd(&format!("topic list --profile {wrong}")).run().fails(2);
        assert!(said.contains(wrong) && said.contains("prod, stage"), "{said}");
    }
    let said = kaw.cmd("topic list").env("KAW_PROFILE", "pro").run().fails(2);
    assert!(said.contains("KAW_PROFILE pro"), "{said}");
    let said = kaw.cmd("topic list -F x --profile prod").run().fails(2);
    assert!(said.contains("-F") && said.contains("--profile"), "{said}");
});

it!(a_file_that_is_none_is_named_at_once, |kaw| {
    let large = kaw.file("large", "");
    fs::File::options().write(true).open(large).unwrap().set_len(100 << 20).unwrap();
    write(kaw, "nul", "acks=1\na\0b\n");
    write(kaw, "words", "acks=1\n\nbootstrap.servers\n");
    fs::write(kaw.path("binary"), b"acks=1\n\xff\xfe\xfd\n").unwrap();
    let table = [
        ("nowhere", 1, ["cannot read nowhere", "No such file"]),
        ("home", 1, ["cannot read home", "directory"]),
        ("/dev/zero", 2, ["/dev/zero", "1 MiB"]),
        ("large", 2, ["large", "1 MiB"]),
        ("nul", 2, ["nul:2", "NUL"]),
        ("binary", 2, ["binary:2", "UTF-8"]),
        ("words", 2, ["words:3", "KEY=VALUE"]),
    ];
    let now = Duration::from_secs(5);
    for (file, code, parts) in table {
        for line in ["config", "topic list", "produce t", "consume -e t"] {
            let running: Running = kaw.cmd(&format!("{line} -F {file}")).start();
            let said = running.done().within(now).fails(code);
            assert!(parts.iter().all(|part| said.contains(part)), "{file}: {said}");
        }
        let said = kaw.cmd("topic list").env("KAW_CONFIG", file).run().fails(code);
        assert!(said.contains("KAW_CONFIG") && said.contains(parts[0]), "{file}: {said}");
    }
    let said = kaw.cmd("topic list").env("KCAT_CONFIG", "nowhere").run().fails(1);
    assert!(said.contains("KCAT_CONFIG: cannot read nowhere"), "{said}");
    // From a pipe, as of `-F <(…)`.
    kaw.sh("kaw config -J -F <(echo client.id=piped) | grep -q '\"piped\"'").run().ok();
});

it!(a_file_without_rights_is_named, |kaw| {
    let closed = kaw.file("closed", "acks=1\n");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o0)).unwrap();
    if fs::read(&closed).is_ok() {
        // Root reads everything. What it may not read, nobody may.
        let said = kaw.cmd("topic list -F /proc/self/mem").run();
        let said = said.fails(1);
        assert!(said.contains("cannot read /proc/self/mem"), "{said}");
        return;
    }
    let said = kaw.cmd("topic list -F closed").run().fails(1);
    assert!(said.contains("cannot read closed") && said.contains("ermission denied"), "{said}");
});

it!(a_wrong_setting_is_named_with_its_place, |kaw| {
    let table = [
        ("sasl.pasword=x", "wrong:2: librdkafka has no property 'sasl.pasword', but"),
        ("linger=5", "but 'linger.ms'"),
        ("no.such.property=1", "no property 'no.such.property'; `kaw -X list`"),
        ("linger.ms=soon", "wrong:2: property 'linger.ms'"),
        ("linger.ms=soon", "it takes 0 .. 900000"),
        ("delivery.timeout.ms=8640000000", "8640000000 is outside of 0 .. 2147483647"),
        ("bootstrap.servers=h:x", "wrong:2: h:x: 'x' is no port"),
        ("bootstrap.controllers=h:1", "set bootstrap.servers"),
        ("config.providers=env", "write the values themselves"),
        ("sasl.jaas.config=o.Krb5LoginModule required;", "Kerberos is not built in"),
        ("ssl.keystore.location=nowhere.p12", "cannot read nowhere.p12"),
        ("ssl.truststore.location=wrong", "wrong is neither PEM nor PKCS12"),
        ("security.protocol=sasl_ssl", "property 'sasl.mechanism'"),
    ];
    for (wrong, part) in table {
        write(kaw, "wrong", &format!("# a comment\n{wrong}\n"));
        let brokers = if wrong.starts_with("bootstrap") { "" } else { "-X bootstrap.servers=h:1" };
        for line in ["config", "topic list", "produce t", "consume -e t"] {
            let said = kaw.cmd(&format!("{line} {brokers} -F wrong")).run().fails(2);
            assert!(said.contains(part), "{wrong}: {said}");
        }
    }
    let said = kaw.cmd("topic list -X key.serializer=S").run().fails(2);
    assert!(said.contains("key.serializer is for Java's clients"), "{said}");
    for name in ["KAW_BROKERS", "KAFKA_BROKERS"] {
        let said = kaw.cmd("topic list").env(name, "h:99999").run().fails(2);
        assert!(said.contains(name) && said.contains("HOST:PORT"), "{said}");
    }
});

it!(what_has_no_effect_is_told_to_who_asks, |kaw| {
    write(kaw, "java", "key.serializer=S\nacks=1\n");
    kaw.ok("topic create t");
    let quiet = kaw.cmd("topic list -F java").run().ok();
    assert_eq!(quiet.err(), "");
    kaw.cmd("topic list -v -F java").run().ok().says("java:1: key.serializer has no effect");
});

it!(every_property_is_listed, |kaw| {
    let list = kaw.ok("-X list");
    assert!(list.contains("\nlinger.ms ") && list.contains("Range"), "{list}");
    assert_eq!(kaw.ok("-X help"), list);
    assert_eq!(kaw.ok("topic list -X list"), list);
    let all = kaw.ok("config -a --no-headers");
    assert!(100 < all.lines().count() && all.contains("\nbatch.size "), "{all}");
});
