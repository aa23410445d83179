use proptest::prelude::*;

use super::{ProxyError, ProxyStatus, nearest};
use crate::testing::cases;

#[test]
fn the_registry_is_read_and_written() {
    assert_eq!(ProxyError::ALL.len(), 32);
    for error in ProxyError::ALL {
        assert_eq!(error.as_str().parse(), Ok(*error));
    }
    assert!("dns_err".parse::<ProxyError>().is_err());
    for (error, status) in [
        (ProxyError::DnsTimeout, 504),
        (ProxyError::DnsError, 502),
        (ProxyError::DestinationIpProhibited, 502),
        (ProxyError::ConnectionTimeout, 504),
        (ProxyError::ConnectionLimitReached, 503),
        (ProxyError::HttpRequestDenied, 403),
        (ProxyError::ProxyInternalError, 500),
        (ProxyError::ProxyLoopDetected, 502),
    ] {
        assert_eq!(error.status(), status, "{error}");
    }
}

#[test]
fn a_member_is_written_safely() {
    for (status, text) in [
        (ProxyStatus::default(), "wayleave"),
        (ProxyStatus::failed(ProxyError::DnsError), "wayleave; error=dns_error"),
        (ProxyStatus::connected([192, 0, 2, 1].into()), "wayleave; next-hop=\"192.0.2.1\""),
        (
            ProxyStatus::failed(ProxyError::DnsTimeout).with_details("say \"no\"\r\nX: y\u{e9}"),
            r#"wayleave; error=dns_timeout; details="say \"no\"\\x0d\\x0aX: y\\xc3\\xa9""#,
        ),
    ] {
        assert_eq!(status.to_string(), text);
    }
    let long = ProxyStatus::default().with_details("x".repeat(300)).to_string();
    assert_eq!(long.len(), "wayleave; details=\"\"".len() + 200);
}

#[test]
fn the_last_member_is_read_leniently() {
    let failed = ProxyStatus::failed;
    for (value, status) in [
        ("", ProxyStatus::default()),
        (" , ,", ProxyStatus::default()),
        ("wayleave", ProxyStatus::default()),
        // The examples of RFC 9209 §2 and §2.1.
        ("r34.example.net; error=http_request_error, ExampleCDN", ProxyStatus::default()),
        ("ExampleCDN; error=connection_timeout", failed(ProxyError::ConnectionTimeout)),
        (
            "proxy.example.net; error=\"http_protocol_error\"; details=\"Malformed response header: space before colon\"",
            failed(ProxyError::HttpProtocolError)
                .with_details("Malformed response header: space before colon"),
        ),
        (
            "a; error=dns_error, b;error=connection_refused ;next-hop=\"2001:db8::1\";x;y=1,",
            ProxyStatus {
                next_hop: Some("2001:db8::1".parse().unwrap()),
                ..failed(ProxyError::ConnectionRefused)
            },
        ),
        (
            "a; details=\"one, two; error=dns_error \\\" \\\\\"",
            ProxyStatus::default().with_details("one, two; error=dns_error \" \\"),
        ),
        ("a; error=made_up; details=\"no end", ProxyStatus::default()),
        ("a; error=dns_error; details=\"no end\\", failed(ProxyError::DnsError)),
    ] {
        assert_eq!(ProxyStatus::parse(value), status, "{value}");
    }
}

#[test]
fn the_nearest_proxy_is_the_last_that_names_itself() {
    let long = "x".repeat(65);
    for (value, name) in [
        ("wayleave-0123456789abcdef", Some("wayleave-0123456789abcdef")),
        ("cdn; next-hop=a, \"relay, 7; x\" ;error=dns_error, ", Some("relay, 7; x")),
        (" FooProxy ", Some("FooProxy")),
        ("", None),
        (" , ", None),
        (";error=dns_error", None),
        ("\"\"", None),
        ("\"no end", None),
        ("\"a\u{e9}\"", None),
        (long.as_str(), None),
    ] {
        assert_eq!(nearest(value).as_deref(), name, "{value}");
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn what_is_written_is_read(details in "[ -\\[\\]-~]{0,200}", index in 0_usize..32) {
        let status = ProxyStatus::failed(ProxyError::ALL[index]).with_details(details);
        prop_assert_eq!(ProxyStatus::parse(&format!("other; error=dns_error, {status}")), status);
    }

    #[test]
    fn any_text_is_answered(text in "[a-z\"\\\\;,= \u{e9}]{0,60}") {
        ProxyStatus::parse(&text);
        assert!(nearest(&text).is_none_or(|name| !name.is_empty()));
    }
}
