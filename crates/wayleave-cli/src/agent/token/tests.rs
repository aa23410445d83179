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
    // What two looks see that follow each other.
    let looks = |file: &mut TokenFile| file.look(now, false).or_else(|| file.look(now, false));
    assert_eq!(file.credential(now).expect("a credential").expires(), Some(UnixTime::from_secs(2_000)));
    assert!(looks(&mut file).is_none());

    write(&token(3_000));
    let renewed = looks(&mut file).expect("a change").expect("a credential");
    assert_eq!(renewed.expires(), Some(UnixTime::from_secs(3_000)));
    assert!(looks(&mut file).is_none());

    for (text, expected) in
        [("", "is empty"), ("not a token\n", "cannot be used"), (&token(500), "has expired at")]
    {
        write(text);
        let said = looks(&mut file).expect("a change").expect_err("a bad token");
        assert!(said.contains(expected), "{said}");
        assert!(looks(&mut file).is_none(), "{text:?} is told once");
    }
    // Whoever empties the file before he writes it is not caught between.
    write(&token(4_000));
    assert!(looks(&mut file).is_some());
    write("");
    assert!(file.look(now, false).is_none());
    write(&token(5_000));
    assert!(file.look(now, false).is_none());
    assert!(file.look(now, false).is_some_and(|renewed| renewed.is_ok()));
    write(&token(6_000));
    assert!(file.look(now, true).is_some_and(|renewed| renewed.is_ok()), "at once, when asked");

    fs::remove_file(&path).expect("the file");
    let said = looks(&mut file).expect("a change").expect_err("no file");
    assert!(said.contains("cannot be read"), "{said}");
    assert!(!format!("{file:?}").contains("eyJ"));
}
