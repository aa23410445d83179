"""What a side that has shaken hands must say to records and messages that may not come: the same for both sides."""
from peer import ALERT, CCS, DATA, HANDSHAKE

CLIENT_HELLO, SERVER_HELLO, TICKET, END_OF_EARLY_DATA, ENCRYPTED_EXTENSIONS = 1, 2, 4, 5, 8
CERTIFICATE, CERTIFICATE_REQUEST, CERTIFICATE_VERIFY, FINISHED, KEY_UPDATE = 11, 13, 15, 20, 24
UNEXPECTED = "unexpected_message"


def message(kind, body=b""):
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def handshake(*messages):
    """The inner plaintext of a record with these messages."""
    return b"".join(messages) + bytes([HANDSHAKE])


def examine(shaken, report):
    """`shaken` gives connections whose handshake is over."""

    def behind(section, name, wanted, act):
        peer = shaken()
        act(peer)
        report.case(section, name, wanted, peer.answer())
        peer.close()

    for inner, what in ((bytes(16), "zeros only"), (b"", "nothing at all"), (bytes(1), "one zero")):
        behind("§5.4", f"a record of {what}", UNEXPECTED, lambda peer: peer.sealed(inner))
    for kind in (0x01, 0x18, 0x19, 0x63, 0xFF):
        behind("§5", f"a record of the unknown type {kind}", UNEXPECTED, lambda peer: peer.sealed(b"x" + bytes([kind])))
    behind("§5", "change_cipher_spec, sealed", UNEXPECTED, lambda peer: peer.sealed(b"\x01" + bytes([CCS])))
    behind("§5", "change_cipher_spec in the clear behind Finished", UNEXPECTED, lambda peer: peer.raw(CCS, b"\x01"))
    behind("§5", "an alert in the clear", UNEXPECTED, lambda peer: peer.raw(ALERT, b"\x02\x28"))
    behind("§5", "a handshake message in the clear", UNEXPECTED, lambda peer: peer.raw(HANDSHAKE, message(KEY_UPDATE, b"\0")))
    behind("§5.1", "a handshake record of length zero", UNEXPECTED, lambda peer: peer.sealed(bytes([HANDSHAKE])))
    behind("§5.1", "an alert record of length zero", (UNEXPECTED, "decode_error"), lambda peer: peer.sealed(bytes([ALERT])))
    behind("§5.2", "a record that was changed", "bad_record_mac", lambda peer: peer.sealed(b"data" + bytes([DATA]), spoil=True))
    behind("§5.2", "a record too short for its tag", "bad_record_mac", lambda peer: peer.raw(DATA, bytes(5)))
    behind("§5.2", "a sealed record that is too long", "record_overflow", lambda peer: peer.raw(DATA, bytes(16384 + 257)))
    behind("§5.4", "a plaintext that is too long", "record_overflow", lambda peer: peer.sealed(bytes(16385) + bytes([DATA])))
    behind("§5.4", "padding that makes it too long", "record_overflow", lambda peer: peer.sealed(b"x" + bytes([DATA]) + bytes(16384)))
    behind("§6", "an alert that is cut", "decode_error", lambda peer: peer.sealed(b"\x02" + bytes([ALERT])))
    behind("§5.1", "two alerts in a record", "decode_error", lambda peer: peer.sealed(b"\x01\x5a\x01\x00" + bytes([ALERT])))

    for value in (2, 3, 255):
        behind("§4.6.3", f"KeyUpdate with request_update {value}", "illegal_parameter", lambda peer: peer.sealed(handshake(message(KEY_UPDATE, bytes([value])))))
    behind("§6.2", "KeyUpdate without a body", "decode_error", lambda peer: peer.sealed(handshake(message(KEY_UPDATE))))
    behind("§6.2", "KeyUpdate with two bytes", "decode_error", lambda peer: peer.sealed(handshake(message(KEY_UPDATE, b"\0\0"))))
    behind("§5.1", "a message behind KeyUpdate in its record", UNEXPECTED, lambda peer: peer.sealed(handshake(message(KEY_UPDATE, b"\0"), message(KEY_UPDATE, b"\0"))))
    behind("§5.1", "data between two parts of a message", UNEXPECTED, lambda peer: (peer.sealed(handshake(message(KEY_UPDATE, b"\0")[:3])), peer.sealed(b"x" + bytes([DATA]))))
    behind("§5.1", "an empty data record between two parts of a message", UNEXPECTED, lambda peer: (peer.sealed(handshake(message(KEY_UPDATE, b"\0")[:3])), peer.sealed(bytes([DATA]))))
    for kind, what in ((0, "HelloRequest"), (CLIENT_HELLO, "a second ClientHello"), (SERVER_HELLO, "ServerHello"), (END_OF_EARLY_DATA, "EndOfEarlyData"), (ENCRYPTED_EXTENSIONS, "EncryptedExtensions"), (CERTIFICATE, "Certificate"),
                       (CERTIFICATE_REQUEST, "CertificateRequest"), (CERTIFICATE_VERIFY, "CertificateVerify"), (FINISHED, "a second Finished"),
                       (99, "an unknown message"), (254, "message_hash")):
        behind("§4", what, UNEXPECTED, lambda peer: peer.sealed(handshake(message(kind, bytes(40)))))
