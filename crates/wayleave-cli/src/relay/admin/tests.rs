use wayleave_proto::auth::Revoked;
use wayleave_settings::options::Word as _;
use wayleave_settings::relay::Place;
use wayleave_settings::testing::Directory;

use super::Admin;
use super::verbs::{limit, revoked};

#[test]
fn a_form_names_a_token_a_user_or_an_application() {
    let app = || "1001".parse().unwrap();
    for (form, expected) in [
        ("jti=a%20b", Revoked::Token("a b".into())),
        ("user=alice", Revoked::User { user: "alice".into(), app_id: None }),
        ("user=alice&app_id=1001", Revoked::User { user: "alice".into(), app_id: Some(app()) }),
        ("app_id=1001\n", Revoked::App(app())),
    ] {
        assert_eq!(revoked(form), Ok(expected), "{form}");
    }
    for bad in ["", "user", "user=", "user=a&user=b", "jti=a&user=b", "usr=alice", "app_id=a%20b"] {
        assert!(revoked(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_list_is_as_long_as_is_asked_and_never_endless() {
    assert_eq!((limit(""), limit("limit=7"), limit("limit=10000")), (Ok(1_000), Ok(7), Ok(10_000)));
    for bad in ["limit=0", "limit=10001", "limit=", "limit=x", "most=5", "limit=5&limit=6"] {
        assert!(limit(bad).is_err(), "{bad}");
    }
}

#[test]
fn on_tcp_it_asks_for_a_secret_and_for_loopback() {
    let directory = Directory::new();
    let secret = directory.file("secret", "0123456789abcdef0123456789abcdef");
    for (place, secret, told) in [
        ("127.0.0.1:0", None, "--admin-secret-file"),
        ("0.0.0.0:0", Some(secret.clone()), "--admin-anywhere"),
        ("192.0.2.1:9440", Some(secret), "not a loopback address"),
    ] {
        let error = Admin::bind(&Place::read(place).unwrap(), secret, false).unwrap_err().to_string();
        assert!(error.contains(told), "{place}: {error}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_for_its_owner_and_takes_the_place_of_one_that_was_left() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = Directory::new();
    let path = directory.path().join("admin.sock");
    let place = Place::Unix(path.clone());
    let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let admin = Admin::bind(&place, None, false).unwrap();
    assert_eq!((mode(), admin.local_addr()), (0o600, None));
    assert!(Admin::bind(&place, None, false).is_err(), "somebody listens there");
    drop(admin);
    assert!(!path.exists());
    std::fs::write(&path, "a file of somebody else's").unwrap();
    assert!(Admin::bind(&place, None, false).is_err());
    assert!(path.exists());
}
