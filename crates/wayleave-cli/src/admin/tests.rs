use clap::Parser;
use wayleave_settings::options::Word as _;
use wayleave_settings::relay::Place;
use wayleave_settings::testing::Directory;

use super::http::read_answer;
use super::{AdminArgs, AdminSecret, Fault, Request, encode, form};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: AdminArgs,
}

#[test]
fn a_form_that_is_written_can_be_read() {
    for value in ["", "alice", "a b&c=d%+", "jö\u{202e}"] {
        let pair = ("user".to_owned(), value.to_owned());
        assert_eq!(form::decode(&form::encode(&[("user", value)])), Some(vec![pair]));
    }
    let two = vec![("a".into(), "1 2".into()), ("b".into(), "A".into())];
    assert_eq!(form::decode("a=1+2&b=%41\n"), Some(two));
    for bad in ["a", "a=%", "a=%4", "a=%zz", "a=%ff"] {
        assert_eq!(form::decode(bad), None, "{bad}");
    }
}

#[test]
fn a_place_is_an_address_or_a_path() {
    assert_eq!(Place::read("127.0.0.1:9440"), Ok(Place::Tcp("127.0.0.1:9440".parse().unwrap())));
    for bad in ["", "9440", "localhost:9440", "unix:"] {
        assert!(Place::read(bad).is_err(), "{bad}");
    }
}

#[cfg(unix)]
#[test]
fn a_path_is_one_of_a_unix_socket() {
    assert_eq!(Place::read("unix:/run/a"), Ok(Place::Unix("/run/a".into())));
}

#[test]
fn an_order_says_what_it_is_about() {
    let order = |words: &str| {
        let line = ["admin", "--admin", "127.0.0.1:1"].into_iter().chain(words.split(' '));
        Line::try_parse_from(line).map(|line| line.args.order.request()).map_err(|error| error.to_string())
    };
    let revoke = order("revoke --app-id 1001 --user a&b").unwrap();
    assert_eq!(revoke, ("POST", "/revoke".into(), "user=a%26b&app_id=1001".into()));
    assert_eq!(order("metrics").unwrap(), ("GET", "/metrics".into(), String::new()));
    assert_eq!(order("stats").unwrap(), ("GET", "/stats".into(), String::new()));
    assert_eq!(order("connections").unwrap(), ("GET", "/connections".into(), String::new()));
    assert_eq!(order("tunnels --limit 5").unwrap(), ("GET", "/tunnels?limit=5".into(), String::new()));
    assert!(order("tunnels --limit 0").is_err() && order("tunnels --limit 10001").is_err());
    assert!(order("revoke").unwrap_err().contains("--jti"));
    for (words, told) in [
        (["revoke", "--app-id", "a b"], "application id"),
        (["revoke", "--user", ""], "a value is required"),
        (["revoke", "--jti", ""], "a value is required"),
    ] {
        let line = ["admin", "--admin", "127.0.0.1:1"].into_iter().chain(words);
        let error = Line::try_parse_from(line).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(told), "{words:?}: {error}");
    }
}

#[tokio::test]
async fn a_message_is_read_strictly() {
    async fn read(text: &str) -> Result<Request, Fault> {
        Request::read(&mut text.as_bytes()).await
    }
    let whole = read("POST /revoke HTTP/1.1\r\nAuthorization: a\r\nContent-Length: 3\r\n\r\na=b and more")
        .await
        .unwrap();
    assert_eq!((whole.method.as_str(), whole.path.as_str(), whole.body.as_str()), ("POST", "/revoke", "a=b"));
    assert_eq!(whole.authorization.unwrap().expose(), "a");
    let twice = read("GET / HTTP/1.1\r\nAuthorization: a\r\nAuthorization: a\r\n\r\n").await.unwrap();
    assert!(twice.authorization.is_none(), "which of them counts?");
    for bad in [
        "",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET /\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\n folded: a\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc",
        "GET / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab",
    ] {
        assert!(matches!(read(bad).await, Err(Fault::Malformed)), "{bad:?}");
    }
    let long = read("GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n").await;
    assert!(matches!(long, Err(Fault::TooLong)));

    let answer = encode("HTTP/1.1 409 Conflict", &[("Content-Type", "text/plain")], "no\n");
    assert_eq!(read_answer(&mut answer.expose().as_slice()).await.unwrap(), (409, "no\n".into()));
    for bad in
        ["HTTP/1.1 200 OK\r\n\r\nto the end", "SSH-2.0-x\r\n", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"]
    {
        assert!(matches!(read_answer(&mut bad.as_bytes()).await, Err(Fault::Malformed)), "{bad:?}");
    }
}

#[test]
fn a_secret_is_long_and_never_shown() {
    let directory = Directory::new();
    let word = "0123456789abcdef0123456789abcdef";
    let secret = AdminSecret::read(&directory.file("secret", &format!("{word}\n"))).unwrap();
    assert!(secret.is_shown_by(Some(&format!("Bearer {word}"))));
    for wrong in
        [None, Some(""), Some(word), Some("Bearer 0123456789abcdef0123456789abcdee"), Some("Bearer ")]
    {
        assert!(!secret.is_shown_by(wrong), "{wrong:?}");
    }
    assert!(!secret.is_shown_by(Some(&format!("Bearer {word}0"))));
    assert!(!format!("{secret:?}").contains(word));
    for bad in ["", "short", "0123456789abcdef 0123456789abcdef"] {
        let error = AdminSecret::read(&directory.file("secret", bad)).unwrap_err().to_string();
        assert!(error.contains("32 to 1024") && (bad.is_empty() || !error.contains(bad)), "{error}");
    }
}
