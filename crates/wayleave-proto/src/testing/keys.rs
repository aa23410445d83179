//! Credentials and configurations for tests.

use core::time::Duration;
use std::sync::Arc;

use crate::auth::{Algorithm, Claims, Keys, SigningKey, Token};
use crate::base::UnixTime;
use crate::carrier::tls::PlainAcceptor;
use crate::config::RelayConfig;
use crate::policy::{AddressPolicy, TargetPolicy};

/// The key of every test.
pub fn signing_key() -> Option<SigningKey> {
    SigningKey::generate(Algorithm::EdDsa, "test", &[7; 32]).ok()
}

/// A token of user `alice` of application 1001 that expires `ttl` after `now`.
pub fn token(now: UnixTime, ttl: Duration) -> Option<Token> {
    let expires = UnixTime::from_millis(now.as_millis() + u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
    let claims = Claims {
        app_id: "1001".parse().ok(),
        subject: Some("alice".into()),
        issued: Some(now),
        expires: Some(expires),
        ..Claims::default()
    };
    signing_key()?.mint(&claims).ok()
}

/// The configuration of a relay without cryptography that knows the key of every test and forwards to private addresses.
pub fn relay_config() -> Option<RelayConfig> {
    let keys = Keys::new(vec![signing_key()?.verifying()]).ok()?;
    let mut config = RelayConfig::new(Arc::new(PlainAcceptor), keys);
    let allow = ["10.0.0.0/8".parse(), "fd00::/8".parse()].into_iter().flatten().collect();
    config.targets =
        TargetPolicy { addresses: AddressPolicy { allow, deny: Vec::new() }, ..TargetPolicy::default() };
    Some(config)
}
