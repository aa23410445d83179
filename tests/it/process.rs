//! A command that runs in the background, and what it says.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A command of ours that runs until it is dropped.
pub(crate) struct Process {
    child: Child,
    said: Arc<(Mutex<Vec<String>>, Condvar)>,
    /// Nobody is to read what it says any more.
    is_unread: Arc<AtomicBool>,
    reading: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts `wayleave` with these arguments, in `folder`.
    pub(crate) fn start(folder: &Path, arguments: &[String]) -> Self {
        Self::start_in(folder, arguments, &[])
    }

    /// The same with these variables in its environment, and none that names a proxy beside them.
    pub(crate) fn start_in(folder: &Path, arguments: &[String], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(wayleave_tests::binary("wayleave"))
            .args(arguments)
            .current_dir(folder)
            .env_remove("WAYLEAVE_TOKEN")
            .env_remove("RUST_LOG")
            .env_remove("https_proxy")
            .env_remove("no_proxy")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let is_unread = Arc::new(AtomicBool::new(false));
        let (reader, kept) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&said));
        let ends = Arc::clone(&is_unread);
        let reading = std::thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                kept.0.lock().unwrap().push(line);
                kept.1.notify_all();
                if ends.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        Self { child, said, is_unread, reading: Some(reading) }
    }

    /// The first line that contains `text`, waited for.
    pub(crate) fn wait_for(&self, text: &str) -> String {
        self.wait_for_nth(text, 1)
    }

    /// The `count`th line that contains `text`, waited for.
    pub(crate) fn wait_for_nth(&self, text: &str, count: usize) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.said.0.lock().unwrap();
        loop {
            if let Some(line) = lines.iter().filter(|line| line.contains(text)).nth(count - 1) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no line with {text:?} in:\n{}", lines.join("\n"));
            lines = self.said.1.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// The address behind the `count`th `listening on`.
    pub(crate) fn listening(&self, count: usize) -> SocketAddr {
        let line = self.wait_for_nth("listening on ", count);
        let address = line.split("listening on ").nth(1).unwrap().split_whitespace().next().unwrap();
        address.parse().unwrap_or_else(|_| panic!("no address in {line:?}"))
    }

    /// Lets go of its standard error; a hang-up makes an agent say the line that the reader may wait for.
    pub(crate) fn stop_reading(&mut self) {
        self.is_unread.store(true, Ordering::SeqCst);
        self.signal("HUP");
        self.reading.take().unwrap().join().unwrap();
    }

    /// Everything that was said so far.
    pub(crate) fn log(&self) -> String {
        self.said.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).join("\n")
    }

    /// Sends a signal by name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.unwrap().success());
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.log());
            std::thread::yield_now();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what process {} said:\n{}", self.child.id(), self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program of somebody else to its end.
pub(crate) fn run(program: &Path, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .env_remove("http_proxy")
        .env_remove("https_proxy")
        .env_remove("no_proxy")
        .output()
        .unwrap()
}

/// Runs `wayleave` to its end: exit status, standard output, standard error.
pub(crate) fn wayleave(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(wayleave_tests::binary("wayleave"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("WAYLEAVE_TOKEN")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// How long anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
