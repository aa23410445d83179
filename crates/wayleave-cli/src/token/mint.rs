//! `wayleave token mint`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use wayleave_proto::auth::{AppId, Claims, SigningKey, Token};
use wayleave_proto::base::UnixTime;
use wayleave_proto::policy::Scope;
use wayleave_sockets::unix_now;

use crate::options::read;
use crate::{Failure, keys};

/// Mint a token and print it, and nothing else, on standard output
#[derive(Debug, Args)]
pub(super) struct MintArgs {
    /// The file with the key, from `wayleave token keygen --out`
    #[arg(long, value_name = "FILE")]
    pub(super) keys: PathBuf,

    /// The application, a number or a short name
    #[arg(long, value_name = "ID", value_parser = read::<AppId>)]
    pub(super) app_id: AppId,

    /// The user; limits are counted for each user of each application
    #[arg(long, value_name = "NAME")]
    pub(super) user: Option<String>,

    /// How long the token is good, like 10m, 1h or 7d
    #[arg(long, value_name = "TIME", value_parser = read::<Duration>)]
    pub(super) ttl: Duration,

    /// Which key of the file to use; needed where there are several
    #[arg(long, value_name = "ID")]
    pub(super) kid: Option<String>,

    /// The relay that it is meant for, by the name of its --audience; can be given several times
    #[arg(long, value_name = "NAME")]
    pub(super) audience: Vec<String>,

    /// The token becomes good only after this time, and --ttl counts from there
    #[arg(long, value_name = "TIME", value_parser = read::<Duration>)]
    pub(super) not_before: Option<Duration>,

    /// A name for this one token
    #[arg(long, value_name = "ID")]
    pub(super) token_id: Option<String>,
}

pub(super) fn run(args: &MintArgs) -> Result<(), Failure> {
    println!("{}", mint(args, unix_now())?.expose());
    Ok(())
}

pub(super) fn mint(args: &MintArgs, now: UnixTime) -> Result<Token, Failure> {
    if args.ttl < Duration::from_secs(1) {
        return Err(Failure::usage(
            "--ttl: a token that is good for less than 1s is good for nobody; write 1h, say",
        ));
    }
    let key = choose(args, keys::for_minting(&args.keys)?)?;
    let begin = args.not_before.map(|wait| later(now, wait));
    let claims = Claims {
        app_id: Some(args.app_id.clone()),
        audience: args.audience.clone(),
        expires: Some(later(begin.unwrap_or(now), args.ttl)),
        issued: Some(now),
        not_before: begin,
        scope: Scope::default(),
        subject: args.user.clone(),
        token_id: args.token_id.clone(),
    };
    key.mint(&claims).map_err(Failure::usage)
}

fn choose(args: &MintArgs, keys: Vec<SigningKey>) -> Result<SigningKey, Failure> {
    let shown = args.keys.display();
    let known = keys.iter().map(SigningKey::kid).collect::<Vec<_>>().join(", ");
    let mut fit = keys.into_iter().filter(|key| args.kid.as_ref().is_none_or(|kid| kid == key.kid()));
    match (fit.next(), fit.next()) {
        (Some(key), None) => Ok(key),
        (None, _) => Err(Failure::usage(format!("{shown}: there is no key of this kid; it has {known}"))),
        (Some(_), Some(_)) if args.kid.is_some() => {
            Err(Failure::usage(format!("{shown}: several keys have this kid; give each a name of its own")))
        }
        (Some(_), Some(_)) => {
            Err(Failure::usage(format!("{shown}: there are several keys; choose one with --kid: {known}")))
        }
    }
}

fn later(time: UnixTime, span: Duration) -> UnixTime {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    UnixTime::from_millis(time.as_millis().saturating_add(millis))
}
