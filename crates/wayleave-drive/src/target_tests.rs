//! Whatever can name a target, and what cannot.

use wayleave_proto::base::{Target, TargetError};
use wayleave_proto::client::FlowError;

use crate::IntoTarget;

#[test]
fn whatever_names_a_target_becomes_it() {
    let read = |text: &str| text.parse::<Target>().unwrap();
    let name = read("media.example:5004");
    for target in [
        "media.example:5004".into_target(),
        String::from("media.example:5004").into_target(),
        (&String::from("media.example:5004")).into_target(),
        ("media.example", 5_004).into_target(),
        (String::from("Media.Example"), 5_004).into_target(),
        (&name).into_target(),
        name.clone().into_target(),
    ] {
        assert_eq!(target, Ok(name.clone()));
    }
    for address in ["192.0.2.1:443", "[2001:db8::1]:443"] {
        let socket: std::net::SocketAddr = address.parse().unwrap();
        let (ip, port) = (socket.ip(), socket.port());
        for target in
            [socket.into_target(), (ip, port).into_target(), (ip.to_string().as_str(), port).into_target()]
        {
            assert_eq!(target, Ok(read(address)));
        }
    }
}

#[test]
fn what_names_no_target_says_why() {
    let zero: std::net::SocketAddr = "192.0.2.1:0".parse().unwrap();
    for (target, error) in [
        ("media.example".into_target(), TargetError::NoPort),
        (("media.example", 0).into_target(), TargetError::Port),
        (("media.example:1", 5_004).into_target(), TargetError::Host),
        (("[2001:db8::1]", 443).into_target(), TargetError::Host),
        (zero.into_target(), TargetError::Port),
    ] {
        assert_eq!(target, Err(FlowError::Target(error)));
    }
}
