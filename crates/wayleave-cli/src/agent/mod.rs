//! `wayleave agent`: the client as a process of its own, for programs that embed nothing.

mod association;
mod datagrams;
mod door;
mod events;
mod exchange;
mod forward;
mod listen;
mod options;
mod refusal;
mod rounds;
mod settings;
mod splice;
mod token;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout_at;
use tracing::info;
use wayleave_proto::base::{Kind, Target};
use wayleave_proto::local::{AssociationConfig, FrontConfig};
use wayleave_sockets::unix_now;
use wayleave_tokio::Client;

use crate::log::{self, Format};
use crate::signals::{Signals, Wish};
use crate::{Failure, descriptors};

use events::Journal;
use settings::Settings;

pub(crate) use options::AgentArgs;

/// Runs the agent until a signal ends it.
///
/// # Errors
/// What is wrong with the arguments or the configuration, or why it cannot start.
pub(crate) async fn run(args: AgentArgs) -> Result<(), Failure> {
    let environment = std::env::var("WAYLEAVE_TOKEN").ok().filter(|token| !token.is_empty());
    let args = args.complete(environment)?;
    log::start(args.log.as_deref(), Format::Text)?;
    // A flow has two sockets, and many systems allow 1024 where nobody asks for more.
    descriptors::raise();
    serve(Settings::new(args, unix_now())?).await
}

async fn serve(settings: Settings) -> Result<(), Failure> {
    let doors = Doors::open(&settings).await?;
    let mut signals = Signals::new()?;
    let journal = settings.events.map(|destination| Journal::open(destination, Instant::now()));
    let journal = journal.transpose()?.map(Arc::new);
    let client = Client::new(settings.client);
    let told = tokio::spawn(events::tell(client.events(), journal.clone()));
    let mut tasks = JoinSet::new();
    let watching = settings.watched.map(|seen| {
        let client = client.clone();
        wayleave_link::watch(seen, move |network| client.network_changed(network))
    });
    let watching =
        watching.transpose().map_err(|error| Failure::run(format!("cannot watch the network: {error}")))?;
    let again = match settings.token_file {
        Some(file) => {
            let again = Arc::new(Notify::new());
            tasks.spawn(token::watch(file.follow()?, client.clone(), Arc::clone(&again)));
            Some(again)
        }
        None => None,
    };
    doors.serve(&settings.front, settings.associations, &client, &mut tasks)?;
    while signals.next().await == Wish::Reload {
        journal.iter().for_each(|journal| journal.reopen());
        again.iter().for_each(|again| again.notify_one());
        if journal.is_none() && again.is_none() {
            info!("there is nothing to read or to open again; --token-file and --events are");
        }
    }
    let end = Instant::now() + LAST_WORDS;
    // Every task lets go of its flows; the client ends when what was written is delivered, and the events after it.
    tasks.shutdown().await;
    drop(watching);
    drop(client);
    let _ = timeout_at(end.into(), told).await;
    journal.iter().for_each(|journal| journal.finish(end));
    Ok(())
}

/// The local ports, open but not served yet.
struct Doors {
    fronts: Vec<TcpListener>,
    streams: Vec<(TcpListener, Target)>,
    datagrams: Vec<(UdpSocket, Target)>,
}

impl Doors {
    async fn open(settings: &Settings) -> Result<Self, Failure> {
        let mut doors = Self { fronts: Vec::new(), streams: Vec::new(), datagrams: Vec::new() };
        for address in &settings.listen {
            doors.fronts.push(listen::tcp(*address).await?);
        }
        for forward in &settings.forwards {
            let target = forward.target.clone();
            match forward.kind {
                Kind::Datagram => doors.datagrams.push((listen::udp(forward.listen).await?, target)),
                Kind::Stream => doors.streams.push((listen::tcp(forward.listen).await?, target)),
            }
        }
        Ok(doors)
    }

    fn serve(
        self,
        front: &FrontConfig,
        associations: AssociationConfig,
        client: &Client,
        tasks: &mut JoinSet<()>,
    ) -> Result<(), Failure> {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        for listener in self.fronts {
            listen::announce(listener.local_addr(), None)?;
            let (client, front) = (client.clone(), front.clone());
            tasks.spawn(listen::accept(listener, Arc::clone(&places), move |stream, peer| {
                door::serve(stream, peer, front.clone(), associations, client.clone())
            }));
        }
        for (listener, target) in self.streams {
            listen::announce(listener.local_addr(), Some(("tcp", &target)))?;
            let (client, rounds) = (client.clone(), rounds::Streams::default());
            tasks.spawn(listen::accept(listener, Arc::clone(&places), move |stream, peer| {
                forward::stream(stream, peer, target.clone(), rounds.clone(), client.clone())
            }));
        }
        for (socket, target) in self.datagrams {
            listen::announce(socket.local_addr(), Some(("udp", &target)))?;
            tasks.spawn(forward::datagrams(socket, target, associations.idle, client.clone()));
        }
        Ok(())
    }
}

/// Local connections at once, over all ports; more wait until one ends.
const CONNECTIONS: usize = 16_384;
/// How long the last bytes and events may take at the end.
const LAST_WORDS: Duration = Duration::from_millis(600);
