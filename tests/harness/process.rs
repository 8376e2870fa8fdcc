//! A program under a deadline: what it gets on stdin, what it says, how it ends.
//! Never knows: what the program does.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::DEADLINE;

/// A command that has not begun.
pub struct Cmd {
    command: Command,
    shown: String,
    stdin: Option<Vec<u8>>,
    within: Duration,
}

impl Cmd {
    pub fn new(command: Command, shown: String) -> Cmd {
        Cmd { command, shown, stdin: Some(Vec::new()), within: DEADLINE }
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Cmd {
        self.shown = format!("{} {}", self.shown, arg.as_ref().to_string_lossy());
        self.command.arg(arg);
        self
    }

    pub fn args<A: AsRef<OsStr>>(self, args: impl IntoIterator<Item = A>) -> Cmd {
        args.into_iter().fold(self, Cmd::arg)
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Cmd {
        self.command.env(name, value);
        self
    }

    pub fn unset(mut self, name: &str) -> Cmd {
        self.command.env_remove(name);
        self
    }

    /// What it reads, then the end of input. Without this it reads the end at once.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Cmd {
        self.stdin = Some(bytes.into());
        self
    }

    /// Its input stays open: `Running::write` and `Running::close_stdin` feed it.
    pub fn stdin_open(mut self) -> Cmd {
        self.stdin = None;
        self
    }

    /// How long it may take to end.
    pub fn within(mut self, limit: Duration) -> Cmd {
        self.within = limit;
        self
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(self) -> Done {
        self.start().done()
    }

    #[track_caller]
    pub fn start(mut self) -> Running {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that what it started can be ended with it.
        self.command.process_group(0);
        let began = Instant::now();
        let mut child =
            self.command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.shown));
        let heard = Arc::new(Heard::default());
        listen(child.stdout.take().expect("piped"), Arc::clone(&heard), |said| &mut said.out);
        listen(child.stderr.take().expect("piped"), Arc::clone(&heard), |said| &mut said.err);
        let stdin = feed(child.stdin.take().expect("piped"), self.stdin);
        let (shown, within) = (self.shown, self.within);
        Running { child, shown, within, began, heard, stdin, over: false }
    }
}

/// A command that runs. Dropped, it is killed, with what it started in its process group.
pub struct Running {
    child: Child,
    shown: String,
    within: Duration,
    began: Instant,
    heard: Arc<Heard>,
    stdin: Option<ChildStdin>,
    over: bool,
}

impl Running {
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn signal(&self, signal: Signal) {
        // It may have ended by itself meanwhile.
        let _ = kill_process(self.pid(), signal);
    }

    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().expect("started with stdin_open, not closed yet");
        // What it says at its end tells more than the broken pipe.
        let _ = stdin.write_all(bytes.as_ref());
    }

    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits until `look` finds what it looks for in stdout and stderr.
    #[track_caller]
    pub fn until<T>(&self, what: &str, look: impl Fn(&str, &str) -> Option<T>) -> T {
        let deadline = Instant::now() + self.within;
        let mut said = self.heard.said.lock().expect("no reader panics");
        loop {
            let (out, err) =
                (String::from_utf8_lossy(&said.out), String::from_utf8_lossy(&said.err));
            if let Some(found) = look(&out, &err) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let gone = said.ended == 2;
            assert!(
                !left.is_zero() && !gone,
                "{}: never came: {what}\nstdout: {out}\nstderr: {err}",
                self.shown
            );
            said = self.heard.more.wait_timeout(said, left).expect("no reader panics").0;
        }
    }

    /// Waits until `look` has seen what it looks for; this one must still run then.
    #[track_caller]
    pub fn runs_until<T>(&mut self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            let over = self.child.try_wait().expect("it is our child");
            let in_time = over.is_none() && Instant::now() < deadline;
            if !in_time {
                let said = self.heard.said.lock().expect("no reader panics").shown();
                panic!("{} ({over:?}): never came: {what}\n{said}", self.shown);
            }
            super::pause();
        }
    }

    /// The first line of its stdout, or nothing if it has ended without one.
    pub fn first_line(&self) -> Option<String> {
        let said = self.heard.said.lock().expect("no reader panics");
        let waits = |said: &mut Said| !said.out.contains(&b'\n') && said.ended < 2;
        let said = self.heard.more.wait_timeout_while(said, self.within, waits);
        let said = said.expect("no reader panics").0;
        Some(String::from_utf8_lossy(&said.out).lines().next()?.to_owned())
    }

    /// Waits until its stdout has `part`.
    #[track_caller]
    pub fn until_out(&self, part: &str) {
        self.until(part, |out, _| out.contains(part).then_some(()));
    }

    /// Waits until its stderr has `part`.
    #[track_caller]
    pub fn until_err(&self, part: &str) {
        self.until(part, |_, err| err.contains(part).then_some(()));
    }

    /// Waits for its end, once its input has ended.
    #[track_caller]
    pub fn done(mut self) -> Done {
        self.stdin = None;
        self.over()
    }

    /// Waits for its end, with its input open as long as it is.
    #[track_caller]
    pub fn over(mut self) -> Done {
        let deadline = self.began + self.within;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            if Instant::now() > deadline {
                let _ = kill_process_group(self.pid(), Signal::KILL);
                let said = self.heard.said.lock().expect("no reader panics");
                panic!("{} did not end in {:?}\n{}", self.shown, self.within, said.shown());
            }
            super::pause();
        };
        let took = self.began.elapsed();
        self.over = true;
        let said = self.heard.until_closed(deadline).unwrap_or_else(|| {
            panic!("{} ended, but something holds its stdout or stderr open", self.shown)
        });
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        let shown = std::mem::take(&mut self.shown);
        Done { shown, code, took, stdout: said.out, stderr: said.err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.over {
            let _ = kill_process_group(self.pid(), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// How a command ended, and all that it said.
#[derive(Debug)]
pub struct Done {
    shown: String,
    /// Its exit code, or 128 and the number of the signal that ended it.
    pub code: i32,
    pub took: Duration,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Done {
    #[track_caller]
    pub fn ok(self) -> Done {
        self.code(0)
    }

    #[track_caller]
    pub fn code(self, want: i32) -> Done {
        assert_eq!(self.code, want, "exit code of {self}");
        self
    }

    /// Its stdout is exactly this.
    #[track_caller]
    pub fn prints(self, want: &str) -> Done {
        let out = self.out();
        let mut lines = out.lines().zip(want.lines()).enumerate();
        let differs = lines.find(|(_, (is, wanted))| is != wanted);
        let counts = (out.lines().count(), want.lines().count());
        assert!(out == want, "stdout's first wrong line {differs:?}, lines {counts:?}: {self}");
        self
    }

    /// Its stderr has `part`.
    #[track_caller]
    pub fn says(self, part: &str) -> Done {
        assert!(self.err().contains(part), "no '{part}' in stderr of {self}");
        self
    }

    /// It failed with this code and one line on stderr that starts with `kaw: `; the line.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        let done = self.code(code);
        let text = done.err();
        let line = text.strip_suffix('\n').unwrap_or(&text);
        assert!(line.starts_with("kaw: ") && !line.contains('\n'), "not one line: {done}");
        line.to_owned()
    }

    /// It ended in time.
    #[track_caller]
    pub fn within(self, limit: Duration) -> Done {
        assert!(self.took < limit, "took {:?}, not under {limit:?}: {self}", self.took);
        self
    }

    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = Said { out: self.stdout.clone(), err: self.stderr.clone(), ended: 2 };
        write!(f, "{} (exit {}, {:?})\n{}", self.shown, self.code, self.took, said.shown())
    }
}

/// What a command has said so far.
#[derive(Default)]
struct Heard {
    said: Mutex<Said>,
    more: Condvar,
}

impl Heard {
    /// All that was said, once both ends are closed; `None` if that does not come in time.
    fn until_closed(&self, deadline: Instant) -> Option<Said> {
        let left = deadline.saturating_duration_since(Instant::now());
        let said = self.said.lock().expect("no reader panics");
        let closed = self.more.wait_timeout_while(said, left, |said| said.ended < 2);
        let mut said = closed.expect("no reader panics").0;
        (said.ended == 2).then(|| std::mem::take(&mut *said))
    }
}

#[derive(Default)]
struct Said {
    out: Vec<u8>,
    err: Vec<u8>,
    /// How many of the two are closed.
    ended: u8,
}

impl Said {
    fn shown(&self) -> String {
        format!("stdout: {}\nstderr: {}", shortened(&self.out), shortened(&self.err))
    }
}

/// The beginning of a long text, as much as a failed test can show.
fn shortened(bytes: &[u8]) -> String {
    const SHOWN_MAX: usize = 4_000;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN_MAX)]).into_owned();
    if bytes.len() > SHOWN_MAX { format!("{text}… ({} bytes)", bytes.len()) } else { text }
}

fn listen(
    mut from: impl Read + Send + 'static,
    heard: Arc<Heard>,
    place: fn(&mut Said) -> &mut Vec<u8>,
) {
    thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = from.read(&mut buffer).unwrap_or(0);
            let mut said = heard.said.lock().expect("no reader panics");
            place(&mut said).extend_from_slice(&buffer[..count]);
            said.ended += u8::from(count == 0);
            heard.more.notify_all();
            if count == 0 {
                return;
            }
        }
    });
}

/// Writes the whole input from a thread of its own, or keeps the pipe for later writes.
fn feed(mut stdin: ChildStdin, input: Option<Vec<u8>>) -> Option<ChildStdin> {
    let Some(input) = input else { return Some(stdin) };
    // A program that stops reading early is no error of the writer.
    thread::spawn(move || _ = stdin.write_all(&input));
    None
}
