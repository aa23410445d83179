use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    args: AgentArgs,
}

fn given(words: &[&str]) -> Result<AgentArgs, String> {
    let words = ["agent"].iter().chain(words);
    Command::try_parse_from(words).map(|command| command.args).map_err(|error| error.to_string())
}

fn file(text: &str) -> Result<AgentArgs, String> {
    AgentArgs::from_text(Path::new("agent.toml"), text).map_err(|failure| failure.to_string())
}

fn shown<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

#[test]
fn the_file_says_everything_that_the_flags_say() {
    let flags = [
        "--listen=127.0.0.1:1080",
        "--listen=[::1]:1080",
        "--forward=tcp:127.0.0.1:8080=web.example:80",
        "--open-forwards",
        "--proxy=localhost:8443",
        "--ca=ca.pem",
        "--token-file=token.txt",
        "--token-warning=2m",
        "--mode=normal",
        "--link=wifi",
        "--trial=1500ms",
        "--hedge=2s",
        "--silence=3s",
        "--keep-alive=50s",
        "--user-timeout=20s",
        "--scope=session",
        "--rescue=off",
        "--rescue-pause=2m",
        "--doubt=off",
        "--doubt-window=20s",
        "--check-token=off",
        "--probe=udp:stun.example:3478",
        "--events=-",
        "--local-user=alice:wonder",
        "--association-targets=9",
        "--datagram-idle=3m",
        "--log=debug",
    ];
    let text = r#"
        listen = ["127.0.0.1:1080", "[::1]:1080"]
        forward = "tcp:127.0.0.1:8080=web.example:80"
        open-forwards = true
        proxy = "localhost:8443"
        ca = "ca.pem"
        token-file = "token.txt"
        token-warning = "2m"
        mode = "normal"
        link = "wifi"
        trial = "1500ms"
        hedge = "2s"
        silence = "3s"
        keep-alive = "50s"
        user-timeout = "20s"
        scope = "session"
        rescue = "off"
        rescue-pause = "2m"
        doubt = "off"
        doubt-window = "20s"
        check-token = "off"
        probe = ["udp:stun.example:3478"]
        events = "-"
        local-user = "alice:wonder"
        association-targets = 9
        datagram-idle = "3m"
        log = "debug"
    "#;
    let (flags, file) = (given(&flags).expect("flags"), file(text).expect("a file"));
    assert_eq!(format!("{flags:?}"), format!("{file:?}"));
    assert_eq!(file.mode, Some(Mode::Normal));
    assert_eq!(file.link, Some(LinkChoice::Fixed(Link::Wifi)));
    assert_eq!(file.trial, Some(Duration::from_millis(1_500)));
    assert_eq!((file.rescue, file.doubt), (Some(Switch::Off), Some(Switch::Off)));
    assert_eq!(shown(&file.listen), ["127.0.0.1:1080", "[::1]:1080"]);
    assert_eq!(file.local_user.expect("a password").expose(), "alice:wonder");
}

#[test]
fn every_option_is_a_key_of_the_file() {
    use clap::CommandFactory;
    for argument in Command::command().get_arguments() {
        let name = argument.get_long().expect("every option is long");
        if matches!(name, "config" | "help") {
            continue;
        }
        let known = file(&format!("{name} = {{}}")).expect_err("no option is a table");
        assert!(!known.contains("unknown"), "{name}: {known}");
    }
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_its_line_and_without_its_text() {
    let cases = [
        ("mode = \"smart\"\nmodus = 1\n", "agent.toml, line 2: unknown key `modus`"),
        ("\n\nmode = \"fast\"\n", "agent.toml, line 3: unknown mode; choose normal, smart or off"),
        ("\nproxy = [\n \"a:1\",\n \"b\",\n]\n", "agent.toml, line 4: the port is missing"),
        ("proxy = \"relay:0\"\n", "agent.toml, line 1: the port must be a number from 1 to 65535"),
        ("proxy = \"re lay:1\"\n", "agent.toml, line 1: write HOST:PORT alone, without spaces"),
        ("listen = \"1080\"\n", "agent.toml, line 1: write an IP address and a port"),
        ("trial = \"soon\"\n", "agent.toml, line 1: "),
        ("forward = \"sctp:127.0.0.1:1=a:1\"\n", "agent.toml, line 1: a forward starts with tcp: or udp:"),
        ("link = \"avian\"\n", "agent.toml, line 1: unknown link"),
        ("scope = \"all\"\n", "agent.toml, line 1: unknown scope"),
        ("rescue = \"maybe\"\n", "agent.toml, line 1: choose on or off"),
        ("token = \"a\"\ntoken-file = \"b\"\n", "agent.toml: token and token-file exclude each other"),
        ("config = \"other.toml\"\n", "agent.toml, line 1: unknown key `config`"),
    ];
    for (text, expected) in cases {
        let said = file(text).expect_err(text);
        assert!(said.starts_with(expected), "{text:?}: {said}");
    }
    let said = file("token = \"hidden\nlisten = 1\n").expect_err("a string without end");
    assert!(said.starts_with("agent.toml, line 1") && !said.contains("hidden"), "{said}");
}

#[test]
fn what_is_wrong_with_a_flag_is_named() {
    let cases = [
        (&["--mode=fast"][..], "unknown mode; choose normal, smart or off"),
        (&["--proxy=relay"], "the port is missing"),
        (&["--proxy=relay:0"], "the port must be a number from 1 to 65535"),
        (&["--proxy=::1:443"], "an IPv6 address needs brackets"),
        (&["--probe=udp:stun"], "the port is missing"),
        (&["--listen=localhost:1080"], "write an IP address and a port"),
        (&["--token=a", "--token-file=b"], "cannot be used with"),
        (&["--frobnicate"], "unexpected argument"),
    ];
    for (words, expected) in cases {
        let said = given(words).expect_err("wrong");
        assert!(said.contains(expected), "{words:?}: {said}");
    }
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let text = "mode = \"off\"\ntoken-file = \"t\"\nproxy = [\"a:1\", \"b:2\"]\nlisten = \"127.0.0.1:1\"\n";
    let merged = |words: &[&str], environment: Option<&str>| {
        given(words).expect("flags").with_token(environment.map(Into::into)).over(file(text).expect("a file"))
    };
    let args = merged(&["--mode=normal", "--proxy=c:3"], None);
    assert_eq!(args.mode, Some(Mode::Normal));
    assert_eq!(shown(&args.proxy), ["c:3"]);
    assert_eq!(shown(&args.listen), ["127.0.0.1:1"]);
    assert_eq!(args.token_file.as_deref(), Some(Path::new("t")));

    let token = |args: AgentArgs| (args.token.map(|token| token.expose().clone()), args.token_file);
    assert_eq!(token(merged(&[], Some("e"))), (Some("e".into()), None));
    assert_eq!(token(merged(&["--token=f"], Some("e"))), (Some("f".into()), None));
    assert_eq!(token(merged(&["--token-file=g"], Some("e"))), (None, Some("g".into())));
}

#[test]
fn paths_in_a_file_are_relative_to_it() {
    let text = "ca = \"ca.pem\"\ntoken-file = \"/run/token\"\nevents = \"-\"\n";
    let args = AgentArgs::from_text(Path::new("/etc/wayleave/agent.toml"), text).expect("a file");
    assert_eq!(args.ca.as_deref(), Some(Path::new("/etc/wayleave/ca.pem")));
    assert_eq!(args.token_file.as_deref(), Some(Path::new("/run/token")));
    assert_eq!(args.events, Some(Destination::StandardOutput));
}

#[test]
fn secrets_are_hidden() {
    let args = given(&["--token=hidden", "--local-user=alice:hidden"]).expect("flags");
    assert!(!format!("{args:?}").contains("hidden"));
}
