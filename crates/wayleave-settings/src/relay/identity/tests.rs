use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use wayleave_proto::base::Host;

use super::self_signed::prepare;
use super::{Identity, IdentityFiles};
use crate::testing::Directory;

const FILES: [&str; 4] = ["ca.pem", "ca-key.pem", "relay.pem", "relay-key.pem"];

fn names(names: &[&str]) -> Vec<Host> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn texts(directory: &Directory) -> [String; 4] {
    FILES.map(|name| directory.read(name))
}

fn of_files(cert: &Path, key: &Path) -> Identity {
    Identity::Files { cert: cert.to_owned(), key: key.to_owned() }
}

#[test]
fn what_is_there_is_reused_while_it_serves() {
    let directory = Directory::new();
    let now = SystemTime::now();
    prepare(directory.path(), &names(&["localhost", "relay.example"]), now).unwrap();
    let made = texts(&directory);
    for wanted in [&["localhost", "relay.example"][..], &["relay.example"], &["127.0.0.1", "::1"]] {
        prepare(directory.path(), &names(wanted), now).unwrap();
        assert_eq!(texts(&directory), made, "{wanted:?}");
    }
    let (directory, names) = (directory.path().to_owned(), names(&["localhost"]));
    let files = of_files(&directory.join("relay.pem"), &directory.join("relay-key.pem"));
    Identity::SelfSigned { directory, names }.acceptor().unwrap();
    files.acceptor().unwrap();
}

#[test]
fn another_name_or_the_end_of_its_time_makes_a_new_certificate_of_the_same_authority() {
    let directory = Directory::new();
    let now = SystemTime::now();
    prepare(directory.path(), &names(&["localhost"]), now).unwrap();
    let first = texts(&directory);
    prepare(directory.path(), &names(&["relay.example"]), now).unwrap();
    let second = texts(&directory);
    let late = now + Duration::from_secs(720 * 86_400);
    prepare(directory.path(), &names(&["relay.example"]), late).unwrap();
    let third = texts(&directory);
    for (before, after) in [(&first, &second), (&second, &third)] {
        assert_eq!(before[..2], after[..2]);
        assert!(before[2] != after[2] && before[3] != after[3]);
    }
}

#[test]
fn a_damaged_certificate_is_made_again() {
    let directory = Directory::new();
    let now = SystemTime::now();
    prepare(directory.path(), &names(&["localhost"]), now).unwrap();
    for name in ["relay.pem", "relay-key.pem"] {
        directory.file(name, "damaged");
        prepare(directory.path(), &names(&["localhost"]), now).unwrap();
        assert!(directory.read(name).starts_with("-----BEGIN"), "{name}");
    }
}

#[test]
fn an_authority_that_cannot_sign_is_told() {
    let directory = Directory::new();
    let now = SystemTime::now();
    prepare(directory.path(), &names(&["localhost"]), now).unwrap();
    let other = Directory::new();
    prepare(other.path(), &names(&["localhost"]), now).unwrap();

    directory.file("ca-key.pem", &other.read("ca-key.pem"));
    let error = prepare(directory.path(), &names(&["relay.example"]), now).unwrap_err().to_string();
    assert!(error.contains("ca.pem and ca-key.pem do not go together"), "{error}");
    fs::remove_file(directory.path().join("ca-key.pem")).unwrap();
    let error = prepare(directory.path(), &names(&["relay.example"]), now).unwrap_err().to_string();
    assert!(error.contains("ca-key.pem is missing"), "{error}");
}

#[cfg(unix)]
#[test]
fn private_keys_are_for_their_owner_alone() {
    let directory = Directory::new();
    prepare(directory.path(), &names(&["localhost"]), SystemTime::now()).unwrap();
    for (name, private) in FILES.into_iter().zip([false, true, false, true]) {
        let mode = crate::testing::mode(&directory.path().join(name));
        assert_eq!(mode == 0o600, private, "{name}: {mode:o}");
    }
}

#[test]
fn files_that_do_not_fit_are_told_by_name() {
    let (directory, other) = (Directory::new(), Directory::new());
    for directory in [&directory, &other] {
        prepare(directory.path(), &names(&["localhost"]), SystemTime::now()).unwrap();
    }
    let (cert, key) = (directory.path().join("relay.pem"), directory.path().join("relay-key.pem"));
    let (foreign, missing) = (other.path().join("relay-key.pem"), directory.path().join("missing.pem"));
    for (cert, key, told) in [
        (&cert, &foreign, "do not match"),
        (&key, &key, "relay-key.pem: no certificate found"),
        (&cert, &cert, "relay.pem: no private key found"),
        (&missing, &key, "missing.pem: there is no such file"),
        (&cert, &missing, "missing.pem: there is no such file"),
    ] {
        let error = of_files(cert, key).acceptor().unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn a_renewed_certificate_is_read_once_it_is_whole() {
    let (directory, other) = (Directory::new(), Directory::new());
    for directory in [&directory, &other] {
        prepare(directory.path(), &names(&["localhost"]), SystemTime::now()).unwrap();
    }
    let of = |name: &str| directory.path().join(name);
    let (mut files, _) = IdentityFiles::open(of_files(&of("relay.pem"), &of("relay-key.pem"))).unwrap();
    assert!(files.look().is_none() && files.look().is_none());
    assert!(files.read().is_none(), "nothing changed");

    directory.file("relay.pem", &other.read("relay.pem"));
    assert!(files.look().is_none(), "it may still be written");
    let told = files.look().expect("a change").unwrap_err().to_string();
    assert!(told.contains("do not match"), "{told}");
    assert!(files.look().is_none(), "told once");
    assert!(files.read().is_some_and(|read| read.is_err()), "and to whoever asks");
    directory.file("relay-key.pem", &other.read("relay-key.pem"));
    files.look();
    files.look().expect("a change").unwrap();
    assert!(files.read().is_none());

    let third = Directory::new();
    prepare(third.path(), &names(&["localhost"]), SystemTime::now()).unwrap();
    directory.file("relay-key.pem", &third.read("relay-key.pem"));
    directory.file("relay.pem", &third.read("relay.pem"));
    files.read().expect("at once, when asked").unwrap();
}

#[cfg(unix)]
#[test]
fn a_directory_that_cannot_be_written_to_serves_while_what_is_in_it_does() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = Directory::new();
    let now = SystemTime::now();
    prepare(directory.path(), &names(&["localhost"]), now).unwrap();
    // Root may write everywhere, but not take a directory for a file.
    fs::remove_file(directory.path().join(".lock")).unwrap();
    fs::create_dir(directory.path().join(".lock")).unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let serves = prepare(directory.path(), &names(&["localhost"]), now);
    let fails = prepare(directory.path(), &names(&["relay.example"]), now);
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
    assert!(serves.unwrap().is_none());
    assert!(fails.unwrap_err().to_string().contains("cannot be written to"));
}
