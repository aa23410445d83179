//! The client's side of SOCKS5 ([RFC 1928](https://www.rfc-editor.org/rfc/rfc1928)), with the relay's name as it is.

use super::{Progress, ViaProblem};
use crate::base::Target;
use crate::codec::socks;
use crate::config::Via;

/// How far it has come, and what came and is not a whole message.
#[derive(Debug)]
pub(super) struct Socks {
    step: Step,
    came: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Greeting,
    Password,
    Request,
}

impl Socks {
    /// With the first bytes to send.
    pub(super) fn new(via: &Via) -> (Self, Vec<u8>) {
        let methods: &[socks::Method] = match via.account() {
            Some(_) => &[socks::Method::None, socks::Method::Password],
            None => &[socks::Method::None],
        };
        (Self { step: Step::Greeting, came: Vec::new() }, socks::greeting(methods))
    }

    /// Takes what came.
    pub(super) fn receive(
        &mut self,
        via: &Via,
        target: &Target,
        bytes: &[u8],
    ) -> Result<Progress, ViaProblem> {
        self.came.extend_from_slice(bytes);
        let mut say = Vec::new();
        loop {
            let came = core::mem::take(&mut self.came);
            let read = match self.step {
                Step::Greeting => {
                    two(&came).map(|([version, method], rest)| match (version, method, via.account()) {
                        (5, 0, _) => {
                            self.step = Step::Request;
                            say.extend(socks::connect_request(target));
                            Ok(rest.to_vec())
                        }
                        (5, 2, Some(account)) => {
                            self.step = Step::Password;
                            let (user, password) =
                                (account.user.as_bytes(), account.password.expose().as_bytes());
                            say.extend(socks::credentials(user, password));
                            Ok(rest.to_vec())
                        }
                        (5, ..) if via.account().is_none() => {
                            Err(ViaProblem::NeedsAccount { scheme: "socks5", offers: String::new() })
                        }
                        (5, ..) => Err(ViaProblem::WrongAccount),
                        _ => Err(ViaProblem::NotSocks),
                    })
                }
                Step::Password => two(&came).map(|([version, status], rest)| match (version, status) {
                    (1, 0) => {
                        self.step = Step::Request;
                        say.extend(socks::connect_request(target));
                        Ok(rest.to_vec())
                    }
                    (1, _) => Err(ViaProblem::WrongAccount),
                    _ => Err(ViaProblem::NotSocks),
                }),
                Step::Request => match socks::parse_reply(&came) {
                    Ok((0, rest)) => return Ok(Progress::Through(rest.to_vec())),
                    Ok((reply, _)) => Some(Err(ViaProblem::SocksRefused { reply, words: words(reply) })),
                    Err(socks::SocksError::Truncated) => None,
                    Err(_) => Some(Err(ViaProblem::NotSocks)),
                },
            };
            match read {
                Some(rest) => self.came = rest?,
                None => {
                    self.came = came;
                    return Ok(Progress::Say(say));
                }
            }
        }
    }
}

fn two(bytes: &[u8]) -> Option<([u8; 2], &[u8])> {
    bytes.split_first_chunk::<2>().map(|(head, rest)| (*head, rest))
}

/// RFC 1928 §6.
const fn words(reply: u8) -> &'static str {
    match reply {
        2 => "not allowed by its rules",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "too slow",
        7 => "it serves no CONNECT",
        8 => "it takes no names",
        _ => "general failure",
    }
}
