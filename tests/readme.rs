//! README says what is so: its sessions are run, its tables are compared.

use std::fs;
use std::path::PathBuf;

use kafka_protocol::messages::{ApiKey, ApiVersionsRequest};

use crate::harness::Kaw;
use crate::harness::raw::Raw;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

fn readme() -> String {
    fs::read_to_string(path()).unwrap()
}

it!(readmes_sessions_print_what_it_shows, |kaw| {
    for session in blocks("```console\n") {
        assert_eq!(replayed(kaw, &session), session);
    }
});

/// Runs what stands behind each `$ ` and puts below it what it says.
fn replayed(kaw: &Kaw, session: &str) -> String {
    let commands = session.lines().filter_map(|line| line.strip_prefix("$ "));
    let run = |command| {
        let done = kaw.sh(&format!("{{ {command}\n}} 2>&1")).run();
        format!("$ {command}\n{}", done.out())
    };
    commands.map(run).collect()
}

it!(readmes_first_command_runs_the_main_job, |kaw| {
    let readme = readme();
    let line = readme.lines().find(|line| line.starts_with("cargo build")).unwrap();
    // What runs these tests has built the program and put it on the PATH.
    let (_, job) = line.split_once(":$PATH\" && ").unwrap();
    kaw.sh(job).run().ok().prints("999998\n999999\n1000000\n");
});

/// What stands between a line that opens a block and the end of that block.
fn blocks(open: &str) -> Vec<String> {
    let readme = readme();
    let rests = readme.split(open).skip(1);
    rests.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

it!(readmes_table_of_apis_is_what_the_broker_advertises, |kaw| {
    let broker = kaw.broker("");
    let answer = Raw::open(&broker.address).unwrap().call(&ApiVersionsRequest::default(), 0);
    let mut table = String::from("\n| API | key | versions |\n| --- | --- | --- |\n");
    for api in answer.unwrap().api_keys {
        let name = ApiKey::try_from(api.api_key).expect("an API of Kafka's, not of ours");
        let (key, from, to) = (api.api_key, api.min_version, api.max_version);
        table.push_str(&format!("| {name:?} | {key} | {from}–{to} |\n"));
    }
    let readme = readme();
    let (head, rest) = readme.split_once("<!-- apis -->\n").unwrap();
    let (stands, tail) = rest.split_once("\n<!-- end of apis -->").unwrap();
    if std::env::var_os("KAW_BLESS").is_some_and(|value| value == "1") {
        let blessed = format!("{head}<!-- apis -->\n{table}\n<!-- end of apis -->{tail}");
        return fs::write(path(), blessed).unwrap();
    }
    assert_eq!(stands, table, "KAW_BLESS=1 cargo test --release readmes_table");
});
