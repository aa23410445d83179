//! What an application does, and the servers that it talks to.

use core::fmt;
use core::time::Duration;

use wayleave_proto::base::Kind;

/// What an application does, and when.
#[derive(Clone, Debug, Default)]
pub struct Application {
    /// The steps, each with its moment.
    pub steps: Vec<(Duration, Step)>,
}

/// One thing that an application does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It opens a flow.
    Open(FlowPlan),
    /// It asks for a new trial.
    Retry(Option<Kind>),
    /// It knows that direct works.
    DirectWorks(Kind),
    /// It renews its token with a good one for that long.
    Renew(Duration),
    /// It is suspended for that long: nothing of it runs, its network goes on.
    Suspend(Duration),
    /// It gives every flow back.
    ReleaseAll,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(plan) => write!(f, "opens a {plan}"),
            Self::Retry(Some(kind)) => write!(f, "asks for a new trial of {kind}s"),
            Self::Retry(None) => f.write_str("asks for a new trial"),
            Self::DirectWorks(kind) => write!(f, "says that direct works for {kind}s"),
            Self::Renew(ttl) => write!(f, "renews its token for {} s", ttl.as_secs_f64()),
            Self::Suspend(span) => write!(f, "is suspended for {} s", span.as_secs_f64()),
            Self::ReleaseAll => f.write_str("gives every flow back"),
        }
    }
}

/// One flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowPlan {
    /// Its kind.
    pub kind: Kind,
    /// Whom it talks to.
    pub server: Server,
    /// Bytes of a stream to the server; datagrams of a datagram flow.
    pub up: u32,
    /// Bytes of a stream from the server; bytes of each datagram.
    pub down: u32,
    /// How a stream ends.
    pub ending: Ending,
    /// The pause between two datagrams, or after each read of 2 KiB of a stream whose reader is slow; zero for none.
    pub pace: Duration,
    /// A stream begins with a ClientHello, and says no more until something came back.
    pub tls: bool,
}

impl FlowPlan {
    /// A stream that sends `up` bytes, gets `down`, and ends.
    pub const fn stream(up: u32, down: u32) -> Self {
        Self {
            kind: Kind::Stream,
            server: Server::Good,
            up,
            down,
            ending: Ending::ClientFirst,
            pace: Duration::ZERO,
            tls: false,
        }
    }

    /// Datagrams of 160 bytes, one each 20 ms.
    pub const fn datagrams(count: u32) -> Self {
        let pace = Duration::from_millis(20);
        Self {
            kind: Kind::Datagram,
            server: Server::Good,
            up: count,
            down: 160,
            ending: Ending::ClientFirst,
            pace,
            tls: false,
        }
    }

    /// Datagrams of 160 bytes without an end, one each `pace`.
    pub const fn endless(pace: Duration) -> Self {
        Self { pace, ending: Ending::Open, ..Self::datagrams(u32::MAX) }
    }

    /// To another server.
    #[must_use]
    pub const fn to(mut self, server: Server) -> Self {
        self.server = server;
        self
    }

    /// Beginning with a ClientHello.
    #[must_use]
    pub const fn over_tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// With another end.
    #[must_use]
    pub const fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }
}

impl fmt::Display for FlowPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Datagram => "datagram flow",
            Kind::Stream => "stream",
        })
    }
}

/// How a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The application ends its half once it has sent everything; the server answers with its own end.
    ClientFirst,
    /// The server ends its half first.
    ServerFirst,
    /// The application gives the stream back once it has sent everything, whatever is still to come.
    Released,
    /// The application breaks the stream off.
    Reset,
    /// Nobody ends it before the faults are over.
    Open,
}

/// Whom an application can talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Server {
    /// It answers, and is known by name.
    Good,
    /// It answers, and is known by its address.
    ByAddress,
    /// It answers at port 5000, which many firewalls do not let out.
    HighPort,
    /// It refuses connections, and datagrams.
    Refusing,
    /// It takes connections and never says a word, nor does it answer datagrams.
    Silent,
    /// It breaks connections off after the first bytes.
    Resetting,
    /// Its name does not exist.
    Unknown,
    /// It has two addresses; nobody is at the first.
    HalfDead,
    /// Its name leads to a private address.
    Private,
}

impl Server {
    /// Every server, the harmless first.
    pub const ALL: [Self; 9] = [
        Self::Good,
        Self::ByAddress,
        Self::HighPort,
        Self::HalfDead,
        Self::Refusing,
        Self::Silent,
        Self::Resetting,
        Self::Unknown,
        Self::Private,
    ];

    /// Whether it answers whoever reaches it.
    pub const fn answers(self) -> bool {
        matches!(self, Self::Good | Self::ByAddress | Self::HighPort | Self::HalfDead)
    }
}
