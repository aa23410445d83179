use proptest::prelude::*;

use super::{TemplateError, UriTemplate};
use crate::base::Target;
use crate::testing::cases;

fn expand(template: &str, target: &str) -> String {
    UriTemplate::parse(template).unwrap().expand_path(&target.parse().unwrap())
}

/// The templates of RFC 9298 §2, and the request of its §3.2.
#[test]
fn the_templates_of_the_standard_expand() {
    for (template, path) in [
        (
            "https://example.org/.well-known/masque/udp/{target_host}/{target_port}/",
            "/.well-known/masque/udp/192.0.2.6/443/",
        ),
        (
            "https://proxy.example.org:4443/masque?h={target_host}&p={target_port}",
            "/masque?h=192.0.2.6&p=443",
        ),
        (
            "https://proxy.example.org:4443/masque{?target_host,target_port}",
            "/masque?target_host=192.0.2.6&target_port=443",
        ),
    ] {
        assert_eq!(expand(template, "192.0.2.6:443"), path);
    }
    let target = "192.0.2.6:443".parse().unwrap();
    assert_eq!(UriTemplate::well_known().expand_path(&target), "/.well-known/masque/udp/192.0.2.6/443/");
}

#[test]
fn values_are_encoded_and_unknown_variables_vanish() {
    let prefix = "https://a.example";
    for (path, expected) in [
        ("/u/{target_host}/{target_port}", "/u/2001%3Adb8%3A%3A1/443"),
        ("/{target_host,target_port}", "/2001%3Adb8%3A%3A1,443"),
        (
            "/u{other}?a=%20{&other,target_port,target_host}",
            "/u?a=%20&target_port=443&target_host=2001%3Adb8%3A%3A1",
        ),
        ("/u{?other,target_host}{&target_port}", "/u?target_host=2001%3Adb8%3A%3A1&target_port=443"),
        ("/u{?other}{target_host}{target_port}", "/u2001%3Adb8%3A%3A1443"),
    ] {
        assert_eq!(expand(&format!("{prefix}{path}"), "[2001:db8::1]:443"), expected, "{path}");
    }
    let template = UriTemplate::parse("HTTPS://A.example:4443/{target_host}/{target_port}").unwrap();
    assert_eq!(template.authority(), Some("a.example:4443"));
    assert_eq!(UriTemplate::well_known().authority(), None);
}

#[test]
fn each_rule_of_the_standard_is_kept() {
    let both = "{target_host}/{target_port}";
    for (template, error) in [
        (format!("http://a.example/{both}"), TemplateError::Scheme),
        (format!("/masque/{both}"), TemplateError::Scheme),
        (String::new(), TemplateError::Scheme),
        ("https://a.example".into(), TemplateError::Path),
        ("https://a.example?h={target_host}/{target_port}".into(), TemplateError::Place),
        ("https://a.example?/".into(), TemplateError::Path),
        (format!("https:///{both}"), TemplateError::Authority),
        (format!("https://me@a.example/{both}"), TemplateError::Authority),
        (format!("https://a.example:70000/{both}"), TemplateError::Authority),
        (format!("https://[::1/{both}"), TemplateError::Authority),
        ("https://{target_host}/{target_port}".into(), TemplateError::Place),
        (format!("https://a.example/ä{both}"), TemplateError::Characters),
        (format!("https://a.example/ {both}"), TemplateError::Characters),
        (format!("https://a.example/{both}\r\nX: y"), TemplateError::Characters),
        (format!("https://a.example/{both}#end"), TemplateError::Characters),
        (format!("https://a.example/%zz{both}"), TemplateError::Characters),
        (format!("https://a.example/\"{both}"), TemplateError::Characters),
        ("https://a.example/{target_host}".into(), TemplateError::Variables),
        ("https://a.example/{?target_port}".into(), TemplateError::Variables),
        ("https://a.example/".into(), TemplateError::Variables),
        (format!("https://a.example/{both}}}"), TemplateError::Expression),
        (format!("https://a.example/{both}{{"), TemplateError::Expression),
        (format!("https://a.example/{both}{{}}"), TemplateError::Expression),
        (format!("https://a.example/{both}{{?}}"), TemplateError::Expression),
        (format!("https://a.example/{both}{{a,}}"), TemplateError::Expression),
        (format!("https://a.example/{both}{{a-b}}"), TemplateError::Expression),
        (format!("https://a.example/{both}{{{{a}}}}"), TemplateError::Expression),
        ("https://a.example/{+target_host}/{target_port}".into(), TemplateError::Operator),
        ("https://a.example/{#target_host}/{target_port}".into(), TemplateError::Operator),
        ("https://a.example/{.target_host}/{target_port}".into(), TemplateError::Operator),
        ("https://a.example{/target_host}/{target_port}".into(), TemplateError::Place),
        ("https://a.example/{/target_host}/{target_port}".into(), TemplateError::Operator),
        ("https://a.example/{;target_host}/{target_port}".into(), TemplateError::Operator),
        ("https://a.example/{target_host:3}/{target_port}".into(), TemplateError::Operator),
        ("https://a.example/{target_host*}/{target_port}".into(), TemplateError::Operator),
    ] {
        assert_eq!(UriTemplate::parse(&template), Err(error), "{template}");
    }
}

proptest! {
    #![proptest_config(cases(128))]

    /// A second reading of RFC 6570 for the three kinds of expression, by replacing words.
    #[test]
    fn a_template_is_filled_in_as_by_hand(
        parts in proptest::collection::vec(0_usize..7, 0..6),
        target in prop_oneof![Just("[2001:db8::1]:443"), Just("192.0.2.6:80"), Just("a-b.example:65535")],
    ) {
        let (host, port) = match target {
            "[2001:db8::1]:443" => ("2001%3Adb8%3A%3A1", "443"),
            "192.0.2.6:80" => ("192.0.2.6", "80"),
            _ => ("a-b.example", "65535"),
        };
        let known = [
            ("x%20/", "x%20/".to_owned()),
            ("{target_host}", host.to_owned()),
            ("{target_host,other,target_port}", format!("{host},{port}")),
            ("{?target_port,target_host}", format!("?target_port={port}&target_host={host}")),
            ("{&target_host}", format!("&target_host={host}")),
            ("{other}", String::new()),
            ("{?other,target_port}", format!("?target_port={port}")),
        ];
        let text: String = parts.iter().map(|part| known[*part].0).collect();
        let filled: String = parts.iter().map(|part| known[*part].1.as_str()).collect();
        let template = UriTemplate::parse(&format!("https://a.example/{text}{{target_host}}:{{target_port}}")).unwrap();
        let path = template.expand_path(&target.parse::<Target>().unwrap());
        prop_assert_eq!(path, format!("/{filled}{host}:{port}"));
    }

    #[test]
    fn any_text_is_answered(text in "(https://a\\.example)?[/a-z{}?&,%:#+]{0,40}") {
        if let Ok(template) = UriTemplate::parse(&text) {
            let path = template.expand_path(&"[::1]:1".parse::<Target>().unwrap());
            prop_assert!(path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic()));
        }
    }
}
