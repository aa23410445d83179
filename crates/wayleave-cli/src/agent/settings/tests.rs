use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use wayleave_proto::base::{Link, Target};
use wayleave_proto::local::Forward;

use super::*;

fn args() -> AgentArgs {
    AgentArgs {
        listen: vec!["127.0.0.1:0".parse().expect("an address")],
        mode: Some(Mode::Off),
        link: Some(LinkChoice::Fixed(Link::Wifi)),
        ..AgentArgs::default()
    }
}

fn relayed() -> AgentArgs {
    let proxy: Target = "localhost:8443".parse().expect("a target");
    AgentArgs { mode: None, proxy: vec![proxy], token: Some(Secret::new("opaque".into())), ..args() }
}

fn refused(args: AgentArgs) -> String {
    match Settings::new(args, UnixTime::from_secs(2_000_000_000)) {
        Ok(_) => "accepted".into(),
        Err(Failure::Usage(sentence)) => sentence,
        Err(Failure::Run(sentence)) => format!("at run time: {sentence}"),
    }
}

#[test]
fn the_smallest_agents_are_accepted() {
    let settings = Settings::new(args(), UnixTime::default()).expect("settings");
    let agent = &settings.agent;
    assert_eq!(agent.client.route.mode, Mode::Off);
    assert_eq!(agent.client.network, Network::up(Link::Wifi));
    assert!(agent.underlay.is_none() && settings.events.is_none() && agent.token_file.is_none());
}

#[test]
fn what_is_missing_or_wrong_is_named_with_a_remedy() {
    let missing = |name: &str| Some(std::env::temp_dir().join("wayleave-nowhere").join(name));
    let secret = |text: &str| Some(Secret::new(text.into()));
    let open: Vec<SocketAddr> = vec!["0.0.0.0:1080".parse().expect("an address")];
    let forward = |text: &str| vec![text.parse::<Forward>().expect("a forward")];
    // {"alg":"none"}.{"exp":1000000000}.x
    let expired = "eyJhbGciOiJub25lIn0.eyJleHAiOjEwMDAwMDAwMDB9.eA";
    let cases = [
        (AgentArgs { listen: vec![], ..args() }, "nothing to listen on; give --listen"),
        (AgentArgs { proxy: vec![], ..relayed() }, "no proxy is given; give --proxy HOST:PORT"),
        (AgentArgs { token: None, ..relayed() }, "mode smart needs a token; give --token-file"),
        (AgentArgs { token: secret(" "), ..relayed() }, "the token is empty"),
        (AgentArgs { token: secret("a b"), ..relayed() }, "the token cannot be used"),
        (AgentArgs { token: secret("bearer a.b.c"), ..relayed() }, "begins with the word Bearer"),
        (AgentArgs { token: secret("\"a.b.c\""), ..relayed() }, "stands in quotes"),
        (AgentArgs { token: secret("TOKEN=a.b.c"), ..relayed() }, "is a line like NAME=VALUE"),
        (AgentArgs { token: secret("[[jwt]]\n"), ..relayed() }, "is a key file"),
        (AgentArgs { token: None, token_file: missing("token"), ..relayed() }, "there is no such file"),
        (AgentArgs { ca: missing("ca.pem"), ..relayed() }, "there is no such file"),
        (AgentArgs { trial: Some(Duration::ZERO), ..relayed() }, "trial"),
        (AgentArgs { rescue_pause: Some(Duration::ZERO), ..relayed() }, "rescue-pause"),
        (AgentArgs { doubt_window: Some(Duration::ZERO), ..relayed() }, "doubt-window"),
        (AgentArgs { hedge: Some(Duration::ZERO), ..relayed() }, "hedge: give a time from 100 ms to 10 s"),
        (
            AgentArgs { silence: Some(Duration::ZERO), ..relayed() },
            "silence: give a time from 500 ms to 1 min",
        ),
        (
            AgentArgs { keep_alive: Some(Duration::ZERO), ..relayed() },
            "keep-alive: give a time from 10 s to 2 h",
        ),
        (AgentArgs { user_timeout: Some(Duration::ZERO), ..relayed() }, "user-timeout: give a time from 5 s"),
        (AgentArgs { listen: open.clone(), ..args() }, "can be reached from other machines"),
        (AgentArgs { local_user: secret("hidden"), ..args() }, "NAME:PASSWORD"),
        (AgentArgs { local_user: secret(":hidden"), ..args() }, "user name"),
        (AgentArgs { forward: forward("tcp:0.0.0.0:1=a:1"), ..args() }, "cannot ask for a password"),
        (
            AgentArgs { forward: forward("udp:127.0.0.1:1=localhost:1"), ..args() },
            "leads to itself; give it the port",
        ),
        (
            AgentArgs { forward: forward("udp:0.0.0.0:1=127.0.0.1:1"), open_forwards: true, ..args() },
            "leads to itself",
        ),
        (AgentArgs { association_targets: Some(0), ..args() }, "--association-targets: 0 targets"),
        (AgentArgs { datagram_idle: Some(Duration::from_secs(9)), ..args() }, "give a time from 2m"),
    ];
    for (args, expected) in cases {
        let said = refused(args);
        assert!(said.contains(expected) && !said.contains("hidden"), "{expected}: {said}");
    }
    let opened = [
        // The clock of this machine may be wrong.
        AgentArgs { token: secret(expired), ..relayed() },
        AgentArgs { listen: open, local_user: secret("alice:wonder"), ..args() },
        AgentArgs { forward: forward("udp:0.0.0.0:1=a:1"), open_forwards: true, ..args() },
    ];
    for args in opened {
        assert_eq!(refused(args), "accepted");
    }
}

#[test]
fn a_ca_file_without_a_certificate_is_refused() {
    let path = std::env::temp_dir().join(format!("wayleave-ca-{}.pem", std::process::id()));
    fs::write(&path, "not a certificate\n").expect("a file");
    let said = refused(AgentArgs { ca: Some(path.clone()), ..relayed() });
    let _ = fs::remove_file(path);
    assert!(said.contains("no certificate found"), "{said}");
}

#[test]
fn beside_an_app_sign_a_token_may_be_there_and_empty() {
    let path = std::env::temp_dir().join(format!("wayleave-sign-{}", std::process::id()));
    fs::write(&path, "5".repeat(64)).expect("a file");
    let secret = |text: &str| Some(Secret::new(text.into()));
    let signed = |token| AgentArgs {
        token,
        app_id: Some(1_001.into()),
        app_sign_file: Some(path.clone()),
        ..relayed()
    };
    for token in [None, secret(""), secret(" \n")] {
        assert_eq!(refused(signed(token)), "accepted");
    }
    let both = refused(signed(secret("opaque")));
    let alone = refused(AgentArgs { app_sign_file: None, ..signed(secret("opaque")) });
    let _ = fs::remove_file(&path);
    assert!(both.contains("give one of them"), "{both}");
    assert!(alone.contains("--app-sign-file"), "{alone}");
}

#[test]
fn when_a_token_is_announced_can_be_chosen() {
    let warning = |given: Option<u64>| {
        let args = AgentArgs { token_warning: given.map(Duration::from_secs), ..relayed() };
        Settings::new(args, UnixTime::default()).map(|settings| settings.agent.client.limits.token_warning)
    };
    assert_eq!(warning(None), Ok(Duration::from_secs(30)));
    assert_eq!(warning(Some(300)), Ok(Duration::from_secs(300)));
    let error = warning(Some(100_000)).unwrap_err().to_string();
    assert!(error.starts_with("token-warning: give a time of at most 1 day"), "{error}");
}
