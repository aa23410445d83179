//! What the machine knows by itself: the hosts file and localhost.

use super::*;

const HOSTS: &str = "\
# A comment
127.0.0.1\tlocalhost
::1 localhost ip6-localhost

192.0.2.7   Media.Example media # the last word is a comment
2001:db8::7 media.example
192.0.2.8 rooted.example.
not-an-address media.example
192.0.2.9
";

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().expect("an address")).collect()
}

#[test]
fn a_hosts_file_is_read_as_it_is_written() {
    let cases: [(&str, &[&str]); 6] = [
        ("localhost", &["127.0.0.1", "::1"]),
        ("media.example", &["192.0.2.7", "2001:db8::7"]),
        ("MEDIA.example.", &["192.0.2.7", "2001:db8::7"]),
        ("media", &["192.0.2.7"]),
        ("rooted.example", &["192.0.2.8"]),
        ("comment", &[]),
    ];
    for (name, expected) in cases {
        assert_eq!(in_hosts(HOSTS, &name.parse().expect("a name")), addresses(expected), "{name}");
    }
}

#[test]
fn localhost_is_this_machine_without_any_question() {
    for (name, is_local) in
        [("localhost", true), ("a.localhost.", true), ("localhost.example", false), ("notlocalhost", false)]
    {
        assert_eq!(loopback(&name.parse().expect("a name")).is_some(), is_local, "{name}");
    }
}
