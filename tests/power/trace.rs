//! What strace saw a program do to its files, as values.
//! Never knows: what the calls add up to.

use std::collections::HashMap;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// The calls to look at.
pub const CALLS: &str = "trace=openat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,\
    rmdir,ftruncate,write,pwrite64,pwritev,fsync,fdatasync,syncfs";

/// One thing done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Open {
        path: PathBuf,
        truncate: bool,
    },
    Directory(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    Length(PathBuf, usize),
    /// Behind what was written to the descriptor before, or where it says.
    Write {
        path: PathBuf,
        at: usize,
        bytes: Vec<u8>,
    },
    /// By the thread that is in it.
    SyncBegins(u32, PathBuf),
    SyncEnds(u32),
}

/// The steps, each with the number of its line.
pub fn steps(trace: &str) -> Vec<(usize, Step)> {
    let mut steps = Vec::new();
    let mut begun: HashMap<u32, String> = HashMap::new();
    // Where the next plain write to a descriptor goes.
    let mut positions: HashMap<String, usize> = HashMap::new();
    for (number, line) in trace.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let (thread, rest) = (thread.parse().expect("-f gives every line its thread"), rest.trim());
        let call = if let Some(first) = rest.strip_suffix("<unfinished ...>") {
            if let Some(path) = synced(first) {
                steps.push((number, Step::SyncBegins(thread, path)));
            }
            begun.insert(thread, first.trim_end().to_owned());
            continue;
        } else if let Some((_, second)) =
            rest.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>"))
        {
            format!("{}{second}", begun.remove(&thread).unwrap_or_default())
        } else {
            if let Some(path) = synced(rest) {
                steps.push((number, Step::SyncBegins(thread, path)));
            }
            rest.to_owned()
        };
        let step = step(thread, &call, &mut positions);
        steps.extend(step.map(|step| (number, step)));
    }
    steps
}

fn synced(call: &str) -> Option<PathBuf> {
    let (name, arguments) = call.split_once('(')?;
    ["fsync", "fdatasync"].contains(&name).then(|| path(&between(arguments, '<', '>')[0]))
}

fn step(thread: u32, call: &str, positions: &mut HashMap<String, usize>) -> Option<Step> {
    let (name, rest) = call.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    if result.starts_with('-') {
        return None;
    }
    let arguments = arguments.trim_end().strip_suffix(')').expect("arguments end");
    let quoted = between(arguments, '"', '"');
    let named = || path(&between(arguments, '<', '>')[0]);
    let descriptor = || arguments.split('<').next().unwrap_or_default().to_owned();
    let last = || arguments.rsplit(", ").next().unwrap_or_default().parse().expect("a number");
    match name {
        "openat" => {
            positions.insert(result.split('<').next()?.to_owned(), 0);
            let writes = arguments.contains("O_CREAT");
            let truncate = arguments.contains("O_TRUNC");
            writes.then(|| Step::Open { path: path(&quoted[0]), truncate })
        }
        "mkdir" | "mkdirat" => Some(Step::Directory(path(&quoted[0]))),
        "rename" | "renameat" | "renameat2" => {
            Some(Step::Rename(path(&quoted[0]), path(&quoted[1])))
        }
        // Relative to a directory that is removed itself afterwards.
        "unlinkat" if !arguments.starts_with("AT_FDCWD") => {
            Some(Step::Remove(named().join(path(&quoted[0]))))
        }
        "unlink" | "unlinkat" | "rmdir" => Some(Step::Remove(path(&quoted[0]))),
        "ftruncate" => Some(Step::Length(named(), last())),
        "write" | "pwrite64" | "pwritev" => {
            let written: usize = result.split_whitespace().next()?.parse().ok()?;
            let mut bytes: Vec<u8> = quoted.iter().flat_map(|part| unescaped(part)).collect();
            assert!(written <= bytes.len(), "strace shows all bytes: {call}");
            bytes.truncate(written);
            let next = positions.entry(descriptor()).or_default();
            let at = match name {
                "write" => std::mem::replace(next, *next + written),
                _ => last(),
            };
            Some(Step::Write { path: named(), at, bytes })
        }
        "fsync" | "fdatasync" => Some(Step::SyncEnds(thread)),
        "syncfs" => panic!("a few logs are synced one by one"),
        _ => None,
    }
}

/// Every text between an opening and a closing sign. All bytes of texts are escaped.
fn between(text: &str, open: char, close: char) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(open) {
        let Some((part, behind)) = after.split_once(close) else { break };
        found.push(part.to_owned());
        rest = behind;
    }
    found
}

fn path(escaped: &str) -> PathBuf {
    std::ffi::OsString::from_vec(unescaped(escaped)).into()
}

/// `\x6b\x61\x77`, as `strace -xx` writes every string.
fn unescaped(text: &str) -> Vec<u8> {
    let hex = text.split("\\x").skip(1);
    hex.map(|byte| u8::from_str_radix(&byte[..2], 16).expect("-xx escapes everything")).collect()
}

#[test]
fn calls_are_read_whole_or_in_two_halves() {
    let trace = r#"7 openat(AT_FDCWD<\x2f>, "\x2f\x61", O_WRONLY|O_CREAT, 0600) = 4<\x2f\x61>
7 write(4<\x2f\x61>, "\x31\x32", 2) = 2
8 fdatasync(4<\x2f\x61> <unfinished ...>
7 write(4<\x2f\x61>, "\x33", 1)     = 1
8 <... fdatasync resumed>)          = 0
7 pwritev(4<\x2f\x61>, [{iov_base="\x34", iov_len=1}, {iov_base="", iov_len=0}], 2, 9) = 1
7 pwritev(4<\x2f\x61>, [{iov_base="\x35", iov_len=1}], 1, 10 <unfinished ...>
7 <... pwritev resumed>)            = 1
7 rename("\x2f\x61", "\x2f\x62")    = -1 ENOENT (No such file or directory)"#;
    let a = || PathBuf::from("/a");
    let write = |at, bytes: &[u8]| Step::Write { path: a(), at, bytes: bytes.to_vec() };
    let want = [
        (0, Step::Open { path: a(), truncate: false }),
        (1, write(0, b"12")),
        (2, Step::SyncBegins(8, a())),
        (3, write(2, b"3")),
        (4, Step::SyncEnds(8)),
        (5, write(9, b"4")),
        (7, write(10, b"5")),
    ];
    assert_eq!(steps(trace), want);
}
