use super::{address, with_password};
use crate::base::Secret;
use crate::local::{FrontConfig, FrontConfigError};

#[test]
fn row42_a_door_to_other_machines_needs_a_password() {
    let open = FrontConfig::default();
    for listen in ["127.0.0.1:1080", "127.9.9.9:1", "[::1]:1080", "[::ffff:127.0.0.1]:1080"] {
        assert_eq!(open.check(address(listen)), Ok(()), "{listen}");
    }
    for listen in ["0.0.0.0:1080", "[::]:1080", "192.168.1.2:1080", "[2001:db8::1]:1", "[::ffff:10.0.0.1]:1"]
    {
        assert_eq!(open.check(address(listen)), Err(FrontConfigError::Open(address(listen))), "{listen}");
        assert_eq!(with_password().check(address(listen)), Ok(()));
    }
}

#[test]
fn a_password_that_no_client_can_send_is_an_error() {
    let check = |user: &str, password: &str| {
        let password = Some((user.into(), Secret::new(password.into())));
        FrontConfig { password, ..FrontConfig::default() }.check(address("127.0.0.1:1"))
    };
    let (longest, long) = ("a".repeat(255), "a".repeat(256));
    assert_eq!(check(&longest, &longest), Ok(()));
    for user in ["", "a:b", long.as_str()] {
        assert_eq!(check(user, "x"), Err(FrontConfigError::User), "{user}");
    }
    for password in ["", long.as_str()] {
        assert_eq!(check("x", password), Err(FrontConfigError::Password));
    }
    for head_limit in [0, 255, 1024 * 1024 + 1] {
        let config = FrontConfig { head_limit, ..FrontConfig::default() };
        assert_eq!(config.check(address("127.0.0.1:1")), Err(FrontConfigError::HeadLimit(head_limit)));
    }
}
