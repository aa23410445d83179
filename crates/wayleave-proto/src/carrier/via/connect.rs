//! The client's side of HTTP CONNECT, with Basic and Digest where the proxy asks who the user is.

use super::{Progress, ViaProblem};
use crate::base::Target;
use crate::codec::digest::{Challenge, choose, offered};
use crate::codec::h1::{HeadLimits, HeadReader, ResponseHead, push_field};
use crate::config::{Via, ViaScheme};

/// How far it has come.
#[derive(Debug)]
pub(super) struct Connect {
    reader: Box<HeadReader>,
    /// Bytes of the content of a refusal that are still to come.
    skip: usize,
    /// The challenge that was answered last.
    answered: Option<Challenge>,
    /// How often the proxy has asked.
    asked: u8,
    /// A word that nobody can guess.
    cnonce: String,
}

impl Connect {
    /// With the first bytes to send; `known` is how the proxy asked before.
    pub(super) fn new(
        via: &Via,
        target: &Target,
        known: Option<Challenge>,
        cnonce: String,
    ) -> (Self, Vec<u8>) {
        let this = Self {
            reader: Box::new(HeadReader::new(HeadLimits::default())),
            skip: 0,
            answered: known,
            asked: 0,
            cnonce,
        };
        let request = this.request(via, target);
        (this, request)
    }

    /// Takes what came.
    pub(super) fn receive(
        &mut self,
        via: &Via,
        target: &Target,
        bytes: &[u8],
    ) -> Result<Progress, ViaProblem> {
        let mut rest = bytes;
        let mut say = Vec::new();
        loop {
            let skipped = self.skip.min(rest.len());
            self.skip -= skipped;
            rest = rest.get(skipped..).unwrap_or_default();
            if self.skip > 0 || rest.is_empty() {
                return Ok(Progress::Say(say));
            }
            let progress = self.reader.push(rest).map_err(|error| ViaProblem::NotHttp(error.reason))?;
            rest = rest.get(progress.consumed..).unwrap_or_default();
            if !progress.complete {
                return Ok(Progress::Say(say));
            }
            let head = self.reader.take();
            let head = ResponseHead::parse(&head).map_err(ViaProblem::NotHttp)?;
            match head.status {
                100..=199 => {}
                200..=299 => return Ok(Progress::Through(rest.to_vec())),
                407 => {
                    self.on_challenge(via, &head)?;
                    say.extend(self.request(via, target));
                }
                // Some say so of a wrong password, as a server would.
                401 if self.answered.is_some() => return Err(ViaProblem::WrongAccount),
                status @ (502..=504) => return Err(ViaProblem::Unreachable { status }),
                status => return Err(ViaProblem::Refused { status }),
            }
        }
    }

    /// The proxy asks who the user is.
    fn on_challenge(&mut self, via: &Via, head: &ResponseHead<'_>) -> Result<(), ViaProblem> {
        let fields = head.fields();
        let values: Vec<&str> =
            fields.all("proxy-authenticate").filter_map(|value| core::str::from_utf8(value).ok()).collect();
        if via.account().is_none() {
            let scheme = if via.scheme() == ViaScheme::Https { "https" } else { "http" };
            return Err(ViaProblem::NeedsAccount { scheme, offers: offered(values) });
        }
        let challenge = choose(values).map_err(ViaProblem::Unanswerable)?;
        let is_old = matches!(&challenge, Challenge::Digest(digest) if digest.stale);
        self.asked = self.asked.saturating_add(1);
        let ends = head.minor == 0
            || fields.lists("connection", "close")
            || fields.lists("proxy-connection", "close");
        let length =
            fields.only("content-length").and_then(|value| core::str::from_utf8(value).ok()?.parse().ok());
        // A nonce from an earlier connection may have grown old without a word about that, where it can be asked again.
        let is_spent = match &self.answered {
            None => false,
            Some(Challenge::Digest(_)) if self.asked == 1 && !ends => false,
            Some(_) => !is_old,
        };
        if is_spent || self.asked > MOST_ASKED {
            return Err(ViaProblem::WrongAccount);
        }
        match length {
            Some(length) if !ends && length <= MOST_SKIPPED && !fields.has("transfer-encoding") => {
                (self.skip, self.answered) = (length, Some(challenge));
                Ok(())
            }
            _ => Err(ViaProblem::Challenged(Box::new(challenge))),
        }
    }

    fn request(&self, via: &Via, target: &Target) -> Vec<u8> {
        let authority = target.to_string();
        let mut out = format!("CONNECT {authority} HTTP/1.1\r\n").into_bytes();
        push_field(&mut out, "Host", &authority);
        if let (Some(challenge), Some(account)) = (&self.answered, via.account()) {
            let account = (account.user.as_str(), account.password.expose().as_str());
            let value = challenge.answer(account, ("CONNECT", &authority), &self.cnonce);
            push_field(&mut out, "Proxy-Authorization", &value);
        }
        out.extend(b"\r\n");
        out
    }
}

/// How often a proxy may ask on one connection.
const MOST_ASKED: u8 = 3;
/// So much of what a refusal says is read.
const MOST_SKIPPED: usize = 256 * 1024;
