use std::fs;
use std::future::poll_fn;
use std::sync::Mutex;

use tokio::net::{TcpListener, UdpSocket};
use wayleave_settings::testing::Directory;

use super::system::Config;
use super::*;

/// What a server of this test does with a question.
#[derive(Clone, Copy, Debug)]
enum Behaviour {
    /// Answers with this code, the flags of a truncated answer included, and one address of each family where that is 0.
    Answers(u16),
    /// Answers truncated over UDP, and over TCP as it should.
    OverTcp,
    /// Says nothing for AAAA.
    HalfSilent,
    Silent,
}

/// A name server on loopback, and the questions that it was asked.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn new(behaviour: Behaviour) -> Self {
        // The two ports are one number, which another test may have taken for TCP.
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let asked = Arc::new(Mutex::new(Vec::new()));
        let server = Self { address: udp.local_addr().unwrap(), asked: Arc::clone(&asked) };
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((length, client)) = udp.recv_from(&mut buffer).await {
                let question = &buffer[..length];
                asked.lock().unwrap().push(text(question));
                if let Some(answer) = behaviour.answer(question, true) {
                    udp.send_to(&answer, client).await.unwrap();
                }
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                use tokio::io::{AsyncReadExt, AsyncWriteExt};
                let mut question = vec![0; stream.read_u16().await.unwrap().into()];
                stream.read_exact(&mut question).await.unwrap();
                let answer = behaviour.answer(&question, false).unwrap();
                stream.write_u16(u16::try_from(answer.len()).unwrap()).await.unwrap();
                stream.write_all(&answer).await.unwrap();
            }
        });
        server
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.sort();
        asked
    }
}

/// Where the question of a message ends.
fn end_of(question: &[u8]) -> usize {
    let mut at = 12;
    while question[at] != 0 {
        at += 1 + usize::from(question[at]);
    }
    at + 5
}

fn text(question: &[u8]) -> String {
    let end = end_of(question);
    let mut labels = Vec::new();
    let mut at = 12;
    while question[at] != 0 {
        let length = usize::from(question[at]);
        labels.push(String::from_utf8(question[at + 1..=at + length].to_vec()).unwrap());
        at += 1 + length;
    }
    format!("{} {}", labels.join("."), question[end - 3])
}

impl Behaviour {
    fn answer(self, question: &[u8], over_udp: bool) -> Option<Vec<u8>> {
        let end = end_of(question);
        let is_v6 = question[end - 3] == 28;
        let flags = match self {
            Self::Answers(flags) => flags,
            Self::OverTcp if over_udp => 0x0200,
            Self::HalfSilent if is_v6 => return None,
            Self::HalfSilent | Self::OverTcp => 0,
            Self::Silent => return None,
        };
        let count = u8::from(flags == 0);
        let mut answer = question[..end].to_vec();
        answer[2..4].copy_from_slice(&(0x8180 | flags).to_be_bytes());
        answer[4..12].copy_from_slice(&[0, 1, 0, count, 0, 0, 0, 0]);
        if flags == 0 {
            let address: &[u8] = if is_v6 {
                &[0x20, 1, 13, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]
            } else {
                &[192, 0, 2, 7]
            };
            answer.extend([
                0xc0,
                12,
                0,
                question[end - 3],
                0,
                1,
                0,
                0,
                0,
                9,
                0,
                u8::try_from(address.len()).unwrap(),
            ]);
            answer.extend(address);
        }
        Some(answer)
    }
}

/// A resolver that asks these servers, with these hosts and options.
fn resolver(directory: &Directory, servers: &[&Server], hosts: &str) -> NameServers {
    directory.file("hosts", hosts);
    directory.file("resolv.conf", "options timeout:1 attempts:1\n");
    let servers = servers.iter().map(|server| server.address).collect();
    let path = |name| directory.path().join(name);
    let system = System::at(servers, path("resolv.conf"), Some(path("hosts")));
    NameServers { system: Arc::new(system), handle: Handle::current() }
}

/// Both answers, IPv4 first, as texts.
async fn look_up(resolver: &NameServers, name: &str) -> [String; 2] {
    let mut lookup = resolver.lookup(&name.parse().unwrap());
    let mut said = Vec::new();
    for _ in 0..2 {
        said.push(poll_fn(|cx| lookup.poll_answer(cx)).await);
    }
    said.sort_by_key(|(family, _)| *family);
    let text = |answer: &Result<Vec<IpAddr>, IoFailed>| match answer {
        Ok(addresses) => addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        Err(error) => format!("{:?}", error.failure),
    };
    [text(&said[0].1), text(&said[1].1)]
}

#[tokio::test]
async fn a_name_is_asked_for_once_in_each_family_and_never_with_a_search_list() {
    let server = Server::new(Behaviour::Answers(0)).await;
    let directory = Directory::new();
    let resolver = resolver(&directory, &[&server], "");
    for name in ["media.example", "media.example.", "printer"] {
        assert_eq!(look_up(&resolver, name).await, ["192.0.2.7", "2001:db8::7"], "{name}");
    }
    assert_eq!(
        server.asked(),
        [
            "media.example 1",
            "media.example 1",
            "media.example 28",
            "media.example 28",
            "printer 1",
            "printer 28"
        ]
    );
}

#[tokio::test]
async fn what_a_server_says_is_told_as_what_it_is() {
    for (behaviour, told) in [
        (Behaviour::Answers(2), "NameFailed"),
        (Behaviour::Answers(3), "NameUnknown"),
        (Behaviour::Answers(5), "NameRefused"),
        (Behaviour::Answers(9), "NameFailed"),
        (Behaviour::Silent, "NameUnanswered"),
    ] {
        let server = Server::new(behaviour).await;
        let directory = Directory::new();
        let resolver = resolver(&directory, &[&server], "");
        assert_eq!(look_up(&resolver, "a.example").await, [told, told], "{behaviour:?}");
    }
}

#[tokio::test]
async fn a_long_answer_is_asked_for_again_over_tcp() {
    let server = Server::new(Behaviour::OverTcp).await;
    let directory = Directory::new();
    assert_eq!(
        look_up(&resolver(&directory, &[&server], ""), "a.example").await,
        ["192.0.2.7", "2001:db8::7"]
    );
}

#[tokio::test]
async fn a_family_that_is_not_answered_does_not_hold_the_other_up() {
    let server = Server::new(Behaviour::HalfSilent).await;
    let directory = Directory::new();
    let resolver = resolver(&directory, &[&server], "");
    let mut lookup = resolver.lookup(&"a.example".parse().unwrap());
    let first = poll_fn(|cx| lookup.poll_answer(cx)).await;
    assert_eq!(first, (Families::V4, Ok(vec!["192.0.2.7".parse().unwrap()])));
}

#[tokio::test]
async fn the_next_server_is_asked_where_one_fails_and_the_one_that_answers_comes_first_then() {
    for behaviour in [Behaviour::Silent, Behaviour::Answers(2), Behaviour::Answers(5)] {
        let (bad, good) = (Server::new(behaviour).await, Server::new(Behaviour::Answers(0)).await);
        let directory = Directory::new();
        let resolver = resolver(&directory, &[&bad, &good], "");
        assert_eq!(look_up(&resolver, "a.example").await, ["192.0.2.7", "2001:db8::7"], "{behaviour:?}");
        let before = bad.asked().len();
        assert_eq!(look_up(&resolver, "b.example").await, ["192.0.2.7", "2001:db8::7"]);
        assert_eq!(bad.asked().len(), before, "{behaviour:?}: it is asked no more");
    }
}

#[tokio::test]
async fn the_machines_own_names_come_first_and_are_read_again() {
    let server = Server::new(Behaviour::Answers(3)).await;
    let directory = Directory::new();
    let resolver = resolver(&directory, &[&server], "192.0.2.1 own.example\n");
    assert_eq!(look_up(&resolver, "own.example").await, ["192.0.2.1", ""]);
    assert_eq!(look_up(&resolver, "localhost").await, ["127.0.0.1", "::1"]);
    assert_eq!(server.asked(), [""; 0]);
    fs::write(directory.path().join("hosts"), "192.0.2.2 own.example\n192.0.2.3 own.example\n").unwrap();
    // A look that takes long does not hold a look-up up: the old word may be told once more, and not for ever.
    let mut told = look_up(&resolver, "own.example").await;
    for _ in 0..100 {
        if told[0] != "192.0.2.1" {
            break;
        }
        resolver.system.forget_the_last_look();
        told = look_up(&resolver, "own.example").await;
    }
    assert_eq!(told, ["192.0.2.2 192.0.2.3", ""]);
}

#[test]
fn a_resolv_conf_is_read_for_what_matters() {
    let read = |text: &str| {
        let Config { servers, timeout, attempts } = Config::read(text);
        let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
        (servers.join(" "), timeout.as_secs(), attempts)
    };
    let cases = [
        ("", ("127.0.0.1:53", 2, 3)),
        ("nameserver 192.0.2.53\nsearch corp.internal\noptions ndots:5\n", ("192.0.2.53:53", 2, 3)),
        (
            "# nameserver 192.0.2.1\nnameserver 2001:db8::53 \noptions timeout:1 attempts:2",
            ("[2001:db8::53]:53", 1, 2),
        ),
        ("nameserver nonsense\noptions timeout:60 attempts:0 timeout:x", ("127.0.0.1:53", 2, 1)),
        (
            "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4",
            ("192.0.2.1:53 192.0.2.2:53 192.0.2.3:53", 2, 3),
        ),
    ];
    for (text, (servers, timeout, attempts)) in cases {
        assert_eq!(read(text), (servers.to_owned(), timeout, attempts), "{text}");
    }
}
