//! Credentials of every kind, and the keys of relays.

use core::time::Duration;
use std::collections::BTreeMap;

use anyhow::Context as _;
use wayleave_proto::auth::{
    Algorithm, AppId, AppSign, Claims, Credential as Shown, Keys, KeysConfig, Revoked, SigningKey, Token,
    Token04Claims, Token04Key, Token04Mode,
};
use wayleave_proto::base::UnixTime;
use wayleave_proto::policy::{HostPattern, Kinds, OnExpiry, PortRange, Rates, Scope, TargetRule, Targets};

use super::World;
use super::build::unix;
use crate::laws::Right;
use crate::scenario::{Allowed, AtExpiry, ClientPlan, Credential, Places};

impl World {
    /// A credential of a client that starts now, which the laws know from now on.
    pub(super) fn credential(
        &mut self,
        client: usize,
        credential: Credential,
        allowed: Allowed,
    ) -> anyhow::Result<Shown> {
        let now = UnixTime::from_millis(unix(0).as_millis() + self.now.as_millis());
        let user = format!("user {client}");
        let until = |span: Duration| after(now, span);
        let (shown, app, subject, expires) = match credential {
            Credential::AppSign | Credential::ForgedSign => {
                let key = if credential == Credential::AppSign { GOOD_KEY } else { BAD_KEY };
                let text = sign_text(client, key);
                self.secrets.add(&text);
                (AppSign::new(sign_app(client), &text)?.into(), sign_app(client), "", None)
            }
            Credential::Token04(span) => {
                let claims = Token04Claims {
                    user_id: user.clone(),
                    issued: now,
                    expires: until(span),
                    payload: String::new(),
                };
                let mut random = [0; 16];
                crate::crypto::draw(&mut random);
                let token = token04_key(client)?.mint(&claims, Token04Mode::Gcm, &random)?;
                self.secrets.add(token.expose());
                (token.into(), token04_app(client).into(), user.as_str(), Some(until(span)))
            }
            Credential::Lasting | Credential::Short(_) | Credential::Expired | Credential::Forged => {
                let (key, issued, span) = match credential {
                    Credential::Short(span) => (GOOD_KEY, now, span),
                    Credential::Expired => {
                        (GOOD_KEY, UnixTime::from_millis(now.as_millis() - LONG_AGO), Duration::ZERO)
                    }
                    Credential::Forged => (BAD_KEY, now, DAY),
                    _ => (GOOD_KEY, now, DAY),
                };
                let token = mint(self.scenario.fast, key, &user, issued, span, scope(&allowed)?)?;
                self.secrets.add(token.expose());
                (token.into(), AppId::from(APP), user.as_str(), Some(after(issued, span)))
            }
        };
        let user = format!("{app}/{subject}");
        self.grants.right(Right { client, user, good: credential.is_known(), expires, allowed });
        Ok(shown)
    }
}

/// The keys of a relay: the ones that good credentials fit, or others.
pub(super) fn keys(clients: &[ClientPlan], fast: bool, has_keys: bool) -> anyhow::Result<Keys> {
    if !has_keys {
        return Ok(Keys::new(vec![signing_key(fast, OTHER_KEY)?.verifying()])?);
    }
    let mut config =
        KeysConfig { jwt: vec![signing_key(fast, GOOD_KEY)?.verifying()], ..KeysConfig::default() };
    let mut apps = BTreeMap::new();
    let is_other = |plan: &ClientPlan| {
        matches!(plan.credential, Credential::AppSign | Credential::ForgedSign | Credential::Token04(_))
    };
    for (client, plan) in clients.iter().enumerate().filter(|(_, plan)| is_other(plan)) {
        config.token04.push(token04_key(client)?);
        config.app_sign.push(AppSign::new(sign_app(client), &sign_text(client, GOOD_KEY))?.public());
        // These carry no scope of their own, so the operator says it of their application.
        apps.insert(sign_app(client), scope(&plan.allowed)?);
        apps.insert(token04_app(client).into(), scope(&plan.allowed)?);
    }
    config.apps = apps;
    Ok(Keys::new(config)?)
}

/// How the laws name somebody whose signed tokens these are.
pub(super) fn user(name: &str) -> String {
    format!("{APP}/{name}")
}

/// What has to be revoked so that a client can do nothing any more, whatever it shows.
pub(super) fn revocations(client: usize) -> [Revoked; 2] {
    [Revoked::User { user: format!("user {client}"), app_id: None }, Revoked::App(sign_app(client))]
}

/// A signed token.
pub(super) fn mint(
    fast: bool,
    key: u8,
    user: &str,
    issued: UnixTime,
    span: Duration,
    scope: Scope,
) -> anyhow::Result<Token> {
    let claims = Claims {
        app_id: Some(APP.into()),
        subject: Some(user.to_owned()),
        issued: Some(issued),
        expires: Some(after(issued, span)),
        scope,
        ..Claims::default()
    };
    Ok(signing_key(fast, key)?.mint(&claims)?)
}

/// What must never be shown of a relay: the seeds and secrets of keys.
pub(super) fn key_secrets(clients: usize) -> Vec<Vec<u8>> {
    let secrets = (0..clients).map(|client| token04_secret(client).into_bytes());
    secrets.chain([vec![GOOD_KEY; 32], vec![OTHER_KEY; 32]]).collect()
}

fn scope(allowed: &Allowed) -> anyhow::Result<Scope> {
    let any = TargetRule::default;
    let rule = match allowed.places {
        Places::Everywhere => None,
        Places::OneName => Some(TargetRule { hosts: vec![Places::NAME.parse::<HostPattern>()?], ..any() }),
        Places::OneAddress => {
            Some(TargetRule { hosts: vec![Places::ADDRESS.to_string().parse::<HostPattern>()?], ..any() })
        }
        Places::Port443 => Some(TargetRule { ports: vec![PortRange::new(443, 443)?], ..any() }),
        Places::Streams => Some(TargetRule { kinds: Kinds { streams: true, datagrams: false }, ..any() }),
        Places::Datagrams => Some(TargetRule { kinds: Kinds { streams: false, datagrams: true }, ..any() }),
        Places::Nowhere => None,
    };
    let targets = match (allowed.places, rule) {
        (Places::Everywhere, _) => Targets::ANY,
        (_, rule) => Targets::new(rule.into_iter().collect()),
    };
    let rates =
        Rates { bits_per_second: allowed.rate.map(|rate| 8 * u64::from(rate)), packets_per_second: None };
    Ok(Scope {
        targets,
        to_target: rates,
        to_client: rates,
        volume: allowed.volume.map(u64::from),
        tunnels: allowed.tunnels,
        on_expiry: match allowed.at_expiry {
            AtExpiry::Keep => None,
            AtExpiry::RefuseNew => Some(OnExpiry::RefuseNew),
            AtExpiry::CloseAfter(grace) => Some(OnExpiry::CloseAfter(grace)),
        },
    })
}

/// A key; a `fast` one signs with a digest.
fn signing_key(fast: bool, number: u8) -> anyhow::Result<SigningKey> {
    let kid = if number == OTHER_KEY { "other" } else { "sim" };
    let algorithm = if fast { Algorithm::Hs256 } else { Algorithm::EdDsa };
    Ok(SigningKey::generate(algorithm, kid, &[number; 32])?)
}

fn sign_app(client: usize) -> AppId {
    AppId::from(SIGN_APPS + u32::try_from(client).unwrap_or_default())
}

fn sign_text(client: usize, key: u8) -> String {
    let client = u8::try_from(client).unwrap_or(u8::MAX);
    (0..32).map(|index| format!("{:02x}", client.wrapping_mul(31) ^ key.wrapping_mul(11) ^ index)).collect()
}

fn token04_app(client: usize) -> u32 {
    TOKEN04_APPS + u32::try_from(client).unwrap_or_default()
}

fn token04_secret(client: usize) -> String {
    format!("secret of the application {client:06}")
}

fn token04_key(client: usize) -> anyhow::Result<Token04Key> {
    Token04Key::new(token04_app(client), token04_secret(client).as_bytes()).context("a secret of 32 bytes")
}

fn after(time: UnixTime, span: Duration) -> UnixTime {
    UnixTime::from_millis(time.as_millis() + u64::try_from(span.as_millis()).unwrap_or_default())
}

pub(super) const GOOD_KEY: u8 = 7;
const OTHER_KEY: u8 = 8;
const BAD_KEY: u8 = 9;
const APP: u32 = 1_001;
const SIGN_APPS: u32 = 2_000;
const TOKEN04_APPS: u32 = 3_000;
const DAY: Duration = Duration::from_secs(86_400);
const LONG_AGO: u64 = 7_200_000;
