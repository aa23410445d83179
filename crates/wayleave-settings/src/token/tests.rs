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
    let (mut file, first) = TokenFile::open(path.clone()).expect("a credential");
    // What two looks see that follow each other.
    let looks = |file: &mut TokenFile| file.change(now, false).or_else(|| file.change(now, false));
    assert_eq!(first.expires(), Some(UnixTime::from_secs(2_000)));
    assert!(looks(&mut file).is_none());

    write(&token(3_000));
    let Renewed { credential, warning } = looks(&mut file).expect("a change").expect("a credential");
    assert_eq!((credential.expires(), warning), (Some(UnixTime::from_secs(3_000)), None));
    assert!(looks(&mut file).is_none());

    for (text, expected) in
        [("", "is empty"), ("not a token\n", "cannot be used"), (&token(500), "has expired at")]
    {
        write(text);
        let said = looks(&mut file).expect("a change").expect_err("a bad token").to_string();
        assert!(said.contains(expected), "{said}");
        assert!(looks(&mut file).is_none(), "{text:?} is told once");
    }
    // Whoever empties the file before he writes it is not caught between.
    write(&token(4_000));
    assert!(looks(&mut file).is_some());
    write("");
    assert!(file.change(now, false).is_none());
    write(&token(5_000));
    assert!(file.change(now, false).is_none());
    assert!(file.change(now, false).is_some_and(|renewed| renewed.is_ok()));
    write(&token(6_000));
    assert!(file.change(now, true).is_some_and(|renewed| renewed.is_ok()), "at once, when asked");

    fs::remove_file(&path).expect("the file");
    let said = looks(&mut file).expect("a change").expect_err("no file").to_string();
    assert!(said.contains("there is no such file"), "{said}");
    assert!(!format!("{file:?}").contains("eyJ"));
}

#[test]
fn an_expired_token_is_tried_where_it_is_the_best_there_is() {
    let directory = crate::testing::Directory::new();
    let write = |exp: u64| directory.file("token", &token(exp));
    let now = UnixTime::from_secs(1_000);
    let (mut file, held) = TokenFile::open(write(500)).expect("a credential");
    let said = expired(&held, now).expect("a warning");
    assert!(said.contains("has expired at 1970-01-01T00:08:20Z") && said.contains("clock"), "{said}");
    write(400);
    assert!(file.change(now, true).expect("a change").is_err(), "an older one is no better");
    write(600);
    let Renewed { credential: renewed, warning } =
        file.change(now, true).expect("a change").expect("a later one");
    assert!(renewed.expires() == Some(UnixTime::from_secs(600)) && warning.is_some());
    write(2_000);
    let Renewed { credential: renewed, warning } =
        file.change(now, true).expect("a change").expect("a good one");
    assert!(expired(&renewed, now).is_none() && warning.is_none());
}
