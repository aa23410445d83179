//! `wayleave agent`: the client as a process of its own, for programs that embed nothing.

mod events;
mod options;
mod settings;
mod way;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout_at;
use tracing::info;
use wayleave_agent::{Agent, AgentError};
use wayleave_settings::relay::LogFormat;
use wayleave_sockets::unix_now;

use crate::log;
use crate::signals::{Signals, Wish};
use crate::{Failure, descriptors};

use events::Journal;
use settings::Settings;

pub(crate) use options::AgentArgs;
pub(crate) use way::Way;

/// Runs the agent until a signal ends it.
///
/// # Errors
/// What is wrong with the arguments or the configuration, or why it cannot start.
pub(crate) async fn run(args: AgentArgs) -> Result<(), Failure> {
    let environment = std::env::var("WAYLEAVE_TOKEN").ok().filter(|token| !token.is_empty());
    let args = args.complete(environment)?;
    log::start(args.log.as_deref(), LogFormat::Text)?;
    // A flow has two sockets, and many systems allow 1024 where nobody asks for more.
    descriptors::raise();
    serve(Settings::new(args, unix_now())?).await
}

async fn serve(settings: Settings) -> Result<(), Failure> {
    let began = Instant::now();
    if let Some(told) = &settings.told {
        log::say("INFO", told);
    }
    let agent = Agent::start(settings.agent).await.map_err(failed)?;
    let mut signals = Signals::new()?;
    let journal = settings.events.map(|destination| Journal::open(destination, began));
    let journal = journal.transpose()?.map(Arc::new);
    let told = tokio::spawn(events::tell(agent.events(), journal.clone()));
    for door in agent.doors() {
        log::say("INFO", &format!("listening on {door}"));
    }
    let reload = async {
        while signals.next().await == Wish::Reload {
            journal.iter().for_each(|journal| journal.reopen());
            if !agent.read_token() && journal.is_none() {
                info!("there is nothing to read or to open again; --token-file and --events are");
            }
        }
    };
    tokio::select! {
        () = reload => {}
        () = events::explain(agent.client()) => {}
    }
    let end = Instant::now() + LAST_WORDS;
    agent.close(LAST_WORDS).await;
    let _ = timeout_at(end.into(), told).await;
    journal.iter().for_each(|journal| journal.finish(end));
    Ok(())
}

/// What is wrong with an agent, with the option that mends it.
fn failed(error: AgentError) -> Failure {
    match error {
        AgentError::Listen { .. } | AgentError::TokenFile(_) | AgentError::Watch(_) => Failure::run(error),
        error => Failure::usage(settings::named(&error)),
    }
}

/// How long the last bytes and events may take at the end.
const LAST_WORDS: Duration = Duration::from_millis(600);
