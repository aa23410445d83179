"""Where we do otherwise than the RFC's word, on purpose: side, section and case, then the alert that goes in its place and why.

A line whose case does as the RFC says is a mistake too, so that this stays true.
"""
ENGINE = "the handshake's alerts are the engine's (rustls); the connection ends with a fatal alert all the same"
PART = "the engine takes it for a part of a message that is to come; the deadline of the handshake ends the connection"

LEDGER = {
    ("relay", "§9.2", "no signature_algorithms"): ("handshake_failure", ENGINE),
    ("relay", "§9.2", "no supported_groups"): ("handshake_failure", ENGINE),
    ("relay", "§9.2", "no key_share"): ("handshake_failure", ENGINE),
    ("relay", "§5.1", "a record in the clear that is too long"): ("unexpected_message", ENGINE),
    ("relay", "§5", "a record of the unknown type 99 in place of a ClientHello"): ("decode_error", ENGINE),
    ("relay", "§4", "a second ClientHello in place of Finished"): ("decode_error", ENGINE),
    ("relay", "§5.1", "a handshake record of length zero in place of Finished"): ("the end without an alert", PART),
}
