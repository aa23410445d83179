//! Every step of a check and everything that it can find, as one table: words, `--json` and the documentation come from it.

use std::fmt;

/// What a finding says of its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It does not work.
    Failed,
    /// It works.
    Ok,
    /// Nothing is known: it was not tried, or nobody answers for it.
    Unknown,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Failed => "failed",
            Self::Ok => "ok",
            Self::Unknown => "unknown",
        })
    }
}

/// Declares the steps, in the order in which one needs the other.
macro_rules! steps {
    ($($variant:ident, $name:literal, $question:literal;)+) => {
        /// A step of a check.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Step {
            $(#[doc = $question] $variant,)+
        }

        impl Step {
            /// Every step.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name, which stays as it is.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it asks.
            pub(crate) const fn question(self) -> &'static str {
                match self { $(Self::$variant => $question,)+ }
            }
        }
    };
}

steps! {
    Via, "via", "Does the proxy of the network, where there is one, lead to the relay?";
    Name, "name", "Does the name of the relay lead to addresses?";
    Tcp, "tcp", "Does a TCP connection to the relay's port open?";
    Tls, "tls", "Is the certificate that is shown there trusted, valid, and that of the relay?";
    Portal, "portal", "Does a login page of this network answer in the place of others?";
    Relay, "relay", "Is it the relay that answers?";
    Clock, "clock", "Does the clock of this machine agree with that of the relay?";
    Credential, "credential", "Does the relay accept the token, or the app sign?";
    Stream, "stream", "Does a stream reach its target through the relay?";
    Datagrams, "datagrams", "Do datagrams go through the relay and come back?";
    Quality, "quality", "Is the way to the relay good enough for a call?";
    Size, "size", "How large may a datagram be?";
    Direct, "direct", "Is the target reached directly, without a relay?";
    Route, "route", "What would smart mode decide on this network?";
    Idle, "idle", "For how long does the network keep a connection on which nothing moves? (--long)";
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Declares the findings: name, step, outcome, what is so, and what to do about it. In both texts `{proxy}` is the relay,
/// `{host}` and `{port}` are its parts, `{at}` is the address that was tried, `{target}` the target and `{via}` the
/// proxy of the network.
macro_rules! codes {
    ($($variant:ident, $code:literal, $step:ident $outcome:ident, $sentence:literal, $remedy:literal;)+) => {
        /// What a step has found.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Code {
            $(#[doc = $sentence] $variant,)+
        }

        impl Code {
            /// Every code, by the order of the steps.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The code, which stays as it is.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// Its step.
            pub(crate) const fn step(self) -> Step {
                match self { $(Self::$variant => Step::$step,)+ }
            }

            /// What it says of its step.
            pub(crate) const fn outcome(self) -> Outcome {
                match self { $(Self::$variant => Outcome::$outcome,)+ }
            }

            /// What is so.
            pub(crate) const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)+ }
            }

            /// What to do about it; empty where there is nothing to do.
            pub(crate) const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)+ }
            }
        }
    };
}

codes! {
    ViaOpen, "via-open", Via Ok, "{via} leads to {proxy}", "";
    ViaNone, "via-none", Via Ok, "{proxy} is reached without a proxy of the network", "";
    ViaNameUnknown, "via-name-unknown", Via Failed, "the name of {via} has no address",
        "Check how it is written; the name servers of this network have to know it. It may be the proxy of another network.";
    ViaNameUnanswered, "via-name-unanswered", Via Failed, "no name server says where {via} is",
        "Permit UDP and TCP port 53 from this machine to its name servers, or give the proxy by its address.";
    ViaRefused, "via-refused", Via Failed, "{via} refuses connections",
        "Nobody listens there, or a firewall refuses for it: check host and port, and that the proxy runs.";
    ViaSilent, "via-silent", Via Failed, "{via} does not answer",
        "Permit TCP from this machine to it; check host and port, and that it is the proxy of this network.";
    ViaUnreachable, "via-unreachable", Via Failed, "there is no way from here to {via}",
        "Check the network; permit TCP from this machine to it.";
    ViaTls, "via-tls", Via Failed, "TLS with {via} cannot be agreed on",
        "The proxy has to speak TLS 1.3 for https://; most are http://, inside of which TLS with the relay is safe too.";
    ViaUntrusted, "via-untrusted", Via Failed, "the certificate of {via} is not trusted; no password was shown to it",
        "Name the proxy as its certificate does. With --ca, put the certificate of its authority into that file too.";
    ViaNotProxy, "via-not-proxy", Via Failed, "what answers at {via} is no such proxy",
        "Check the scheme (http://, https:// or socks5://) and the port.";
    ViaCut, "via-cut", Via Failed, "{via} ends the connection without an answer",
        "Check the scheme and the port; its administrator may let in some machines only.";
    ViaUnanswered, "via-unanswered", Via Failed, "{via} accepts connections and does not answer in time",
        "Check the scheme and the port. If they are right, a firewall may swallow for the proxy what it sends to {proxy}: permit that.";
    ViaNeedsAccount, "via-needs-account", Via Failed, "{via} asks who you are",
        "Give user and password as SCHEME://USER:PASSWORD@HOST:PORT, or have this machine let in by its address.";
    ViaSchemeUnknown, "via-scheme-unknown", Via Failed, "{via} asks who you are in a way that is not known here",
        "Its administrator offers Digest or Basic for this machine, or lets it in by its address.";
    ViaWrongPassword, "via-wrong-password", Via Failed, "{via} refuses the user name and the password",
        "Correct them; the account may be locked. A @, :, / or % in them is written %40, %3A, %2F, %25.";
    ViaNoConnect, "via-no-connect", Via Failed, "{via} does not serve CONNECT",
        "Check host and port: this is another server, a login page, or a proxy for pages only, whose administrator has to permit CONNECT.";
    ViaForbidden, "via-forbidden", Via Failed, "{via} does not permit CONNECT to port {port} of {host}",
        "Its administrator permits CONNECT to {proxy} (`wayleave allowlist --proxy {proxy} --format squid`). Port 443 is most often permitted: a relay there gets through more networks.";
    ViaRelayUnreached, "via-relay-unreached", Via Failed, "{via} does not reach {proxy}",
        "Check name and port of the relay. If they are right, the proxy cannot look {host} up, or a firewall behind it drops TCP to {proxy}: permit that there.";
    ViaFailed, "via-failed", Via Failed, "{via} fails to connect to {proxy}",
        "Its log has the reason; check name and port of the relay.";

    NameFound, "name-found", Name Ok, "{host} has addresses", "";
    NameAddress, "name-address", Name Ok, "the relay is given by its address; no name is looked up", "";
    NameFamilyMissing, "name-family-missing", Name Unknown, "{host} has no address of this family", "";
    NameByVia, "name-by-via", Name Unknown, "{host} is looked up by the proxy of the network, and not here", "";
    NameUnknown, "name-unknown", Name Failed, "the name {host} does not exist for this network's name servers",
        "Check how {host} is written. If it is right, the name servers of this network do not know it or hide it: permit it there.";
    NameEmpty, "name-empty", Name Failed, "the name {host} exists and has no address",
        "Whoever runs the zone of {host} has to give it an A or AAAA record; or the name server of this network leaves them out.";
    NameUnanswered, "name-unanswered", Name Failed, "no name server answered for {host} in time",
        "Permit UDP and TCP port 53 from this machine to its name servers, or give it name servers that answer.";
    NameFailed, "name-failed", Name Failed, "the name servers cannot say what {host} is",
        "Ask whoever runs the name servers of this network why they fail or refuse for {host}.";
    NameBlocked, "name-blocked", Name Failed, "the name server leads {host} to an address that is nobody's",
        "A filter in the name server of this network blocks {host}: take it off the list there.";

    TcpOpen, "tcp-open", Tcp Ok, "{at} accepts connections", "";
    TcpRefused, "tcp-refused", Tcp Failed, "{at} refuses connections",
        "Nobody listens at {at}, or a firewall refuses for it: check the port and that the relay runs; permit TCP to {at}.";
    TcpSilent, "tcp-silent", Tcp Failed, "{at} does not answer",
        "A firewall on the way drops TCP to {at}: permit it outwards. `wayleave allowlist --proxy {proxy}` writes the rule.";
    TcpUnreachable, "tcp-unreachable", Tcp Failed, "there is no way from here to {at}",
        "This network has no route of that family, or a firewall says so: check the network, and permit TCP to {at}.";
    TcpForbidden, "tcp-forbidden", Tcp Failed, "this machine does not let connections to {at} out",
        "A firewall on this machine forbids it: permit TCP to {at} for this program.";
    TcpReset, "tcp-reset", Tcp Failed, "connections to {at} are reset as they open",
        "A firewall on the way resets them: permit TCP to {at}.";
    TcpFailed, "tcp-failed", Tcp Failed, "the connection to {at} cannot be made", "See what the system says.";
    TcpNotTried, "tcp-not-tried", Tcp Unknown, "there is no address to connect to", "";
    TcpByVia, "tcp-by-via", Tcp Unknown, "the proxy of the network connects to {proxy}, and not this machine", "";

    TlsTrusted, "tls-trusted", Tls Ok, "the certificate is trusted", "";
    TlsIssuerUnknown, "tls-issuer-unknown", Tls Failed,
        "the certificate is signed by an authority that is not trusted here",
        "If the issuer is a firewall or the organisation of this network, it opens TLS: exempt {host} from inspection there. If the relay has an authority of its own, give its certificate with --ca.";
    TlsExpired, "tls-expired", Tls Failed, "the certificate has expired by the clock of this machine",
        "Set the clock of this machine if it is wrong (see `clock`); else whoever runs {host} has to renew the certificate.";
    TlsNotYetValid, "tls-not-yet-valid", Tls Failed, "the certificate is not valid yet by the clock of this machine",
        "Set the clock of this machine (see `clock`).";
    TlsWrongName, "tls-wrong-name", Tls Failed, "the certificate is for other names than {host}",
        "Name the relay as its certificate does. If this is the right name, another server answers for it: a portal, or a box that opens TLS.";
    TlsBadCertificate, "tls-bad-certificate", Tls Failed, "the certificate cannot be accepted",
        "Whoever runs {host} has to replace the certificate, unless a box on the way has put its own in its place.";
    TlsNotTls, "tls-not-tls", Tls Failed, "what answers at {at} does not speak TLS",
        "The port is that of another service, or a portal or a filter answers for it: check {proxy}; permit TLS to it without inspection.";
    TlsVersion, "tls-version", Tls Failed, "TLS 1.3 is not accepted at {at}",
        "A box on the way, or another server than the relay, knows older versions only: exempt {host} from inspection.";
    TlsCut, "tls-cut", Tls Failed, "the connection to {at} is cut as soon as TLS begins",
        "A firewall on the way cuts TLS by the name {host} that it reads: permit that name, without inspection.";
    TlsSilent, "tls-silent", Tls Failed, "TLS with {at} is not answered",
        "A firewall on the way swallows TLS: permit {proxy} without inspection.";
    TlsFailed, "tls-failed", Tls Failed, "TLS with {at} cannot be agreed on", "See what the other side says.";
    TlsNotTried, "tls-not-tried", Tls Unknown, "there is no connection", "";

    PortalNone, "portal-none", Portal Ok, "no login page answers for {host}", "";
    PortalSeen, "portal-seen", Portal Failed, "a login page of this network answers in the place of {host}",
        "Open a browser on this machine and log in to the network; then check again.";
    PortalUnknown, "portal-unknown", Portal Unknown, "port 80 of {host} does not answer", "";
    PortalByVia, "portal-by-via", Portal Unknown, "behind a proxy of the network none is looked for", "";

    RelayAnswers, "relay-answers", Relay Ok, "a relay of Wayleave's answers", "";
    RelayOther, "relay-other", Relay Unknown, "a proxy answers that does not give the word of this check back",
        "It is a relay of another kind, or one with --no-echo; what follows shows whether it serves.";
    RelayWebServer, "relay-web-server", Relay Failed, "another server than a relay answers at {at}",
        "Check name and port of the relay. If they are right, whoever runs {host} leads this port elsewhere, or a box on the way does.";
    RelayNotHttp, "relay-not-http", Relay Failed, "what answers at {at} does not speak HTTP",
        "Check name and port of the relay.";
    RelayCut, "relay-cut", Relay Failed, "the connection is closed without an answer",
        "Something on the way or the relay ends it: look into the relay's log; exempt {host} from inspection.";
    RelaySilent, "relay-silent", Relay Failed, "no answer comes to a request",
        "Something on the way swallows it, or the relay is stuck: look into the relay's log.";
    RelayNotTried, "relay-not-tried", Relay Unknown, "there is no connection to ask on", "";

    ClockRight, "clock-right", Clock Ok, "the clocks agree", "";
    ClockWrong, "clock-wrong", Clock Failed, "the clocks of this machine and of the relay do not agree",
        "Set the clock of this machine, or let it be set (NTP); if it is right, the relay's is wrong. Certificates and tokens are judged by them.";
    ClockUnknown, "clock-unknown", Clock Unknown, "the relay did not tell the time", "";

    CredentialAccepted, "credential-accepted", Credential Ok, "the relay accepts it", "";
    CredentialExpired, "credential-expired", Credential Failed, "the relay does not accept the token, which has expired",
        "Get a new token from the application's server (`wayleave token mint`).";
    CredentialEarly, "credential-early", Credential Failed, "the relay does not accept the token, which is not valid yet",
        "Wait, or compare the clock of this machine with that of whoever minted it.";
    CredentialRefused, "credential-refused", Credential Failed, "the relay does not accept it",
        "The relay does not know its key, it was revoked, is cut, or is meant for another relay: get a new one; the relay's log has the reason.";
    CredentialMalformed, "credential-malformed", Credential Failed, "this is no credential",
        "Give the token as the application's server made it, whole and alone.";
    CredentialLimited, "credential-limited", Credential Failed, "the relay takes no more attempts from this address (429)",
        "Somebody at this address tries wrong tokens: find who does, and try again in a minute.";
    CredentialBusy, "credential-busy", Credential Unknown, "the relay cannot look at it at the moment (503)",
        "The relay is overloaded or stopping: try again, or another relay.";
    CredentialUnclear, "credential-unclear", Credential Unknown, "what answers does not say whether it accepts it", "";
    CredentialMissing, "credential-missing", Credential Unknown, "no token was given",
        "Give --token-file FILE to have it checked.";
    CredentialNotShown, "credential-not-shown", Credential Unknown, "it was shown to nobody, since no relay is known to be there", "";

    StreamOpen, "stream-open", Stream Ok, "{target} is reached through the relay", "";
    StreamForbidden, "stream-forbidden", Stream Failed, "the relay does not lead to {target}: port or token forbid it",
        "Have {target} permitted in the token's scope or by the relay's operator (--deny-port, [scope]).";
    StreamAddressForbidden, "stream-address-forbidden", Stream Failed, "the relay does not forward to the address of {target}",
        "Private and special addresses are closed by default: the operator opens them with --allow-target.";
    StreamNameUnknown, "stream-name-unknown", Stream Failed, "the relay finds no address for {target}",
        "Check the name of the target, and the relay's name servers.";
    StreamRefused, "stream-refused", Stream Failed, "{target} refuses the relay's connection",
        "Check that the target runs, and that it lets the relay's address in.";
    StreamSilent, "stream-silent", Stream Failed, "{target} does not answer the relay",
        "Check that the target runs, and that its firewall lets the relay's address in.";
    StreamLimited, "stream-limited", Stream Failed, "the relay opens no more tunnels for this token (429)",
        "Close some, or have the limit raised (`tunnels` and `volume` of the scope).";
    StreamBusy, "stream-busy", Stream Failed, "the relay serves nobody new at the moment (503)",
        "It is overloaded or stopping: try again, or another relay.";
    StreamFailed, "stream-failed", Stream Failed, "{target} is not reached through the relay", "Look into the relay's log.";
    StreamNoTarget, "stream-no-target", Stream Unknown, "no target was given", "Give --target tcp:HOST:PORT to have one tried.";
    StreamNotTried, "stream-not-tried", Stream Unknown, "no relay accepted a credential", "";

    DatagramsBack, "datagrams-back", Datagrams Ok, "datagrams come back", "";
    DatagramsUnanswered, "datagrams-unanswered", Datagrams Unknown,
        "the relay leads to {target}, and nothing there answered a STUN request", "Give a STUN server as the target.";
    DatagramsNoEcho, "datagrams-no-echo", Datagrams Unknown, "the relay has no echo",
        "Give --target udp:HOST:PORT of a STUN server, or let the operator leave out --no-echo.";
    DatagramsLost, "datagrams-lost", Datagrams Failed, "the tunnel opens, and nothing comes back",
        "Something on the way holds back what runs in the tunnel: exempt {host} from inspection.";
    DatagramsNotUpgraded, "datagrams-not-upgraded", Datagrams Failed, "the change of protocol is not let through",
        "A proxy on the way or in front of the relay drops `Upgrade`: let it pass TLS to {proxy} through as it is.";
    DatagramsRefused, "datagrams-refused", Datagrams Failed, "the relay opens no tunnel for datagrams to {target}",
        "See its answer; the relay's log has the reason.";
    DatagramsNotTried, "datagrams-not-tried", Datagrams Unknown, "no relay accepted a credential", "";

    QualityGood, "quality-good", Quality Ok, "good for calls", "";
    QualityFair, "quality-fair", Quality Ok, "enough for calls, with flaws", "";
    QualityPoor, "quality-poor", Quality Failed, "too bad for calls",
        "Look for what is slow or lossy on the way: wifi, a full uplink, a relay that is far away. Choose a relay that is nearer.";
    QualityUnknown, "quality-unknown", Quality Unknown, "there was nothing to measure", "";

    SizeWhole, "size-whole", Size Ok, "as large as media sends", "";
    SizeSmall, "size-small", Size Failed, "too small for media and QUIC, which send 1200 bytes",
        "Something between cuts off large datagrams: look into the relay's log.";
    SizeUnknown, "size-unknown", Size Unknown, "there was nothing to measure", "";

    DirectOpen, "direct-open", Direct Ok, "{target} is reached directly", "";
    DirectClosed, "direct-closed", Direct Failed, "{target} is not reached directly",
        "That is what the relay is for; if it should be reached, permit it in the firewall.";
    DirectNoTarget, "direct-no-target", Direct Unknown, "no target was given", "";
    DirectNotTried, "direct-not-tried", Direct Unknown, "mode normal sends nothing directly", "";

    RouteDirect, "route-direct", Route Ok, "smart mode goes directly", "";
    RouteProxied, "route-proxied", Route Ok, "smart mode goes through the relay", "";
    RouteStays, "route-stays", Route Ok, "smart mode stays direct on this link, although nothing was proven", "";
    RouteUnknown, "route-unknown", Route Unknown, "smart mode was not tried", "";

    IdleKept, "idle-kept", Idle Ok, "a connection on which nothing moves is kept", "";
    IdleLost, "idle-lost", Idle Failed, "a connection on which nothing moves is forgotten",
        "Keep connections alive more often than that (--keep-alive of the agent), or raise the idle timeout of the firewall.";
    IdleUnknown, "idle-unknown", Idle Unknown, "there was no tunnel to leave idle", "";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The table as Markdown, for the documentation.
pub(crate) fn table() -> String {
    let mut text = String::new();
    for step in Step::ALL {
        text += &format!(
            "### `{step}`: {}\n\n| code | | what is so | what to do |\n|---|---|---|---|\n",
            step.question()
        );
        for code in Code::ALL.iter().filter(|code| code.step() == *step) {
            let (outcome, sentence, remedy) = (code.outcome(), code.sentence(), code.remedy());
            text += &format!("| `{code}` | {outcome} | {sentence} | {remedy} |\n");
        }
        text += "\n";
    }
    text
}
