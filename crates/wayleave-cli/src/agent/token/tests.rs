use std::fs;

use super::*;

/// A token without signature that ends at `exp`, as the agent reads it.
fn token(exp: u64) -> String {
    use base64::Engine as _;
    let part = |text: String| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.eA", part("{\"alg\":\"none\"}".into()), part(format!("{{\"exp\":{exp}}}")))
}

#[test]
fn a_file_is_read_again_when_its_text_changes_and_bad_text_is_told_once() {
    let path = std::env::temp_dir().join(format!("wayleave-token-{}", std::process::id()));
    let write = |text: &str| fs::write(&path, text).expect("a file");
    let now = UnixTime::from_secs(1_000);
    write(&(token(2_000) + "\n"));
    let mut file = TokenFile::open(path.clone());
    assert_eq!(file.credential(now).expect("a credential").expires(), Some(UnixTime::from_secs(2_000)));
    assert!(file.look(now).is_none());

    write(&token(3_000));
    let renewed = file.look(now).expect("a change").expect("a credential");
    assert_eq!(renewed.expires(), Some(UnixTime::from_secs(3_000)));
    assert!(file.look(now).is_none());

    for (text, expected) in
        [("", "is empty"), ("not a token\n", "cannot be used"), (&token(500), "has expired at")]
    {
        write(text);
        let said = file.look(now).expect("a change").expect_err("a bad token");
        assert!(said.contains(expected), "{said}");
        assert!(file.look(now).is_none(), "{text:?} is told once");
    }
    fs::remove_file(&path).expect("the file");
    let said = file.look(now).expect("a change").expect_err("no file");
    assert!(said.contains("cannot be read"), "{said}");
    assert!(!format!("{file:?}").contains("eyJ"));
}
