//! Which addresses may be dialled: none with a special meaning, unless the operator opens it.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Cidr;

/// The operator's word on addresses.
///
/// By default every address is forbidden that has a special meaning
/// ([RFC 6890 §2.2](https://www.rfc-editor.org/rfc/rfc6890#section-2.2) and the registries that it made). `allow` opens
/// such ranges; `deny` closes any, and wins. Multicast, broadcast and unspecified addresses are never opened.
///
/// An IPv6 address with an IPv4 address inside is judged by that one too. The mapped form (`::ffff:192.0.2.1`) is open
/// where `allow` holds the inner address; the translated and tunnelled forms (NAT64, 6to4, Teredo and others) only where
/// `allow` holds the IPv6 address itself as well, since they end on another network. In the local range of NAT64
/// (`64:ff9b:1::/48`) the inner address is read in the layouts of the prefixes /96 and /48
/// ([RFC 6052 §2.2](https://www.rfc-editor.org/rfc/rfc6052#section-2.2)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Special ranges that are open all the same.
    pub allow: Vec<Cidr>,
    /// Ranges that are closed whatever else is said of them.
    pub deny: Vec<Cidr>,
}

impl AddressPolicy {
    /// Says whether `address` may be dialled.
    ///
    /// # Errors
    /// [`Forbidden`] with the range that forbids it.
    pub fn judge(&self, address: IpAddr) -> Result<(), Forbidden> {
        if self.deny.iter().any(|range| range.contains(address)) {
            return Err(Forbidden { rule: "deny list" });
        }
        if let IpAddr::V6(v6) = address
            && let Some(wrapped) = Wrapped::read(v6)
        {
            return self.judge_wrapped(address, &wrapped);
        }
        let Some(range) = Special::of(address) else { return Ok(()) };
        if range.may_open && self.allows(address) { Ok(()) } else { Err(Forbidden { rule: range.rule }) }
    }

    fn judge_wrapped(&self, address: IpAddr, wrapped: &Wrapped) -> Result<(), Forbidden> {
        for inner in wrapped.inner {
            self.judge(IpAddr::V4(inner))?;
        }
        let open_inside =
            wrapped.rule == MAPPED && wrapped.inner.iter().all(|inner| self.allows(IpAddr::V4(*inner)));
        if open_inside || self.allows(address) { Ok(()) } else { Err(Forbidden { rule: wrapped.rule }) }
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.allow.iter().any(|range| range.contains(address))
    }
}

/// The range that forbids an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address is forbidden: {rule}")]
#[non_exhaustive]
pub struct Forbidden {
    /// The name of the range, such as `loopback` or `private`.
    pub rule: &'static str,
}

/// An address with a special meaning.
#[derive(Clone, Copy)]
struct Special {
    rule: &'static str,
    may_open: bool,
}

impl Special {
    fn of(address: IpAddr) -> Option<Self> {
        let find = |table: &[(Cidr, &'static str)], may_open| {
            let (_, rule) = table.iter().find(|(range, _)| range.contains(address))?;
            Some(Self { rule, may_open })
        };
        find(&NEVER, false).or_else(|| find(&SPECIAL, true)).or_else(|| {
            let unassigned = address.is_ipv6() && !GLOBAL_UNICAST.contains(address);
            unassigned.then_some(Self { rule: "reserved", may_open: true })
        })
    }
}

/// An IPv6 address with IPv4 addresses inside.
struct Wrapped {
    rule: &'static str,
    /// Teredo has two, every other form the same one twice.
    inner: [Ipv4Addr; 2],
}

impl Wrapped {
    fn read(address: Ipv6Addr) -> Option<Self> {
        if address.is_unspecified() || address.is_loopback() {
            return None;
        }
        let bits = u128::from(address);
        // The 32 bits that end `shift` bits before the end of the address.
        let at = |shift: u32| Ipv4Addr::from((bits >> shift) as u32);
        let (_, form, rule) = WRAPPED.iter().find(|(range, ..)| range.contains(IpAddr::V6(address)))?;
        let inner = match form {
            Form::Last => [at(0); 2],
            Form::Nat64Local => [nat64_local(bits); 2],
            Form::SixToFour => [at(80); 2],
            Form::Teredo => [at(64), Ipv4Addr::from(!u32::from(at(0)))],
        };
        Some(Self { rule, inner })
    }
}

/// The inner address below a local prefix of NAT64: of 96 bits, or of 48 where the suffix of that layout is empty.
fn nat64_local(bits: u128) -> Ipv4Addr {
    let suffix = bits & 0xff_ffff_ffff;
    if suffix == 0 {
        let (upper, lower) = ((bits >> 64) as u32 & 0xffff, (bits >> 40) as u32 & 0xffff);
        Ipv4Addr::from(upper << 16 | lower)
    } else {
        Ipv4Addr::from(bits as u32)
    }
}

/// Where the IPv4 address stands.
#[derive(Clone, Copy)]
enum Form {
    Last,
    Nat64Local,
    SixToFour,
    Teredo,
}

const MAPPED: &str = "mapped IPv4";

const WRAPPED: [(Cidr, Form, &str); 7] = [
    (Cidr::v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96), Form::Last, MAPPED),
    (Cidr::v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96), Form::Last, "translated IPv4"),
    (Cidr::v6([0; 8], 96), Form::Last, "compatible IPv4"),
    (Cidr::v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96), Form::Last, "NAT64"),
    (Cidr::v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), Form::Nat64Local, "NAT64"),
    (Cidr::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), Form::Teredo, "Teredo"),
    (Cidr::v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), Form::SixToFour, "6to4"),
];

/// Ranges that no operator can open.
const NEVER: [(Cidr, &str); 5] = [
    (Cidr::v4([0, 0, 0, 0], 32), "unspecified"),
    (Cidr::v4([255, 255, 255, 255], 32), "broadcast"),
    (Cidr::v4([224, 0, 0, 0], 4), "multicast"),
    (Cidr::v6([0; 8], 128), "unspecified"),
    (Cidr::v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "multicast"),
];

/// The only block out of which IPv6 addresses are given to hosts of the public internet.
const GLOBAL_UNICAST: Cidr = Cidr::v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// Ranges that an operator can open.
const SPECIAL: [(Cidr, &str); 27] = [
    (Cidr::v4([0, 0, 0, 0], 8), "this network"),
    (Cidr::v4([10, 0, 0, 0], 8), "private"),
    (Cidr::v4([100, 64, 0, 0], 10), "shared by carrier NAT"),
    (Cidr::v4([127, 0, 0, 0], 8), "loopback"),
    // A public address on which one large cloud answers its virtual machines with their secrets.
    (Cidr::v4([168, 63, 129, 16], 32), "metadata"),
    (Cidr::v4([169, 254, 0, 0], 16), "link-local"),
    (Cidr::v4([172, 16, 0, 0], 12), "private"),
    (Cidr::v4([192, 0, 0, 0], 24), "protocol assignments"),
    (Cidr::v4([192, 0, 2, 0], 24), "documentation"),
    (Cidr::v4([192, 88, 99, 0], 24), "6to4"),
    (Cidr::v4([192, 168, 0, 0], 16), "private"),
    (Cidr::v4([198, 18, 0, 0], 15), "benchmarking"),
    (Cidr::v4([198, 51, 100, 0], 24), "documentation"),
    (Cidr::v4([203, 0, 113, 0], 24), "documentation"),
    (Cidr::v4([240, 0, 0, 0], 4), "reserved"),
    (Cidr::v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "loopback"),
    (Cidr::v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), "discard"),
    (Cidr::v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64), "discard"),
    (Cidr::v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48), "benchmarking"),
    (Cidr::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "protocol assignments"),
    (Cidr::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), "documentation"),
    (Cidr::v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "documentation"),
    (Cidr::v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), "segment routing"),
    (Cidr::v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "private"),
    (Cidr::v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "link-local"),
    (Cidr::v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "site-local"),
    (Cidr::v6([0, 0, 0, 0, 0, 0, 0, 0], 8), "reserved"),
];
