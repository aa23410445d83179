"""Where we do otherwise than the RFC's word, on purpose: side, section and case, then what comes in its place (or what may) and why.

A line whose case does as the RFC says is a mistake too, so that this stays true.
"""
ENGINE = "the handshake's alerts are the engine's (rustls); the connection ends with a fatal alert all the same"
PART = "the engine takes it for a part of a message that is to come; the deadline of the handshake ends the connection"
ECHO = "the engine does not compare it; it is part of both transcripts, so nobody between the two can change it"

LEDGER = {
    ("relay", "§9.2", "no signature_algorithms"): ("handshake_failure", ENGINE),
    ("relay", "§9.2", "no supported_groups"): ("handshake_failure", ENGINE),
    ("relay", "§9.2", "no key_share"): ("handshake_failure", ENGINE),
    ("relay", "§5.1", "a record in the clear that is too long"): ("unexpected_message", ENGINE),
    ("relay", "§5", "a record of the unknown type 200 in place of a ClientHello"): ("decode_error", ENGINE),
    ("relay", "§4", "a second ClientHello in place of Finished"): ("decode_error", ENGINE),
    ("client", "§4.1.3", "a cipher suite that was not offered"): ("handshake_failure", ENGINE),
    ("client", "§4.1.3", "another session id than the client's"): (("nothing", "the end without an alert"), ECHO),
    ("client", "§5.1", "a handshake record of length zero before Finished"): ("the end without an alert", PART),
    ("relay", "§5.1", "a handshake record of length zero in place of Finished"): ("the end without an alert", PART),
}
