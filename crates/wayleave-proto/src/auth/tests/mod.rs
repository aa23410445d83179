mod field;
mod foreign;
mod jwks;
mod key;
mod token;
mod verdicts;
mod verify;

use super::{Algorithm, Claims, Keys, SigningKey};
use crate::base::UnixTime;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

fn signing(algorithm: Algorithm, kid: &str) -> SigningKey {
    SigningKey::generate(algorithm, kid, &[7; 32]).unwrap()
}

fn keys(signing: &[&SigningKey]) -> Keys {
    Keys::new(signing.iter().map(|key| key.verifying()).collect::<Vec<_>>()).unwrap()
}

/// Good for an hour from [`NOW`] on.
fn claims() -> Claims {
    Claims {
        app_id: Some(1001.into()),
        subject: Some("alice".to_owned()),
        issued: Some(NOW),
        expires: Some(UnixTime::from_secs(NOW.as_secs() + 3_600)),
        ..Claims::default()
    }
}
