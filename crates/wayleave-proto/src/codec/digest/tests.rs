//! The examples of the RFCs, and challenges that no RFC has.

use super::*;

const MUFASA: (&str, &str) = ("Mufasa", "Circle of Life");
const CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
const DIGEST: &str = "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
    nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";

#[test]
fn rfc_7616_3_9_1_the_example_with_both_algorithms() {
    for (algorithm, response) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let challenge = choose([format!("Digest {DIGEST}, algorithm={algorithm}").as_str()]).unwrap();
        let answer = challenge.answer(MUFASA, ("GET", "/dir/index.html"), CNONCE);
        assert!(answer.contains(&format!("response=\"{response}\"")), "{answer}");
        assert!(answer.contains("qop=auth, nc=00000001"), "{answer}");
    }
}

#[test]
fn rfc_7617_2_the_example_of_basic() {
    let challenge = choose(["Basic realm=\"WallyWorld\""]).unwrap();
    let answer = challenge.answer(("Aladdin", "open sesame"), ("CONNECT", "r:443"), "");
    assert_eq!(answer, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

#[test]
fn the_strongest_that_is_offered_is_taken_in_any_order_and_on_any_line() {
    let md5 = format!("Digest {DIGEST}, algorithm=MD5");
    let sha = format!("Digest {DIGEST}, algorithm=SHA-256");
    let basic = "Basic realm=\"a, b\"";
    let joined = format!("Negotiate, {basic}, {md5}, {sha}, NTLM");
    for values in [vec![basic, &md5, &sha], vec![sha.as_str(), basic], vec![joined.as_str()]] {
        let Challenge::Digest(digest) = choose(values.iter().copied()).unwrap() else { panic!("{values:?}") };
        assert_eq!((digest.algorithm, digest.realm.as_str()), (Algorithm::Sha256, "http-auth@example.org"));
    }
    assert_eq!(choose([basic, "Digest realm=\"no nonce\""]), Ok(Challenge::Basic));
}

#[test]
fn what_is_offered_is_named_whether_it_can_be_answered_or_not() {
    let digest = "Digest realm=\"a\", nonce=\"b\", Basic realm=\"c\"";
    assert_eq!(offered(["Negotiate", digest]), "Negotiate, Digest, Basic");
    assert_eq!(offered([]), "");
}

#[test]
fn what_cannot_be_answered_says_so() {
    let auth_int = "Digest realm=\"a\", nonce=\"b\", qop=\"auth-int\"";
    assert_eq!(choose([auth_int]), Err(Unanswerable::AuthInt));
    assert_eq!(choose([auth_int, "Basic realm=\"a\""]), Ok(Challenge::Basic));
    let error = choose(["Negotiate", "NTLM"]).unwrap_err().to_string();
    assert!(error.contains("Negotiate, NTLM"), "{error}");
    for nonsense in [
        "",
        ",,,",
        "=",
        "\"",
        "Digest realm=\"open",
        "Digest algorithm=SHA-512-256, realm=\"a\", nonce=\"b\"",
    ] {
        assert!(choose([nonsense]).is_err(), "{nonsense}");
    }
}

#[test]
fn rfc_7616_3_4_the_other_forms() {
    let of =
        |more: &str| choose([format!("Digest realm=\"a \\\"b\\\"\", nonce=\"n\"{more}").as_str()]).unwrap();
    let answer = |more: &str| of(more).answer(("u", "p"), ("CONNECT", "r:443"), "c");
    // Without qop the form of RFC 2069: no cnonce, no count.
    let old = answer("");
    assert!(!old.contains("cnonce") && !old.contains("nc="), "{old}");
    assert!(old.contains("realm=\"a \\\"b\\\"\""), "{old}");
    let session = answer(", qop=auth, algorithm=MD5-sess");
    assert!(session.contains("algorithm=MD5-sess"), "{session}");
    assert_ne!(session.split("response=").nth(1), answer(", qop=auth").split("response=").nth(1));
    let hashed = answer(", qop=auth, userhash=true");
    assert!(!hashed.contains("username=\"u\"") && hashed.contains("userhash=true"), "{hashed}");
    let Challenge::Digest(stale) = of(", stale=TRUE") else { panic!() };
    assert!(stale.stale);
}
