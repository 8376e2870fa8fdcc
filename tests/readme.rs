//! README says what is so: its sessions are run, its tables are compared.

use std::fs;
use std::path::PathBuf;

use kafka_protocol::messages::{ApiKey, ApiVersionsRequest};
use rustix::process::{Signal, kill_process};

use crate::harness::raw::Raw;
use crate::harness::{Kaw, free_port, python_with};

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

// GitHub's runners are not to be had here; what reads the workflow is another YAML reader, and its
// step is run as a runner would.
it!(readmes_workflow_measures_and_compares, |kaw| {
    let Some(python) = python_with("pyyaml") else { return };
    let workflow = kaw.file("bench.yml", &blocks("```yaml\n")[0]);
    let reader = "import sys, yaml
steps = yaml.safe_load(open(sys.argv[1]))['jobs']['bench']['steps']
print(next(step['run'] for step in steps if 'kaw bench' in step.get('run', '')))";
    let step = kaw.tool(python.to_str().unwrap()).args(["-c", reader]).arg(workflow).run().ok();
    let summary = kaw.path("summary.md");
    let done =
        kaw.sh(&format!("set -e\n{}", step.out())).env("GITHUB_STEP_SUMMARY", &summary).run();
    // A machine that is busy in between is slower.
    assert!(done.code == 0 || done.err().contains(": worse by more than 10 %"), "{done}");
    assert!(fs::read_to_string(summary).unwrap().starts_with("\n## kaw bench: "));
    for file in ["baseline.json", "bench.html", "bench.xml", "bench.bigger.json"] {
        assert!(kaw.path(file).exists(), "{file}");
    }
});

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

/// What the examples in a command's help need to be there.
const NEEDED: &str = r#"
cd $HOME
printf '{"id":%d,"amount":%d}\n' 1 50 2 500 3 5000 4 7 > monday.txt
cp monday.txt tuesday.txt
echo picture | tee cat.jpg > dog.jpg
mkdir -p .zfunc .config/kaw .config/fish/completions .local/share/bash-completion/completions
echo client.id=prod > .config/kaw/prod.conf
ln -s "$KAW_DATA_DIR" .local/share/kaw
if [ "$1" != topic ]; then
    for b in "-q" "-q -b localhost:9092"; do
        kaw $b produce orders monday.txt
        kaw $b consume -g readers -c 2 orders > read.txt
    done
    kaw consume -e -J orders > recorded.jsonl
fi
if [ "$1" = restore ]; then
    kaw -q backup safe
fi
if [ "$1" = log ]; then kaw broker stop; fi
"#;

/// Commands that go on until they are told to stop.
const ENDLESS: [&str; 4] = [
    "kaw consume orders",
    r"kaw consume -r '^ord' -f '%t %s\n'",
    "kaw broker --listen 127.0.0.1:9092 --topic orders:3",
    "kaw broker --ephemeral --listen 127.0.0.1:0",
];

it!(every_example_in_help_does_what_it_says, |kaw| {
    let commands = ["", "produce", "consume", "topic", "group", "backup", "restore", "bench"];
    for command in commands.into_iter().chain(["broker", "config", "log", "completion"]) {
        let help = kaw.ok(&format!("{command} --help"));
        let (_, examples) = help.split_once("\nExamples:\n").unwrap_or_else(|| panic!("{help}"));
        let examples: Vec<_> = examples.lines().filter_map(|l| l.strip_prefix("    ")).collect();
        assert!(3 < examples.len(), "{help}");
        Kaw::with("examples", |kaw| all_run(kaw, command, &examples));
    }
});

/// Runs them in their order, in one home.
fn all_run(kaw: &Kaw, command: &str, examples: &[&str]) {
    let broker = kaw.broker_at("127.0.0.1:0", "--ephemeral");
    let port = format!("127.0.0.1:{}", free_port());
    let here = |script: &str| {
        let script = script.replace("localhost:9092", &broker.address);
        script.replace("127.0.0.1:9092", &port)
    };
    kaw.sh(&here(&NEEDED.replace("$1", &format!("{command:?}")))).run().ok();
    for example in examples {
        let run = kaw.sh(&format!("cd $HOME; exec 2>&1; {}", here(example)));
        if !ENDLESS.contains(example) {
            run.run().ok();
            continue;
        }
        let running = run.start();
        running.until(example, |out, _| out.contains('\n').then_some(()));
        let kaws = kaw.processes().into_iter().filter(|&pid| pid != broker.pid());
        kaws.for_each(|pid| _ = kill_process(pid, Signal::INT));
        let done = running.done();
        assert!([0, 130].contains(&done.code), "{done}");
    }
}
