use wayleave_proto::auth::{Algorithm, Keys, SigningKey};

use super::{KeyFiles, Opened, RelaySettings};
use crate::keys::relay_file;
use crate::testing::Directory;

#[test]
fn changed_keys_are_read_when_nobody_writes_them_any_more_and_bad_ones_are_told_once() {
    let lab = Directory::new();
    let key =
        |kid: &str| relay_file(&SigningKey::generate(Algorithm::EdDsa, kid, &[7; 32]).unwrap().verifying());
    let write = |text: &str| lab.file("relay-keys.toml", text);
    let kids = |keys: Keys| keys.jwt().map(|key| key.kid().to_owned()).collect::<Vec<_>>();
    write(key("a").expose());
    let (mut files, keys) = KeyFiles::open(vec![lab.path().join("relay-keys.toml")]).unwrap();
    assert_eq!(kids(keys), ["a"]);
    assert!(files.look().is_none());

    write(key("b").expose());
    assert!(files.look().is_none(), "it may still be written");
    assert_eq!(kids(files.look().unwrap().unwrap()), ["b"]);
    assert!(files.look().is_none());

    // Put in its place by a rename, with the same length.
    let beside = lab.file("beside.toml", key("c").expose());
    std::fs::rename(beside, lab.path().join("relay-keys.toml")).unwrap();
    files.look();
    assert_eq!(kids(files.look().unwrap().unwrap()), ["c"]);

    write("[[jwt]]\nkid = \"d\"\n");
    files.look();
    let told = files.look().unwrap().unwrap_err().to_string();
    assert!(told.contains("relay-keys.toml, line 1: alg is missing"), "{told}");
    assert!(files.look().is_none(), "told once");

    std::fs::remove_file(lab.path().join("relay-keys.toml")).unwrap();
    files.look();
    assert!(files.look().unwrap().unwrap_err().to_string().contains("there is no such file"));
    write(key("e").expose());
    files.look();
    assert_eq!(kids(files.look().unwrap().unwrap()), ["e"]);
    assert_eq!(kids(files.read().unwrap()), ["e"], "read whether changed or not");
}

#[test]
fn a_set_of_keys_that_a_key_file_names_is_followed_too() {
    let lab = Directory::new();
    let set = |kid: &str| {
        let key = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{key}"}}]}}"#)
    };
    lab.file("set.json", &set("one"));
    let path = lab.file("sets.toml", "[[jwks]]\nfile = \"set.json\"\n");
    let (mut files, _) = KeyFiles::open(vec![path]).unwrap();
    assert!(files.look().is_none());
    lab.file("set.json", &set("two"));
    files.look();
    let keys = files.look().unwrap().unwrap();
    assert_eq!(keys.jwt().map(|key| key.kid()).collect::<Vec<_>>(), ["two"]);
}

#[test]
fn a_file_is_all_that_a_program_needs_to_serve() {
    let lab = Directory::new();
    let key = SigningKey::generate(Algorithm::EdDsa, "a", &[7; 32]).unwrap();
    lab.file("relay-keys.toml", relay_file(&key.verifying()).expose());
    let text = "listen = '127.0.0.1:0'\nself-signed = 'tls'\ntoken-keys = 'relay-keys.toml'\n\
                admin = 'unix:admin.sock'\nallow-target = '127.0.0.0/8'\n[scope]\ntunnels = 3\n";
    let settings = RelaySettings::read(&lab.file("relay.toml", text)).unwrap();
    assert_eq!(
        settings.admin.as_ref().unwrap().to_string(),
        format!("unix:{}/admin.sock", lab.path().display())
    );
    let listen = settings.listen_or_default();
    let Opened { keys, certificate, .. } = settings.open().unwrap();
    assert_eq!(keys.len(), 1);
    let config = settings.config(certificate, keys, [listen]).unwrap();
    assert_eq!((config.targets.addresses.allow.len(), config.scope.tunnels), (1, Some(3)));
    assert!(config.targets.own.contains(&listen));
}
