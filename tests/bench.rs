//! The benchmark as a user meets it: on a broker of its own, on one that was named, and when
//! something goes wrong.

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::floor;
use crate::harness::{Broker, Kaw, python_with, until};

/// Runs a benchmark that must pass; its result.
#[track_caller]
fn document(kaw: &Kaw, line: &str) -> Value {
    let out = kaw.ok(&format!("bench {line} --json"));
    assert_eq!(out.lines().count(), 1, "one object: {out}");
    serde_json::from_str(&out).expect("the result is JSON")
}

/// The same of one that has a single run.
#[track_caller]
fn result(kaw: &Kaw, line: &str) -> Value {
    only_run(&document(kaw, line))
}

#[track_caller]
fn only_run(document: &Value) -> Value {
    let [case] = document["results"].as_array().unwrap().as_slice() else { panic!("{document}") };
    let [run] = case["runs"].as_array().unwrap().as_slice() else { panic!("{document}") };
    run.clone()
}

/// A latency of a run, in microseconds.
#[track_caller]
fn latency_us(run: &Value, name: &str) -> u64 {
    (run["metrics"][name].as_f64().unwrap() * 1e6).round() as u64
}

/// Every record is accounted for, and the window has so many of them.
#[track_caller]
fn is_whole(result: &Value, sent: u64, measured: u64) {
    let want = serde_json::json!({
        "sent": sent, "verified": sent,
        "failed": 0, "lost": 0, "duplicated": 0, "reordered": 0, "corrupted": 0,
    });
    assert_eq!(result["records"], want);
    assert_eq!(result["window"]["records"], measured);
    assert!(Some(0.0) < result["metrics"]["records/s"].as_f64(), "{result}");
    let ticks = result["timeline"]["ticks"].as_array().unwrap();
    let in_ticks: u64 = ticks.iter().map(|tick| tick["records"].as_u64().unwrap()).sum();
    assert_eq!(in_ticks, measured, "{result}");
}

it!(records_larger_than_kafkas_usual_limit_are_measured_too, |kaw| {
    for codec in ["none", "snappy"] {
        let line = "bench produce --record-size 2M --records 5 --warmup 1 -z";
        let done = kaw.cmd(&format!("{line} {codec}")).run().ok();
        assert!(done.out().contains("6 sent, 6 verified, none lost"), "{done}");
    }
});

it!(a_benchmark_brings_its_own_broker_and_leaves_nothing, |kaw| {
    let produced = result(kaw, "produce --records 5000 --partitions 3 --producers 2 --keys 9");
    is_whole(&produced, 5500, 5000);
    let latency = |name: &str| latency_us(&produced, name);
    assert!(0 < latency("min") && latency("p50") <= latency("p99"), "{produced}");
    assert!(latency("p99") <= latency("p99.9") && latency("p99.9") <= latency("max"));
    assert!(Some(1e6) < produced["metrics"]["broker-memory"].as_f64(), "{produced}");
    assert!(Some(0.0) <= produced["metrics"]["broker-cpu"].as_f64(), "{produced}");
    assert!(Some(1.0) < produced["batches"]["records"].as_f64(), "{produced}");
    assert_eq!(produced["batches"]["compression"], 1.0);
    let consumed = result(kaw, "consume --records 5000 -z lz4 --payload text --record-size 1000");
    is_whole(&consumed, 5000, 5000);
    assert_eq!(consumed["window"]["bytes"], 5_000_000);
    assert_eq!(consumed["metrics"]["p99"], Value::Null);
    assert!(Some(1.2) < consumed["batches"]["compression"].as_f64(), "{consumed}");
    assert_eq!(kaw.processes(), [], "its broker has ended");
    assert!(!kaw.data().exists(), "the user's own data directory was not touched");
    let left: Vec<_> = std::fs::read_dir(kaw.path("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
});

it!(batches_over_the_wire_are_accounted_for_both_ways, |kaw| {
    let load = "--records 5000 --batch-records 10 --producers 4 --partitions 3 --in-flight 3";
    for (more, sent) in [("", 5500), ("--fetch", 5000), ("--acks 1", 5500), ("--acks 0", 5500)] {
        for codec in ["none", "lz4"] {
            let result = result(kaw, &format!("wire {load} {more} -z {codec}"));
            is_whole(&result, sent, 5000);
            assert_eq!(result["window"]["bytes"], 500_000);
            let latency = |name: &str| latency_us(&result, name);
            assert_eq!(result["batches"]["records"], 10.0);
            assert!(latency("p50") <= latency("p99") && latency("p99") <= latency("max"));
        }
    }
});

it!(a_broker_that_waits_for_its_disk_is_measured_beside_that_disk, |kaw| {
    let load = "wire --records 300 --batch-records 1 --producers 4 --in-flight 3";
    let waits = result(kaw, &format!("{load} --durability fsync"));
    is_whole(&waits, 330, 300);
    let [one, many] = waits["fdatasync"].as_array().unwrap().as_slice() else { panic!("{waits}") };
    assert_eq!((&one["batches"], &many["batches"]), (&Value::from(1), &Value::from(6)));
    assert_eq!(many["bytes"].as_u64(), Some(6 * one["bytes"].as_u64().unwrap()));
    assert!(0 < latency_us(one, "min") && latency_us(one, "p50") <= latency_us(one, "p99"));
    let text = kaw.ok(&format!("bench {load} --durability fsync"));
    assert!(text.contains("\ndisk      write and fdatasync of 6 batches ("), "{text}");
    for more in ["--durability os", "--durability fsync --acks 1", "--durability fsync --fetch"] {
        assert_eq!(result(kaw, &format!("{load} {more}"))["fdatasync"], serde_json::json!([]));
    }
});

it!(a_request_carries_what_fits_and_what_is_begun_is_whole, |kaw| {
    // Eight take 856 bytes, and a ninth might take 132.
    let filled = result(kaw, "wire --records 100 --warmup 0 --batch-bytes 1000");
    is_whole(&filled, 104, 104);
    let one = document(kaw, "wire --records 3 --warmup 1 --batch-records 1 --record-size 2MB");
    is_whole(&only_run(&one), 4, 3);
    assert_eq!(one["results"][0]["parameters"]["batch-records"], 1);
});

it!(requests_at_a_rate_count_from_when_they_were_due, |kaw| {
    let result = result(kaw, "wire --rate 1000/s --duration 1s --batch-records 5 --producers 3");
    is_whole(&result, 1100, 1000);
    let rate = result["metrics"]["records/s"].as_f64().unwrap();
    assert!((500.0..1050.0).contains(&rate), "{result}");
});

it!(what_is_sent_is_timed_until_a_consumer_has_it, |kaw| {
    for line in [
        "--rate 500/s --records 1000",
        "--rate 20k/s --duration 500ms --producers 3 --partitions 4 --acks 1 -z lz4 --payload text",
        "--rate 2k/s --duration 500ms --acks 0 --keys 7 --warmup 0",
    ] {
        let result = result(kaw, &format!("end-to-end {line}"));
        let (sent, window) = (&result["records"]["sent"], &result["window"]);
        let warmup = window["warmup_records"].as_u64().unwrap();
        is_whole(&result, sent.as_u64().unwrap(), sent.as_u64().unwrap() - warmup);
        let latency = |name: &str| latency_us(&result, name);
        assert!(0 < latency("min") && latency("p50") <= latency("p99"), "{result}");
    }
    let result = result(kaw, "end-to-end --rate 1k/s --duration 500ms");
    is_whole(&result, 550, 500);
    assert!(0.49 <= result["window"]["seconds"].as_f64().unwrap(), "{result}");
});

it!(the_log_engine_is_measured_without_a_broker, |kaw| {
    for (line, sent, measured) in [
        ("--records 20000", 22_000, 20_000),
        ("--records 300 --durability fsync --batch-records 10 --producers 3", 330, 300),
        ("--records 5001 --partitions 3 --producers 2 --keys 7 -z lz4 --warmup 0", 5001, 5001),
    ] {
        let document = document(kaw, &format!("log {line}"));
        let run = only_run(&document);
        is_whole(&run, sent, measured);
        assert_eq!(document["results"][0]["brokers"]["durability"], Value::Null);
        assert_eq!(run["topic"], Value::Null);
        assert!(latency_us(&run, "p50") <= latency_us(&run, "max"), "{run}");
        assert!(Some(1.0) < run["batches"]["records"].as_f64(), "{run}");
        let syncs = run["fdatasync"].as_array().unwrap();
        assert_eq!(syncs.is_empty(), !line.contains("fsync"), "{run}");
    }
    let left: Vec<_> = std::fs::read_dir(kaw.path("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    let run = kaw.cmd("bench log --durability fsync --duration 60s --batch-records 1").start();
    until("a log on the disk", || std::fs::read_dir(kaw.path("tmp")).unwrap().next().map(drop));
    run.signal(Signal::INT);
    run.done().code(130);
    let left: Vec<_> = std::fs::read_dir(kaw.path("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    let said = kaw.cmd("bench log -b 127.0.0.1:1").run().fails(2);
    assert!(said.contains("it is the engine alone"), "{said}");
});

it!(lines_go_through_both_commands_and_come_out_the_same, |kaw| {
    for (line, sent, measured) in [
        ("--records 5000", 5500, 5000),
        ("--records 2000 --warmup 100 --keys 9 --payload text -z zstd --acks 1", 2100, 2000),
        ("--records 3000 --partitions 3 --warmup 0", 3000, 3000),
        ("--records 3000 --partitions 3 --keys 50 --record-size 32", 3300, 3000),
    ] {
        let run = result(kaw, &format!("pipe {line}"));
        is_whole(&run, sent, measured);
        assert!(Some(1e6) < run["metrics"]["memory"].as_f64(), "{run}");
        assert!(Some(1e6) < run["metrics"]["broker-memory"].as_f64(), "{run}");
    }
    let broker = kaw.broker("");
    let b = &broker.address;
    is_whole(&result(kaw, &format!("pipe -b {b} --records 100 -X linger.ms=1")), 110, 100);
    assert_eq!(kaw.ok(&format!("topic list -b {b}")), "");
    let run = kaw.cmd(&format!("bench pipe -b {b} --duration 60s")).start();
    topic_of_the_run(kaw, &broker);
    run.signal(Signal::INT);
    run.done().code(130);
    broker.stop();
    assert_eq!(kaw.processes(), [], "both have ended");
});

it!(no_variable_and_no_file_turns_a_benchmark_on_a_cluster, |kaw| {
    let named = kaw.file("named.conf", "bootstrap.servers=127.0.0.1:1\n");
    let done = kaw
        .cmd("bench produce --records 100 --json")
        .env("KAW_BROKERS", "127.0.0.1:1")
        .env("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
        .env("KAW_CONFIG", named)
        .run()
        .ok();
    let document: Value = serde_json::from_str(&done.out()).unwrap();
    let want = serde_json::json!({ "addresses": null, "durability": "os" });
    assert_eq!(document["results"][0]["brokers"], want);
    let line = kaw.cmd("bench produce -X bootstrap.servers=127.0.0.1:1").run().fails(2);
    assert!(line.contains("type -b instead"), "{line}");
});

it!(on_a_named_broker_only_its_own_topic_comes_and_goes, |kaw| {
    let broker = kaw.broker("--topic mine");
    let b = &broker.address;
    is_whole(&result(kaw, &format!("produce -b {b} --records 1000")), 1100, 1000);
    is_whole(&result(kaw, &format!("consume -b {b} --records 1000")), 1000, 1000);
    is_whole(&result(kaw, &format!("wire -b {b} --records 1000 --batch-records 9")), 1116, 1008);
    assert_eq!(kaw.ok(&format!("topic list -b {b}")), "mine\n");
});

it!(a_benchmark_runs_on_a_real_kafka_too, |kaw| {
    let Some(apache) = kaw.apache() else { return };
    let b = &apache.address;
    for acks in ["0", "1", "all"] {
        let line = format!("produce -b {b} --records 2000 --acks {acks} -z zstd --partitions 4");
        is_whole(&result(kaw, &line), 2200, 2000);
    }
    is_whole(&result(kaw, &format!("consume -b {b} --records 2000 --keys 5")), 2000, 2000);
    let wire = format!("wire -b {b} --records 2000 --batch-records 20 --producers 2 --keys 5");
    is_whole(&result(kaw, &format!("{wire} --partitions 3")), 2200, 2000);
    is_whole(&result(kaw, &format!("{wire} --partitions 3 --fetch -z snappy")), 2000, 2000);
    let live = result(kaw, &format!("end-to-end -b {b} --rate 2k/s --records 500"));
    is_whole(&live, 550, 500);
    assert!(Some(1e8) < live["metrics"]["broker-memory"].as_f64(), "a JVM's: {live}");
    assert_eq!(kaw.ok(&format!("topic list -b {b}")), "");
});

// What the broker's cost is measured against must stay something that can be measured.
it!(the_floor_takes_and_gives_what_the_benchmark_sends, |kaw| {
    let dir = kaw.path("floor");
    std::fs::create_dir(&dir).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let b = listener.local_addr().unwrap();
    thread::spawn(move || floor::serve(dir, &listener));
    let wire =
        format!("wire -b {b} --records 2000 --batch-records 20 --producers 2 --partitions 3");
    is_whole(&result(kaw, &wire), 2200, 2000);
    is_whole(&result(kaw, &format!("{wire} --fetch -z zstd")), 2000, 2000);
    for acks in ["0", "all"] {
        let line = format!("produce -b {b} --records 2000 --acks {acks} -z lz4 --partitions 6");
        is_whole(&result(kaw, &line), 2200, 2000);
    }
    is_whole(&result(kaw, &format!("consume -b {b} --records 2000 --partitions 6")), 2000, 2000);
    assert_eq!(kaw.ok(&format!("topic list -b {b}")), "");
});

it!(an_unmet_expectation_is_exit_3_and_one_line, |kaw| {
    let line = "bench produce --records 1000 --fail-if 'max<1us' --fail-if 'p50>=0us'";
    let done = kaw.cmd(line).run();
    assert!(done.out().contains("\npassed    max<1us: max is "), "{done}");
    let said = done.fails(3);
    assert!(said.starts_with("kaw: p50>=0us: p50 is "), "{said}");
});

it!(a_result_in_a_file_is_also_shown, |kaw| {
    let line = "bench produce --records 100 --output json -O result.json";
    let shown = kaw.ok(line);
    assert!(shown.starts_with("produce "), "{shown}");
    let written = std::fs::read_to_string(kaw.path("result.json")).unwrap();
    let document: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(document["schema"], "kaw-bench-1");
    let typed: Vec<_> = document["command"].as_array().unwrap().iter().collect();
    assert_eq!(typed[..3], ["kaw", "bench", "produce"]);
    let said = kaw.cmd("bench produce --records 100 -O no/such/folder.csv").run().fails(1);
    assert!(said.contains("no/such/folder"), "{said}");
});

// The judge is not ours: the `jsonschema` package of Python.
it!(every_result_is_as_the_published_schema_says, |kaw| {
    let Some(python) = python_with("jsonschema") else { return };
    let other = kaw.broker("");
    std::fs::write(kaw.path("schema.json"), kaw.ok("bench schema")).unwrap();
    for line in [
        "produce --records 1000",
        "produce --rate 1000/s --duration 200ms --fail-if 'records/s<1' --acks 0",
        "consume --records 1000 --duration 5s --keys 3 -z zstd",
        "end-to-end --rate 1k/s --records 100",
        "log --records 1000 --durability fsync",
        "pipe --records 100",
        "produce --records 100 --save base.json",
        "produce --records 100 --repeat 2 --compare base.json",
        "produce --records 100 --repeat 6 --sweep acks=0,1",
        "produce --duration 100ms --find-max --slo 'records/s<3000'",
        &format!("consume --records 100 --versus {}", other.address),
    ] {
        let document = document(kaw, line);
        std::fs::write(kaw.path("result.json"), document.to_string()).unwrap();
        let judge = "import json, jsonschema, sys
schema, result = [json.load(open(name)) for name in sys.argv[1:]]
jsonschema.Draft202012Validator.check_schema(schema)
jsonschema.validate(result, schema, format_checker=jsonschema.FormatChecker())
del result['results'][0]['runs'][0]['records']['lost']
assert not jsonschema.Draft202012Validator(schema).is_valid(result)";
        let files = [kaw.path("schema.json"), kaw.path("result.json")];
        kaw.tool(python.to_str().unwrap()).args(["-c", judge]).args(files).run().ok();
    }
});

it!(wrong_words_are_said_before_anything_runs, |kaw| {
    let check = |line: &str, want: &str| {
        let said = kaw.cmd(&format!("bench {line}")).run().within(Duration::from_secs(1));
        let said = said.fails(2);
        assert!(said.contains(want), "{said}");
    };
    check("produce --fail-if 'p98>1ms'", "no metric 'p98'; it has records/s, bytes/s, min");
    check("produce --fail-if 'p99>1'", "write a number with one of us, µs, ms, s");
    check("consume --fail-if 'p99>1ms'", "it has records/s, bytes/s, cpu, memory, broker-cpu");
    check("produce --record-size 3", "--record-size takes 16 bytes at least");
    check("pipe --record-size 31", "--record-size takes 32 bytes at least");
    check("log --batch-bytes 1GB", "--batch-bytes takes 104857600 at most");
    check("log --batch-bytes 1 --batch-records 1", "cannot be used with");
    check("log --rate 5/s", "unexpected argument '--rate'");
    check("end-to-end --rate 0", "write 5000/s");
    check("produce --rate fast", "write 5000/s");
    check("produce --repeat 0", "1..=100");
    check("produce --repeat many", "write a whole number");
    check("produce --sweep acks", "write record-size=100,1k");
    check("produce --sweep acks=2", "invalid value '2' for '--acks <0|1|all>'");
    check("produce --sweep output=json", "bench produce has no 'output'; it has records,");
    check("produce --sweep linger.m=1", "librdkafka has no property 'linger.m'");
    check("produce --sweep bootstrap.servers=a:1", "type -b instead");
    check("all --sweep acks=1", "--sweep needs a workload");
    check("produce --find-max", "--slo <EXPR>");
    check("produce --slo 'p99<1ms'", "--find-max");
    check("produce --find-max --slo 'p98<1ms'", "--slo: bench produce has no metric 'p98'");
    check("consume --find-max --slo 'cpu<1s'", "--find-max: bench consume has no rate");
    check("all --find-max --slo 'p99<1s'", "--find-max needs a workload");
    check("produce --find-max --slo 'p99<1s' --versus a:1", "cannot be used with");
    check("produce --versus a:b:c", "write HOST:PORT");
    check("produce --compare x.json --tolerance 10", "'10' is no part; write 10%");
    check("produce --durability disk", "possible values: os, fsync");
    check("produce -b localhost:1 --durability os", "--durability is of the benchmark's own");
    check("--repeat 2 produce", "cannot be used with");
    check("produce --output jsn", "possible values: text, json");
    check("wire --batch-records 1000 --record-size 1MB", "a request takes 99MB at most");
    check("wire --batch-records 1 --batch-bytes 1", "cannot be used with");
});

it!(several_runs_and_parameters_are_measured_in_turn, |kaw| {
    let swept = document(
        kaw,
        "produce --records 500 --repeat 2 --sweep acks=0,all --sweep linger.ms=0,5 -X retries=3",
    );
    let cases = swept["results"].as_array().unwrap();
    let names: Vec<_> = cases.iter().map(|case| case["name"].as_str().unwrap()).collect();
    let want = [
        "produce --acks 0 -X linger.ms=0",
        "produce --acks 0 -X linger.ms=5",
        "produce --acks all -X linger.ms=0",
        "produce --acks all -X linger.ms=5",
    ];
    assert_eq!(names, want);
    assert_eq!(cases[3]["parameters"]["acks"], "all");
    assert_eq!(cases[3]["parameters"]["X"], "retries=3 linger.ms=5");
    let mut started = Vec::new();
    for turn in 0..2 {
        for case in cases {
            let run = &case["runs"][turn];
            is_whole(run, 550, 500);
            started.push(run["topic"].as_str().unwrap().to_owned());
        }
    }
    started.sort();
    started.dedup();
    assert_eq!(started.len(), 8, "a topic for each run");
});

/// The metrics of every run, times a factor: a baseline of other days.
fn scaled(kaw: &Kaw, from: &str, to: &str, factor: f64) {
    let text = std::fs::read_to_string(kaw.path(from)).unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    for run in document["results"][0]["runs"].as_array_mut().unwrap() {
        for figure in run["metrics"].as_object_mut().unwrap().values_mut() {
            *figure = (figure.as_f64().unwrap() * factor).into();
        }
    }
    std::fs::write(kaw.path(to), document.to_string()).unwrap();
}

// The work takes a few milliseconds and the machine may be busy: the baselines are so far off that
// only a broken comparison would miss it.
it!(a_result_is_compared_with_a_baseline, |kaw| {
    let work = "bench produce --records 2000";
    let saved = kaw.ok(&format!("{work} --repeat 5 --save now.json --json"));
    assert_eq!(std::fs::read_to_string(kaw.path("now.json")).unwrap(), saved);
    scaled(kaw, "now.json", "slow.json", 0.001);
    scaled(kaw, "now.json", "fast.json", 1000.0);
    // Rates were a thousandfold, latencies too.
    let done = kaw.cmd(&format!("{work} --compare fast.json --json")).run();
    let document: Value = serde_json::from_str(&done.out()).unwrap();
    let comparison = &document["results"][0]["comparison"];
    assert_eq!(comparison["runs"].as_array().unwrap().len(), 5);
    assert_eq!(comparison["changes"]["records/s"]["judgement"], "worse");
    assert_eq!(comparison["changes"]["p99"]["judgement"], "better");
    assert_eq!(document["results"][0]["runs"].as_array().unwrap().len(), 5);
    let said = done.fails(3);
    assert!(said.contains("records/s is ") && said.contains("worse by more than 10 %"), "{said}");
    let said = kaw.cmd(&format!("{work} --compare slow.json")).run().fails(3);
    assert!(said.contains("p99 is ") && !said.contains("records/s"), "{said}");
    // Two runs can show nothing, whatever they are.
    let shown = kaw.ok(&format!("{work} --repeat 2 --compare fast.json"));
    assert!(shown.contains("no significant change; to see one it takes 5 runs of each"), "{shown}");
});

it!(a_baseline_of_other_work_is_refused_by_name, |kaw| {
    kaw.ok("bench produce --records 100 --save base.json");
    kaw.file("old.json", r#"{"schema":"kaw-bench-0","results":[]}"#);
    let check = |line: &str, code: i32, want: &str| {
        let said = kaw.cmd(&format!("bench {line} --compare base.json")).run().fails(code);
        assert!(said.contains(want), "{said}");
    };
    check("produce --records 101", 2, "base.json: it was measured with records 100, not 101");
    kaw.ok("bench produce --rate 300/s --duration 0.3s --save base.json");
    kaw.ok("bench produce --rate 300/s --duration 0.3s --compare base.json");
    kaw.ok("bench produce --records 100 --save base.json");
    check("consume --records 100", 2, "base.json: it is of produce, not of consume");
    check("produce --sweep acks=0,1", 2, "it has no 'produce --acks 0'; it has produce");
    let check = |file: &str, code: i32, want: &str| {
        let said = kaw.cmd(&format!("bench produce --compare {file}")).run().fails(code);
        assert!(said.contains(want), "{said}");
    };
    check("old.json", 2, "old.json: it is no result of kaw bench --save");
    check("gone.json", 1, "cannot read gone.json");
});

it!(two_brokers_are_measured_in_turn, |kaw| {
    let (one, other) = (kaw.broker(""), kaw.broker("--ephemeral"));
    let line = format!("produce --records 500 -b {} --versus {}", one.address, other.address);
    let document = document(kaw, &line);
    let case = &document["results"][0];
    assert_eq!(case["brokers"]["addresses"], one.address);
    assert_eq!(case["versus"]["brokers"]["addresses"], other.address);
    let (ours, others) = (&case["runs"], &case["versus"]["runs"]);
    let ratio = &case["versus"]["ratios"]["records/s"];
    for turn in 0..6 {
        is_whole(&ours[turn], 550, 500);
        is_whole(&others[turn], 550, 500);
        let rate = |runs: &Value| runs[turn]["metrics"]["records/s"].as_f64().unwrap();
        let each = ratio["each"][turn].as_f64().unwrap();
        assert!((each * rate(others) / rate(ours) - 1.0).abs() < 1e-9, "{ratio}");
    }
    let interval = ratio["interval"].as_array().unwrap();
    assert!(interval[0].as_f64() <= ratio["ratio"].as_f64(), "{ratio}");
    let shown = kaw.ok(&format!("bench {line} --repeat 2"));
    assert!(shown.contains("for an interval it takes --repeat 6"), "{shown}");
    for broker in [one, other] {
        assert_eq!(kaw.ok(&format!("topic list -b {}", broker.address)), "");
    }
});

// An objective that arithmetic decides: below 3,000 records a second.
it!(the_highest_rate_that_keeps_an_objective_is_found, |kaw| {
    let line = "bench produce --duration 100ms --find-max --slo 'records/s<3000' --json";
    let done = kaw.cmd(line).within(Duration::from_secs(120)).run().ok();
    let document: Value = serde_json::from_str(&done.out()).unwrap();
    let case = &document["results"][0];
    let rate = case["search"]["rate"].as_f64().unwrap();
    // Over a tenth of a second the last record's own latency makes the rate a little lower.
    assert!((2000.0..3600.0).contains(&rate), "{case}");
    assert_eq!(case["parameters"]["rate"].as_f64(), Some(rate));
    assert_eq!(case["runs"].as_array().unwrap().len(), 3);
    assert!(done.err().contains("kaw: 1000/s: keeps records/s<3000: records/s is "), "{done}");
    let line = "bench produce --duration 50ms --rate 10/s --find-max --slo 'p50<1us' -q";
    let done = kaw.cmd(line).within(Duration::from_secs(60)).run();
    assert!(done.out().contains("no rate keeps p50<1us\n"), "{done}");
    let said = done.fails(3);
    assert!(said.contains("no rate keeps p50<1us"), "{said}");
});

it!(a_benchmark_waits_for_the_disk_where_that_is_asked_for, |kaw| {
    let document = document(kaw, "produce --records 100 --durability fsync");
    assert_eq!(document["results"][0]["brokers"]["durability"], "fsync");
    is_whole(&only_run(&document), 110, 100);
});

// Nobody may have to wait for the minute that all takes: what it would run is shown when it is
// told to stop.
it!(without_a_workload_all_are_shown, |kaw| {
    let run = kaw.cmd("bench --progress --fail-if 'p99>60s'").start();
    run.until_err("run 1 of ");
    run.signal(Signal::INT);
    run.done().code(130);
    let said = kaw.cmd("bench --fail-if 'p98>1ms'").run().fails(2);
    assert!(said.contains("no metric 'p98'"), "{said}");
});

it!(a_broker_that_is_not_there_is_an_error_in_time, |kaw| {
    let done = kaw.cmd("bench produce -b 127.0.0.1:1 --connect-timeout 1s").run();
    let said = done.within(Duration::from_secs(5)).fails(1);
    assert!(said.contains("cannot reach 127.0.0.1:1"), "{said}");
});

/// The name of the run's topic, once it is there.
fn topic_of_the_run(kaw: &Kaw, broker: &Broker) -> String {
    until("the run's topic", || {
        let topics = kaw.ok(&format!("topic list -b {}", broker.address));
        topics.lines().find(|name| name.starts_with("kaw-bench-")).map(str::to_owned)
    })
}

it!(an_interrupted_run_takes_its_topic_along, |kaw| {
    let broker = kaw.broker("");
    let b = &broker.address;
    let run = kaw.cmd(&format!("bench produce -b {b} --rate 1000/s --duration 60s")).start();
    topic_of_the_run(kaw, &broker);
    run.signal(Signal::INT);
    let done = run.done().code(130);
    assert_eq!((done.out(), done.err()), (String::new(), String::new()));
    assert_eq!(kaw.ok(&format!("topic list -b {b}")), "");
});

it!(a_record_that_the_run_never_sent_fails_it, |kaw| {
    let broker = kaw.broker("");
    let b = &broker.address;
    let run = kaw.cmd(&format!("bench produce -b {b} --rate 1000/s --duration 3s")).start();
    let topic = topic_of_the_run(kaw, &broker);
    kaw.sh(&format!("echo stranger | kaw produce -q -b {b} {topic}")).run().ok();
    let done = run.done();
    assert!(done.out().contains(", 1 corrupted\n"), "{done}");
    let said = done.fails(1);
    assert!(said.ends_with("1 corrupted"), "{said}");
});
