//! `wayleave admin`: what an operator says to a relay that runs.

mod connect;
mod form;
mod http;
mod secret;
mod table;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;
use wayleave_proto::auth::AppId;
use wayleave_settings::options::read;
use wayleave_settings::relay::Place;

use crate::Failure;
use crate::stdout::print;

pub(crate) use connect::Duplex;
pub(crate) use form::decode;
pub(crate) use http::{Fault, Request, encode};
pub(crate) use secret::AdminSecret;

/// Ask a relay that runs, or tell it something, by its admin interface.
///
/// The relay was started with --admin and, on TCP, with --admin-secret-file.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AdminArgs {
    /// Where the admin interface of the relay is
    #[arg(long, value_name = "ADDRESS:PORT|unix:PATH", value_parser = read::<Place>)]
    admin: Place,

    /// The file with the secret that the relay was given, for an interface on TCP
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,

    #[command(subcommand)]
    order: Order,
}

/// What to tell the relay.
#[derive(Clone, Debug, Subcommand)]
enum Order {
    /// List the connections of clients that are open
    Connections(List),
    /// Stop accepting, let what is open finish for the time of --drain, then end; as the first SIGTERM does
    Drain,
    /// Print what the relay counts, in the text format of Prometheus
    Metrics,
    /// Read the key files and the certificate again; as SIGHUP does
    Reload,
    /// Refuse a token, a user or an application from now on, and end what they have open
    ///
    /// It holds until the relay ends; write it as [[revoked]] into a key file, and it holds for ever. With both --app-id
    /// and --user it is that user of that application alone.
    Revoke(Revoke),
    /// Print what the relay counts, as JSON
    Stats,
    /// List the tunnels that are open or on their way: whose they are, where they go, and what they have moved
    ///
    /// Names of connections, tunnels and users are those of the relay's log.
    Tunnels(List),
}

#[derive(Clone, Debug, Args)]
struct List {
    /// At most so many rows, up to 10000 [default: 1000]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: Option<u16>,

    /// As JSON, in the place of a table
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = true)]
struct Revoke {
    /// The name of one token (jti)
    #[arg(long, value_name = "ID", conflicts_with_all = ["user", "app_id"], value_parser = NonEmptyStringValueParser::new())]
    jti: Option<String>,

    /// Every token of this user (sub)
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    user: Option<String>,

    /// Every token of this application
    #[arg(long, value_name = "ID", value_parser = read::<AppId>)]
    app_id: Option<AppId>,
}

/// Sends the order and prints the answer.
///
/// # Errors
/// The relay cannot be reached, or why it would not.
pub(crate) async fn run(args: AdminArgs) -> Result<(), Failure> {
    let secret = args.secret_file.as_deref().map(AdminSecret::read).transpose()?;
    let (method, path, body) = args.order.request();
    let answer = timeout(PATIENCE, ask(&args.admin, secret.as_ref(), method, &path, &body)).await;
    let place = &args.admin;
    let (status, text) = answer.map_err(|_| {
        Failure::run(format!("{place} does not answer; is this the admin interface of a relay?"))
    })??;
    match status {
        200..=299 => print(&args.order.shown(text)),
        401 => Err(Failure::run(format!(
            "{place} does not accept the secret; give the file of the relay's --admin-secret-file with --secret-file"
        ))),
        _ => Err(Failure::run(text.trim_end())),
    }
}

async fn ask(
    place: &Place,
    secret: Option<&AdminSecret>,
    method: &str,
    path: &str,
    body: &str,
) -> Result<(u16, String), Failure> {
    let unreachable = |error: std::io::Error| {
        Failure::run(format!(
            "{place} cannot be reached: {error}; is the relay running with --admin {place}?"
        ))
    };
    let mut stream = connect::connect(place).await.map_err(unreachable)?;
    let authorization = secret.map(AdminSecret::authorization);
    let mut fields = vec![("Host", "relay")];
    if !body.is_empty() {
        fields.push(("Content-Type", "application/x-www-form-urlencoded"));
    }
    if let Some(value) = &authorization {
        fields.push(("Authorization", value.expose()));
    }
    let request = encode(&format!("{method} {path} HTTP/1.1"), &fields, body);
    stream.write_all(request.expose()).await.map_err(unreachable)?;
    http::read_answer(&mut stream).await.map_err(|_| {
        Failure::run(format!(
            "{place} does not answer as the admin interface of a relay does; check the address"
        ))
    })
}

impl Order {
    /// Method, path and body.
    fn request(&self) -> (&'static str, String, String) {
        let list = |path: &str, list: &List| {
            let limit = list.limit.map_or(String::new(), |limit| format!("?limit={limit}"));
            ("GET", format!("{path}{limit}"), String::new())
        };
        match self {
            Self::Connections(wanted) => list("/connections", wanted),
            Self::Tunnels(wanted) => list("/tunnels", wanted),
            Self::Drain => ("POST", "/drain".into(), String::new()),
            Self::Metrics => ("GET", "/metrics".into(), String::new()),
            Self::Reload => ("POST", "/reload".into(), String::new()),
            Self::Revoke(Revoke { jti, user, app_id }) => {
                let app_id = app_id.as_ref().map(AppId::as_str);
                let pairs = [("jti", jti.as_deref()), ("user", user.as_deref()), ("app_id", app_id)];
                let given: Vec<_> =
                    pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
                ("POST", "/revoke".into(), form::encode(&given))
            }
            Self::Stats => ("GET", "/stats".into(), String::new()),
        }
    }

    /// What is printed of an answer.
    fn shown(&self, answer: String) -> String {
        match self {
            Self::Connections(List { json: false, .. }) => table::connections(&answer).unwrap_or(answer),
            Self::Tunnels(List { json: false, .. }) => table::tunnels(&answer).unwrap_or(answer),
            _ => answer,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  wayleave admin --admin unix:/run/wayleave/admin.sock revoke --app-id 1001 --user alice
  wayleave admin --admin unix:/run/wayleave/admin.sock tunnels --limit 20
  wayleave admin --admin 127.0.0.1:9440 --secret-file admin-secret.txt stats

Exit status: 0 when the relay did it, 2 for a wrong argument, 1 when the relay cannot be reached or would not.";

/// How long a relay may take.
const PATIENCE: Duration = Duration::from_secs(10);
