//! What the machine says of name servers: `resolv.conf`, and the hosts file.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;
use tokio::time::timeout;
use wayleave_sockets::hosts_file;

/// The files, as they were last read.
#[derive(Debug)]
pub(super) struct System {
    /// In the place of those of `resolv.conf`.
    servers: Vec<SocketAddr>,
    conf: PathBuf,
    hosts: Option<PathBuf>,
    state: Mutex<State>,
    /// The server that answered last, by its place.
    good: AtomicUsize,
}

#[derive(Debug)]
struct State {
    snapshot: Arc<Snapshot>,
    /// When the files were last looked at.
    looked: Option<Instant>,
    /// A thread is looking.
    reading: bool,
    stamps: [Option<Stamp>; 2],
}

/// When a file was changed, and how long it is.
type Stamp = (SystemTime, u64);

/// What the files said.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) config: Config,
    /// The text of the hosts file.
    pub(super) hosts: String,
}

/// What `resolv.conf` says that matters for absolute names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Config {
    pub(super) servers: Vec<SocketAddr>,
    /// For one question to one server.
    pub(super) timeout: Duration,
    /// Rounds over the servers.
    pub(super) attempts: u32,
}

impl System {
    pub(super) fn new(servers: Vec<SocketAddr>) -> Self {
        Self::at(servers, Path::new("/etc/resolv.conf").into(), hosts_file().map(Into::into))
    }

    pub(super) fn at(servers: Vec<SocketAddr>, conf: PathBuf, hosts: Option<PathBuf>) -> Self {
        let stamps = stamps(&conf, hosts.as_deref());
        let snapshot = Arc::new(read(&servers, &conf, hosts.as_deref()));
        let state = Mutex::new(State { snapshot, looked: Some(Instant::now()), reading: false, stamps });
        Self { servers, conf, hosts, state, good: AtomicUsize::new(0) }
    }

    /// What the files say, as it was at most a second ago. Where they cannot be read in time the old word holds.
    pub(super) async fn look(self: &Arc<Self>) -> Arc<Snapshot> {
        if self.is_due() {
            let system = Arc::clone(self);
            let (done, read) = oneshot::channel();
            // A file that hangs holds this thread and nothing else, the end of the process neither.
            let started = thread::Builder::new().name("wayleave-names".into()).spawn(move || {
                system.read_again();
                let _ = done.send(());
            });
            if started.is_err() {
                self.lock().reading = false;
            }
            let _ = timeout(PATIENCE, read).await;
        }
        Arc::clone(&self.lock().snapshot)
    }

    /// Whether the files are to be looked at by the caller, now.
    fn is_due(&self) -> bool {
        let mut state = self.lock();
        let is_due = !state.reading && state.looked.is_none_or(|looked| looked.elapsed() >= EVERY);
        if is_due {
            (state.looked, state.reading) = (Some(Instant::now()), true);
        }
        is_due
    }

    /// Remembers that `server` answered: it is asked first from now on.
    pub(super) fn prefer(&self, server: SocketAddr) {
        let place = self.lock().snapshot.config.servers.iter().position(|known| *known == server);
        if let Some(place) = place {
            self.good.store(place, Ordering::Relaxed);
        }
    }

    /// The servers in the order in which they are to be asked.
    pub(super) fn in_order(&self, snapshot: &Snapshot) -> Vec<SocketAddr> {
        let mut servers = snapshot.config.servers.clone();
        let first = self.good.load(Ordering::Relaxed);
        if first < servers.len() {
            servers.rotate_left(first);
        }
        servers
    }

    /// The next look-up looks at the files.
    #[cfg(test)]
    pub(super) fn forget_the_last_look(&self) {
        self.lock().looked = None;
    }

    fn read_again(&self) {
        let stamps = stamps(&self.conf, self.hosts.as_deref());
        let is_same = self.lock().stamps == stamps;
        if is_same {
            self.lock().reading = false;
            return;
        }
        let snapshot = Arc::new(read(&self.servers, &self.conf, self.hosts.as_deref()));
        let mut state = self.lock();
        (state.stamps, state.snapshot, state.reading) = (stamps, snapshot, false);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            servers: vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), PORT)],
            timeout: Duration::from_secs(TIMEOUT),
            attempts: ATTEMPTS,
        }
    }
}

impl Config {
    /// Reads the text of a `resolv.conf`. What it does not say, or says in a way that is not understood, keeps its default.
    pub(super) fn read(text: &str) -> Self {
        let mut config = Self { servers: Vec::new(), ..Self::default() };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                    let servers = &mut config.servers;
                    servers.extend(
                        address.filter(|_| servers.len() < SERVERS).map(|it| SocketAddr::new(it, PORT)),
                    );
                }
                Some("options") => words.for_each(|option| config.option(option)),
                _ => {}
            }
        }
        if config.servers.is_empty() {
            config.servers = Self::default().servers;
        }
        config
    }

    fn option(&mut self, option: &str) {
        let number = |name| option.strip_prefix(name)?.parse::<u32>().ok();
        if let Some(secs) = number("timeout:") {
            self.timeout = Duration::from_secs(u64::from(secs).clamp(1, TIMEOUT));
        }
        if let Some(attempts) = number("attempts:") {
            self.attempts = attempts.clamp(1, 5);
        }
    }
}

fn read(servers: &[SocketAddr], conf: &Path, hosts: Option<&Path>) -> Snapshot {
    let text = |path| fs::read_to_string(path).unwrap_or_default();
    let mut config = Config::read(&text(conf));
    if !servers.is_empty() {
        config.servers = servers.to_vec();
    }
    Snapshot { config, hosts: hosts.map(text).unwrap_or_default() }
}

fn stamps(conf: &Path, hosts: Option<&Path>) -> [Option<Stamp>; 2] {
    let stamp = |path: &Path| {
        let data = fs::metadata(path).ok()?;
        Some((data.modified().ok()?, data.len()))
    };
    [stamp(conf), hosts.and_then(stamp)]
}

/// How often the files are looked at, at most.
const EVERY: Duration = Duration::from_secs(1);
/// How long that may hold a look-up up.
const PATIENCE: Duration = Duration::from_millis(200);
/// Name servers that are asked, as many as other resolvers ask.
const SERVERS: usize = 3;
const PORT: u16 = 53;
/// Seconds for one question to one server: less than the five of other resolvers, because what asks waits for no more than ten.
const TIMEOUT: u64 = 2;
const ATTEMPTS: u32 = 3;
