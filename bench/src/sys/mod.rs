//! What the measurement asks of the kernel: cores, priorities, the processor time of a process, and its memory.

#![expect(unsafe_code, reason = "the calls that start a process on one core have no safe form")]

mod batch;

pub use batch::Batch;

use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

/// Keeps the calling thread on `core`.
///
/// # Errors
/// There is no such core for this process.
pub fn pin(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).map_err(io::Error::from)
}

/// Gives the calling thread real-time priority. Says whether it got it.
pub fn take_priority() -> bool {
    set_priority(libc::SCHED_FIFO, PRIORITY)
}

/// Whether this process may have real-time priority.
pub fn may_take_priority() -> bool {
    std::thread::spawn(take_priority).join().unwrap_or_default()
}

fn set_priority(policy: libc::c_int, priority: libc::c_int) -> bool {
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: the pointer leads to a value that outlives the call.
    unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) == 0 }
}

/// Lets the process that `command` starts run on `core` alone, at real-time priority where that is allowed, and end
/// when the calling thread does.
pub fn confine(command: &mut Command, core: usize) {
    let prepare = move || {
        pin(core)?;
        take_priority();
        // SAFETY: only numbers are passed.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        Ok(())
    };
    // SAFETY: between fork and exec nothing is called but system calls: no allocation, no lock.
    unsafe { command.pre_exec(prepare) };
}

/// The processor time, user and system, that the process `pid` and its children have had.
pub fn cpu_time(pid: u32) -> Duration {
    family(pid).into_iter().map(cpu_time_of_one).sum()
}

fn cpu_time_of_one(pid: u32) -> Duration {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return Duration::ZERO };
    let mut clock = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both pointers lead to values that outlive the calls.
    let known = unsafe {
        libc::clock_getcpuclockid(pid, &raw mut clock) == 0 && libc::clock_gettime(clock, &raw mut time) == 0
    };
    if !known {
        return Duration::ZERO;
    }
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanoseconds.unwrap_or_default())
}

/// The bytes of memory that the process `pid` and its children hold; what they share counts once. Without that of files:
/// how much of its program a process is charged with depends on who else runs it.
pub fn memory(pid: u32) -> u64 {
    let kilobytes = family(pid).into_iter().filter_map(|pid| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find(|line| line.starts_with("Pss_Anon:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    kilobytes.sum::<u64>() * 1024
}

/// A process and all that came from it.
pub fn family(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        next += 1;
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
        }
    }
    found
}

/// Takes as many open files as the system gives, and says how many.
pub fn raise_files() -> u64 {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it is refused the old limit stays, and is what the second look finds.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Ends the process `pid` in the ordinary way.
pub fn terminate(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended by itself.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

const PRIORITY: libc::c_int = 10;
