//! The formats of a result, read by programs that are not ours.

use std::fs;

use crate::harness::python_with;

/// Packages that read what we write.
const READERS: &str = "html5lib jsonschema junitparser markdown-it-py";

/// What a run is written as, in one go.
const FILES: [&str; 7] = ["json", "csv", "md", "html", "xml", "bencher.json", "github.json"];

/// What a name may hold that means something in some format.
const FOREIGN: &str = "a,b;\"c\" | <i>&amp;`*_~[x](y) \\ é\u{1}";

it!(every_format_is_read_by_programs_that_are_not_ours, |kaw| {
    let Some(python) = python_with(READERS) else { return };
    kaw.file(FOREIGN, "some bytes");
    let summary = kaw.file("summary.md", "What another step wrote\n");
    let bench = || {
        let line = "bench produce --records 2000 --repeat 2 --sweep record-size=100,1000";
        kaw.cmd(line).args(["--payload", FOREIGN])
    };
    bench().args(["--save", "before.json"]).run().ok();
    let done = bench()
        .args(["--compare", "before.json", "--fail-if", "p50>=0us", "--fail-if", "records/s<1"])
        .args(FILES.map(|ending| format!("-Oresult.{ending}")))
        .env("GITHUB_STEP_SUMMARY", &summary)
        .run();
    assert!(done.out().starts_with("case "), "{done}");
    done.fails(3);
    let read = |name: &str| fs::read_to_string(kaw.path(name)).unwrap();
    assert_eq!(read("summary.md"), format!("What another step wrote\n{}", read("result.md")));
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/readers.py");
    kaw.tool(python.to_str().unwrap()).arg(program).arg(kaw.path("")).run().ok();
});

it!(a_file_says_its_format_with_its_ending, |kaw| {
    let check = |line: &str, want: &str| {
        let said = kaw.cmd(&format!("bench produce {line}")).run().fails(2);
        assert!(said.contains(want), "{said}");
    };
    check("-O result", "-O result: its ending is of no format (.txt .json .csv .md");
    check("-O a.csv -O b.json --json", "leave --output out");
    check(
        "--output github",
        "--output github is several files; name them, as -O bench.github.json",
    );
    check("--output jsn", "possible values: text, json, csv, markdown");
    kaw.ok("bench produce --records 100 --output csv -O result");
    let written = fs::read_to_string(kaw.path("result")).unwrap();
    assert!(written.starts_with("case,run,started,records/s,"), "{written}");
});
