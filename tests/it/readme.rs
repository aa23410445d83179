//! The README's relay and agent, as a newcomer types them: every command as it stands, in an empty folder.

use std::collections::BTreeMap;
use std::env;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const README: &str = include_str!("../../README.md");

/// Programs that a command left in the background.
struct Background(Vec<Child>);

impl Drop for Background {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn the_commands_of_the_readme_run_as_they_stand() {
    for (program, package) in [("curl", "curl"), ("python3", "python3"), ("sh", "dash")] {
        if wayleave_tests::require("the_commands_of_the_readme", program, package).is_none() {
            return;
        }
    }
    let folder = env::temp_dir().join(format!("wayleave-readme-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let ports: BTreeMap<u16, u16> = [8_000, 8_080, 8_443, 1_080].map(|port| (port, free())).into();
    let mut running = Background(Vec::new());
    let mut answers = 0;
    let sections = ["## Run a relay", "## Run an agent", "## When it does not connect"];
    for command in sections.into_iter().flat_map(commands) {
        let command = ports
            .iter()
            .fold(command, |command, (port, free)| command.replace(&port.to_string(), &free.to_string()));
        match command.strip_suffix('&') {
            Some(command) => {
                let mut shell = shell(&folder, &format!("exec {command}"));
                running.0.push(shell.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
                opened(&command.replace("--bind 127.0.0.1 ", "127.0.0.1:"));
            }
            None => {
                let output = shell(&folder, &command).output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{command}\n{said}");
                if command.starts_with("curl") {
                    let page = String::from_utf8_lossy(&output.stdout);
                    assert!(page.contains("token.txt"), "{command}\n{page}\n{said}");
                    answers += 1;
                } else if command.starts_with("wayleave check") {
                    assert_eq!(table(&String::from_utf8_lossy(&output.stdout)), table(README), "{command}");
                }
            }
        }
    }
    assert_eq!(answers, 3);
    drop(running);
    let _ = std::fs::remove_dir_all(folder);
}

/// The lines behind `$` in the section of this title, with what continues them.
fn commands(title: &str) -> Vec<String> {
    let section = README.split(title).nth(1).unwrap().split("\n## ").next().unwrap();
    let mut commands: Vec<String> = Vec::new();
    for line in section.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push(command.to_owned());
        } else if let Some(command) = commands.last_mut().filter(|command| command.ends_with('\\')) {
            command.pop();
            command.push_str(line.trim_start());
        }
    }
    commands
}

/// What a table of a check says of each step, without what differs from one run and one machine to the next.
fn table(text: &str) -> Vec<String> {
    let is_title = |line: &&str| line.starts_with("localhost:") && !line.contains(' ');
    let lines = text.lines().skip_while(|line| !is_title(line)).take_while(|line| !line.ends_with(" works."));
    let lines =
        lines.filter(|line| line.starts_with("  ") && !line.contains("IPv6") && !line.contains("::1"));
    let is_same = |word: &&str| word.len() > 3 && !word.contains(|c: char| c.is_ascii_digit());
    lines.map(|line| line.split_whitespace().filter(is_same).collect()).collect()
}

fn shell(folder: &Path, command: &str) -> Command {
    let bin: PathBuf = wayleave_tests::binary("wayleave").parent().unwrap().to_owned();
    let path = env::var_os("PATH").unwrap_or_default();
    let paths = env::join_paths([bin].into_iter().chain(env::split_paths(&path))).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(folder).env("PATH", paths).stdin(Stdio::null());
    shell.env_remove("WAYLEAVE_TOKEN").env_remove("http_proxy").env_remove("no_proxy");
    shell
}

/// Waits until somebody listens at the first address in the command.
fn opened(command: &str) {
    let address: SocketAddr = command.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < deadline, "{command}: nobody listens at {address}");
        std::thread::yield_now();
    }
}

fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
