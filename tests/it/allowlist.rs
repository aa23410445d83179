//! `wayleave allowlist`: with its rules in force everything of Wayleave passes, and nothing else.

use crate::lab::Lab;
use crate::process::wayleave;

#[cfg(target_os = "linux")]
mod by_nft {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
    use std::thread;
    use std::time::Duration;

    use crate::doctor::servers::name_server;
    use crate::lab::Lab;
    use crate::namespace::{Beyond, alone, lay_over, nft};
    use crate::process::wayleave;

    #[test]
    fn the_table_lets_everything_of_wayleave_pass_and_nothing_else() {
        alone("allowlist::by_nft::the_table_lets_everything_of_wayleave_pass_and_nothing_else", || {
            let beyond = Beyond::new();
            let lab = Lab::new();
            lab.write("resolv.conf", "nameserver 192.0.2.1\n");
            lay_over(&lab.folder().join("resolv.conf"), "/etc/resolv.conf");
            lab.write(
                "relay.toml",
                "listen = \"192.0.2.1:443\"\nself-signed = \"tls\"\nname = \"wire.example\"\ntoken-keys = \"relay-keys.toml\"\n\
                 allow-target = \"192.0.2.0/24\"\n[scope]\ntargets = [{ hosts = [\"192.0.2.2\", \"192.0.2.3\"], ports = [8000] }]\n",
            );
            let relay = beyond.run(|| {
                name_server("192.0.2.1");
                for address in ["192.0.2.1:80", "192.0.2.3:443", "192.0.2.1:444", "192.0.2.3:8000"] {
                    echoing(address);
                }
                echoing_datagrams("192.0.2.1:5060");
                let arguments = ["relay", "--config", "relay.toml"].map(String::from);
                crate::process::Process::start(lab.folder(), &arguments)
            });
            relay.listening(1);
            echoing("192.0.2.2:8000");
            echoing("192.0.2.2:8001");
            let outside = ["192.0.2.1:80", "192.0.2.3:443", "192.0.2.1:444", "192.0.2.3:8000"];
            assert!(outside.iter().all(|address| echoes(address)), "nothing is closed yet");
            assert!(echoes_datagrams("192.0.2.1:5060"));
            works(&lab, "tcp:192.0.2.3:8000");

            let (status, table, error) =
                wayleave(lab.folder(), &["allowlist", "--proxy", "wire.example:443", "--format", "nft"]);
            assert_eq!((status, error.as_str()), (0, ""), "{table}");
            nft(&table);
            works(&lab, "tcp:192.0.2.3:8000");
            for address in outside {
                assert!(!echoes(address), "{address} is open with\n{table}");
            }
            assert!(!echoes_datagrams("192.0.2.1:5060"), "{table}");
            assert!(!echoes_datagrams("192.0.2.1:443"), "{table}");
            // It can be loaded anew, and taken away.
            nft(&table);
            nft("delete table inet wayleave\n");
            assert!(echoes("192.0.2.1:80"));

            // The relay's machine is no name server for its clients.
            name_server("127.0.0.53");
            lab.write("resolv.conf", "nameserver 127.0.0.53\n");
            let (status, table, error) =
                wayleave(lab.folder(), &["allowlist", "--relay", "relay.toml", "--format", "nft"]);
            assert_eq!((status, error.as_str()), (0, ""), "{table}");
            beyond.run(|| nft(&table));
            works(&lab, "tcp:192.0.2.2:8000");
            assert!(!echoes("192.0.2.1:80") && !echoes("192.0.2.1:444"), "{table}");
            assert!(beyond.run(|| echoes("192.0.2.2:8000")), "{table}");
            assert!(!beyond.run(|| echoes("192.0.2.2:8001")), "{table}");
        });
    }

    /// A check through the relay finds everything in order.
    fn works(lab: &Lab, target: &str) {
        let common =
            ["check", "--proxy", "wire.example:443", "--ca", "tls/ca.pem", "--token-file", "token.txt"];
        let (status, text, _) = wayleave(lab.folder(), &[&common[..], &["--target", target]].concat());
        assert_eq!(status, 0, "{text}");
        for said in
            ["is reached through the relay", "datagrams come back: 25 of 25", "wire.example:443 works."]
        {
            assert!(text.contains(said), "{text}");
        }
    }

    fn echoing(address: &str) {
        let listener = TcpListener::bind(address).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
            }
        });
    }

    fn echoing_datagrams(address: &str) {
        let socket = UdpSocket::bind(address).unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 64];
            while let Ok((count, from)) = socket.recv_from(&mut buffer) {
                let _ = socket.send_to(&buffer[..count], from);
            }
        });
    }

    fn echoes(address: &str) -> bool {
        let address: SocketAddr = address.parse().unwrap();
        let Ok(mut stream) = TcpStream::connect_timeout(&address, PATIENCE) else { return false };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = [0; 4];
        stream.write_all(b"word").and_then(|()| stream.read_exact(&mut answer)).is_ok()
    }

    fn echoes_datagrams(address: &str) -> bool {
        let socket = UdpSocket::bind("192.0.2.2:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.send_to(b"word", address).is_ok() && socket.recv(&mut [0; 4]).is_ok()
    }

    const PATIENCE: Duration = Duration::from_millis(700);
}

#[test]
fn a_list_is_for_a_ticket_and_a_name_without_an_address_is_told() {
    let lab = Lab::new();
    lab.write("agent.toml", "listen = \"127.0.0.1:0\"\nproxy = [\"localhost:443\", \"192.0.2.7:8443\"]\n");
    let (status, text, error) = wayleave(lab.folder(), &["allowlist", "--config", "agent.toml"]);
    assert_eq!((status, error.as_str()), (0, ""), "{text}");
    assert!(text.contains("  out  TCP  to 192.0.2.7, port 8443: the relay"), "{text}");
    assert!(text.contains("to localhost (127.0.0.1") && !text.contains("name server"), "{text}");
    let via = ["allowlist", "--config", "agent.toml", "--via", "http://ada:s3cret@192.0.2.1:3128"];
    let (status, text, error) = wayleave(lab.folder(), &via);
    assert_eq!((status, error.as_str()), (0, ""), "{text}");
    assert!(text.contains("  out  TCP  to 192.0.2.1, port 3128: the proxy of this network"), "{text}");
    assert!(!text.contains("to 192.0.2.7, port") && !text.contains("s3cret"), "{text}");
    let (status, text, error) = wayleave(lab.folder(), &[&via[..], &["--format", "squid"]].concat());
    assert_eq!((status, error.as_str()), (0, ""), "{text}");
    assert!(text.contains("acl wayleave2 dst 192.0.2.7\n") && !text.contains("192.0.2.1\n"), "{text}");
    let nowhere = ["allowlist", "--proxy", "nowhere.invalid:443", "--format", "iptables"];
    let (status, text, error) = wayleave(lab.folder(), &nowhere);
    assert_eq!(status, 1, "{text}");
    assert!(
        text.contains("# there is no rule for it") && error.contains("no rule for nowhere.invalid"),
        "{text}{error}"
    );
    for (words, said) in [
        ("", "--proxy"),
        ("--proxy localhost", "the port is missing"),
        ("--proxy localhost:1 --format pdf", "choose text, json, csv, nft"),
        ("--proxy localhost:1 --relay relay.toml", "cannot be used with"),
        ("--proxy localhost:1 --via http://ada:s3cret@proxy.example", "--via: the port is missing"),
        ("--relay relay.toml --via system", "cannot be used with"),
        ("--relay nowhere.toml", "nowhere.toml"),
        ("--relay relay.toml --format squid", "a relay goes through no proxy"),
        ("--config nowhere.toml", "nowhere.toml"),
    ] {
        let words: Vec<&str> = ["allowlist"].into_iter().chain(words.split_whitespace()).collect();
        let (status, text, error) = wayleave(lab.folder(), &words);
        assert_eq!((status, text.as_str()), (2, ""), "{words:?}: {error}");
        assert!(error.contains(said), "{words:?}: {error}");
    }
}
