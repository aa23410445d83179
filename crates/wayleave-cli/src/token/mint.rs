//! `wayleave token mint`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use wayleave_proto::auth::{AppId, Claims, SigningKey, Token, Token04Claims, Token04Mode};
use wayleave_proto::base::{Secret, UnixTime};
use wayleave_settings::keys;
use wayleave_settings::options::{Word, read};
use wayleave_sockets::unix_now;

use super::random;
use super::scope::ScopeArgs;
use crate::Failure;
use crate::stdout::print;

/// Mint a token and print it, and nothing else, on standard output
#[derive(Debug, Args)]
pub(super) struct MintArgs {
    /// The file with the key, from `wayleave token keygen --out`
    #[arg(long, value_name = "FILE")]
    pub(super) keys: PathBuf,

    /// The application, a number or a short name
    #[arg(long, value_name = "ID", value_parser = read::<AppId>)]
    pub(super) app_id: AppId,

    /// The user (sub); limits are counted for each user of each application
    #[arg(long, visible_alias = "sub", value_name = "NAME")]
    pub(super) user: Option<String>,

    /// How long the token is good, like 10m, 1h or 7d
    #[arg(long, value_name = "TIME", value_parser = read::<Duration>)]
    pub(super) ttl: Duration,

    /// Which key of the file to use; needed where there are several
    #[arg(long, value_name = "ID")]
    pub(super) kid: Option<String>,

    /// The relay that it is meant for (aud), by the name of its --audience; can be given several times
    #[arg(long, visible_alias = "aud", value_name = "NAME")]
    pub(super) audience: Vec<String>,

    /// The token becomes good only after this time (nbf), and --ttl counts from there
    #[arg(long, visible_alias = "nbf", value_name = "TIME", value_parser = read::<Duration>)]
    pub(super) not_before: Option<Duration>,

    /// A name for this one token (jti), by which it can be revoked
    #[arg(long, visible_alias = "jti", value_name = "ID")]
    pub(super) token_id: Option<String>,

    #[command(flatten)]
    pub(super) scope: ScopeArgs,

    /// Which kind of token: jwt, or token04 with a [[token04]] secret of the application
    #[arg(long, help_heading = TOKEN04, value_name = "jwt|token04", default_value = "jwt", value_parser = read::<Format>)]
    pub(super) format: Format,

    /// How a Token04 is encrypted: gcm, or cbc, which has no authentication of its own [default: gcm]
    #[arg(long, help_heading = TOKEN04, value_name = "gcm|cbc", value_parser = read::<Token04Mode>)]
    pub(super) mode: Option<Token04Mode>,

    /// What a Token04 carries for the application, mostly JSON with room_id, privilege and stream_id_list
    #[arg(long, help_heading = TOKEN04, value_name = "TEXT")]
    pub(super) payload: Option<String>,
}

/// The kinds of token that can be minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Jwt,
    Token04,
}

impl Word for Format {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "jwt" => Ok(Self::Jwt),
            "token04" => Ok(Self::Token04),
            _ => Err("write jwt or token04".into()),
        }
    }
}

pub(super) fn run(args: &MintArgs) -> Result<(), Failure> {
    let token = mint(args, unix_now(), &random()?)?;
    print(Secret::new(format!("{}\n", token.expose())).expose())
}

/// Mints what `args` say at `now`; `random` is for the encryption of a Token04.
pub(super) fn mint(args: &MintArgs, now: UnixTime, random: &Secret<[u8; 16]>) -> Result<Token, Failure> {
    if args.ttl < Duration::from_secs(1) {
        return Err(Failure::usage(
            "--ttl: a token that is good for less than 1s is good for nobody; write 1h, say",
        ));
    }
    match args.format {
        Format::Jwt => jwt(args, now),
        Format::Token04 => token04(args, now, random),
    }
}

fn jwt(args: &MintArgs, now: UnixTime) -> Result<Token, Failure> {
    if args.mode.is_some() || args.payload.is_some() {
        return Err(Failure::usage("--mode and --payload are for --format token04; a JWT has neither"));
    }
    let (key, bound) = choose(args, keys::for_minting(&args.keys)?)?;
    if let Some(bound) = bound.filter(|bound| *bound != args.app_id) {
        let (shown, kid) = (args.keys.display(), key.kid());
        return Err(Failure::usage(format!(
            "{shown}: the key {kid} is for tokens of application {bound} alone; give --app-id {bound}, or another key \
             with --kid"
        )));
    }
    let begin = args.not_before.map(|wait| later(now, wait));
    let claims = Claims {
        app_id: Some(args.app_id.clone()),
        audience: args.audience.clone(),
        expires: Some(later(begin.unwrap_or(now), args.ttl)),
        issued: Some(now),
        not_before: begin,
        scope: args.scope.scope(),
        subject: args.user.clone(),
        token_id: args.token_id.clone(),
    };
    key.mint(&claims).map_err(Failure::usage)
}

fn token04(args: &MintArgs, now: UnixTime, random: &Secret<[u8; 16]>) -> Result<Token, Failure> {
    let has_more = !args.audience.is_empty()
        || args.not_before.is_some()
        || args.token_id.is_some()
        || args.kid.is_some()
        || !args.scope.is_empty();
    if has_more {
        return Err(Failure::usage(
            "a Token04 says the application, the user, the time and a payload, and nothing else; mint a JWT for \
             --audience, --not-before, --token-id, --kid and what narrows its scope, or narrow the application by \
             [[app]] in the relay's key file",
        ));
    }
    let user =
        args.user.clone().ok_or_else(|| Failure::usage("a Token04 needs its user; give --user NAME"))?;
    let found = keys::for_minting_token04(&args.keys)?.into_iter().find(|key| *key.app_id() == args.app_id);
    let key = found.ok_or_else(|| {
        let (shown, app_id) = (args.keys.display(), &args.app_id);
        Failure::usage(format!(
            "{shown}: there is no [[token04]] secret of application {app_id} in this file"
        ))
    })?;
    let claims = Token04Claims {
        user_id: user,
        issued: now,
        expires: later(now, args.ttl),
        payload: args.payload.clone().unwrap_or_default(),
    };
    key.mint(&claims, args.mode.unwrap_or(Token04Mode::Gcm), random.expose()).map_err(Failure::usage)
}

/// A key, and the application that it is for alone.
type Minter = (SigningKey, Option<AppId>);

fn choose(args: &MintArgs, keys: Vec<Minter>) -> Result<Minter, Failure> {
    let shown = args.keys.display();
    let known = keys.iter().map(|(key, _)| key.kid()).collect::<Vec<_>>().join(", ");
    let mut fit = keys.into_iter().filter(|(key, _)| args.kid.as_ref().is_none_or(|kid| kid == key.kid()));
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

const TOKEN04: &str = "Other kinds of token";
