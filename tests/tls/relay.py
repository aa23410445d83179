"""relay.py PORT: the relay at this port of 127.0.0.1, examined as a TLS 1.3 server. Exit status 0 where all is right.

A case that the RFC gives no alert for has the ones that are sensible. Where the relay does otherwise on purpose, the case
says why.
"""
import socket
import struct
import sys

from tlslite.constants import KeyUpdateMessageType
from tlslite.errors import TLSRemoteAlert

from behind import CERTIFICATE, CLIENT_HELLO, FINISHED, KEY_UPDATE, TICKET, UNEXPECTED, examine, handshake, message
from peer import ALERT, ALERTS, CCS, DATA, HANDSHAKE, Broken, Peer, Report

PORT = int(sys.argv[1])
report = Report("relay")


def connect():
    return Peer(socket.create_connection(("127.0.0.1", PORT), 15))


def shaken(**changes):
    peer = connect()
    peer.tls.handshakeClientCert(serverName="localhost", settings=peer.settings(**changes))
    return peer


def during(section, name, wanted, message, act):
    """`act` in place of a message of the handshake."""
    peer = connect()
    peer.before(message, lambda whole: act(peer, whole))
    try:
        peer.tls.handshakeClientCert(serverName="localhost", settings=peer.settings())
        got = peer.answer()
    except Broken:
        got = peer.answer()
    except TLSRemoteAlert as alert:  # tlslite-ng met it by itself
        got = ALERTS.get(alert.description, f"alert {alert.description}")
    report.case(section, name, wanted, got)
    peer.close()


def first(section, name, wanted, act):
    """`act` in place of a ClientHello."""
    peer = connect()
    act(peer)
    report.case(section, name, wanted, peer.answer())
    peer.close()


examine(shaken, report)
peer = shaken()
peer.sealed(handshake(message(TICKET, bytes(40))))
report.case("§4.6.1", "NewSessionTicket of a client", UNEXPECTED, peer.answer())


def answered(peer):
    """Whether an answer of HTTP comes."""
    try:
        return "an answer" if peer.tls.read(max=12, min=12).startswith(b"HTTP/1.1 ") else "something else"
    except Exception as error:
        return repr(error)


def updates(peer):
    """The relay changes its key before it says more, and what it says opens with the next one."""
    for _ in peer.tls.send_keyupdate_request(KeyUpdateMessageType.update_requested):
        pass
    peer.tls.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    return answered(peer)


report.case("§4.6.3", "KeyUpdate that asks for one", "an answer", updates(shaken()))

peer = shaken()
for inner in (bytes([DATA]), b"GET / HTTP/1.1\r\n" + bytes([DATA]) + bytes(200), bytes([DATA]) + bytes(1000), b"Host: x\r\n\r\n" + bytes([DATA])):
    peer.sealed(inner)
report.case("§5.4", "empty and padded records of data", "an answer", answered(peer))
peer = shaken()
peer.sealed(b"\x02\x5a" + bytes([ALERT]))
peer.sealed(b"\x01\x00" + bytes([ALERT]))
report.case("§6.1", "user_canceled, then close_notify", ("close_notify", "the end without an alert"), peer.answer())

first("§5.1", "data in the clear in place of a ClientHello", UNEXPECTED, lambda peer: peer.raw(DATA, b"hello"))
first("§5", "change_cipher_spec before a ClientHello", UNEXPECTED, lambda peer: peer.raw(CCS, b"\x01"))
first("§4", "Finished in place of a ClientHello", UNEXPECTED, lambda peer: peer.raw(HANDSHAKE, message(FINISHED, bytes(32))))
first("§5.1", "a record in the clear that is too long", "record_overflow", lambda peer: peer.raw(HANDSHAKE, bytes(16385)))
first("§5.1", "a handshake record of length zero", (UNEXPECTED, "decode_error"), lambda peer: peer.raw(HANDSHAKE, b""))
first("§5", "a record of the unknown type 200 in place of a ClientHello", UNEXPECTED, lambda peer: peer.raw(200, b"hello"))


def hello(change):
    """The ClientHello of tlslite-ng, changed."""
    return lambda peer, whole: change(whole)


def parts(whole):
    """What stands before the extensions, and these."""
    at = 4 + 2 + 32
    at += 1 + whole[at]
    at += 2 + int.from_bytes(whole[at:at + 2], "big")
    at += 1 + whole[at]
    found, rest = [], whole[at + 2:]
    while rest:
        kind, length = struct.unpack(">HH", rest[:4])
        found.append((kind, rest[4:4 + length]))
        rest = rest[4 + length:]
    return whole[4:at], found


def joined(fixed, extensions):
    body = b"".join(struct.pack(">HH", kind, len(value)) + value for kind, value in extensions)
    return message(CLIENT_HELLO, fixed + len(body).to_bytes(2, "big") + body)


def extensions(change):
    def changed(whole):
        fixed, found = parts(whole)
        return joined(fixed, change(found))
    return hello(changed)


without = lambda *kinds: extensions(lambda found: [it for it in found if it[0] not in kinds])
instead = lambda kind, value: extensions(lambda found: [(it[0], value if it[0] == kind else it[1]) for it in found])
more = lambda *new: extensions(lambda found: found + list(new))
SNI, GROUPS, ALGORITHMS, ALPN, PSK, VERSIONS, PSK_MODES, SHARES = 0, 10, 13, 16, 41, 43, 45, 51

during("§4.2.1", "no supported_versions", ("protocol_version", "handshake_failure"), CLIENT_HELLO, without(VERSIONS))
during("§4.2.1", "only an older version", "protocol_version", CLIENT_HELLO, instead(VERSIONS, b"\x02\x03\x03"))
during("§9.2", "no signature_algorithms", "missing_extension", CLIENT_HELLO, without(ALGORITHMS))
during("§9.2", "no supported_groups", "missing_extension", CLIENT_HELLO, without(GROUPS))
during("§9.2", "no key_share", "missing_extension", CLIENT_HELLO, without(SHARES))
during("§4.1.1", "no cipher suite in common", "handshake_failure", CLIENT_HELLO,
       hello(lambda whole: (lambda fixed, found: joined(fixed[:34] + b"\0\0\x02\xfe\xfe\x01\0", found))(*parts(whole))))
during("§4.1.1", "no group in common", "handshake_failure", CLIENT_HELLO, extensions(
    lambda found: [(k, b"\0\x02\xfe\xfe" if k == GROUPS else b"\0\0" if k == SHARES else v) for k, v in found]))
during("§4.1.1", "no signature algorithm in common", "handshake_failure", CLIENT_HELLO, instead(ALGORITHMS, b"\0\x02\xfe\xfe"))
during("§4.1.2", "compression", "illegal_parameter", CLIENT_HELLO,
       hello(lambda whole: (lambda fixed, found: joined(fixed[:-2] + b"\x02\x01\0", found))(*parts(whole))))
during("§4.2", "an extension twice", ("illegal_parameter", "decode_error"), CLIENT_HELLO, more((SNI, b"\0\x0c\0\0\x09localhost"), (SNI, b"\0\x0c\0\0\x09localhost")))
during("§6.2", "bytes behind the extensions", "decode_error", CLIENT_HELLO, hello(lambda whole: message(CLIENT_HELLO, whole[4:] + b"x")))
during("§6.2", "a ClientHello that is cut", "decode_error", CLIENT_HELLO, hello(lambda whole: message(CLIENT_HELLO, whole[4:60])))
during("§6.2", "an ALPN list that lies about its length", "decode_error", CLIENT_HELLO, more((ALPN, b"\0\x20\x08http/1.1")))
during("RFC 7301 §3.2", "no protocol in common", "no_application_protocol", CLIENT_HELLO, more((ALPN, b"\0\x03\x02h9")))
during("§4.2.11", "pre_shared_key that is not the last", ("illegal_parameter", "decode_error"), CLIENT_HELLO,
       extensions(lambda found: [(PSK, bytes.fromhex("000a00047777777700000000002120") + bytes(32))] + found))
during("§4.2.9", "pre_shared_key without its modes", ("missing_extension", "illegal_parameter"), CLIENT_HELLO, extensions(
    lambda found: [it for it in found if it[0] != PSK_MODES] + [(PSK, bytes.fromhex("000a00047777777700000000002120") + bytes(32))]))
during("§4.2.8", "a key share of a wrong length", ("illegal_parameter", "decode_error"), CLIENT_HELLO,
       extensions(lambda found: [(k, b"\0\x05\0\x1d\0\x01\x09" if k == SHARES else b"\0\x02\0\x1d" if k == GROUPS else v) for k, v in found]))
during("§7.4.2", "a share of X25519 that is zero", "illegal_parameter", CLIENT_HELLO,
       extensions(lambda found: [(k, b"\0\x24\0\x1d\0\x20" + bytes(32) if k == SHARES else b"\0\x02\0\x1d" if k == GROUPS else v) for k, v in found]))

during("§5", "change_cipher_spec of the value 2", UNEXPECTED, FINISHED, lambda peer, whole: peer.raw(CCS, b"\x02"))
during("§5.1", "data in place of Finished", UNEXPECTED, FINISHED, lambda peer, whole: peer.sealed(b"data" + bytes([DATA])))
during("§5.4", "zeros only in place of Finished", UNEXPECTED, FINISHED, lambda peer, whole: peer.sealed(bytes(20)))
during("§5.2", "a changed record in place of Finished", "bad_record_mac", FINISHED, lambda peer, whole: peer.sealed(whole + bytes([HANDSHAKE]), spoil=True))
during("§4.4.4", "Finished that is wrong", "decrypt_error", FINISHED, lambda peer, whole: peer.sealed(whole[:-1] + bytes([whole[-1] ^ 1, HANDSHAKE])))
during("§6.2", "Finished that is too short", ("decode_error", "decrypt_error"), FINISHED, lambda peer, whole: peer.sealed(message(FINISHED, whole[4:-1]) + bytes([HANDSHAKE])))
during("§5.1", "a message behind Finished in its record", UNEXPECTED, FINISHED, lambda peer, whole: peer.sealed(whole + message(KEY_UPDATE, b"\0") + bytes([HANDSHAKE])))
during("§4", "a certificate that nobody asked for", UNEXPECTED, FINISHED, lambda peer, whole: peer.sealed(handshake(message(CERTIFICATE, b"\0\0\0\0"))))
during("§4", "KeyUpdate before Finished", UNEXPECTED, FINISHED, lambda peer, whole: peer.sealed(handshake(message(KEY_UPDATE, b"\0"))))
during("§4", "a second ClientHello in place of Finished", UNEXPECTED, FINISHED, lambda peer, whole: peer.sealed(handshake(message(CLIENT_HELLO, bytes(60)))))
during("§5.1", "a handshake record of length zero in place of Finished", (UNEXPECTED, "decode_error"), FINISHED, lambda peer, whole: peer.sealed(bytes([HANDSHAKE])))

sys.exit(report.end())
