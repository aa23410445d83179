"""A TLS 1.3 peer that breaks rules on purpose, and the alert that it gets for it.

Handshake and keys are tlslite-ng's, an implementation that nobody here wrote. A break goes beneath it: records are made
byte by byte and sealed with its keys.
"""
import socket

from tlslite.api import HandshakeSettings, TLSConnection
from tlslite.constants import ContentType
from tlslite.errors import TLSError
from tlslite.handshakehashes import HandshakeHashes

from ledger import LEDGER

DATA, HANDSHAKE, ALERT, CCS = 23, 22, 21, 20
PATIENCE = 15

ALERTS = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow", 40: "handshake_failure",
    42: "bad_certificate", 47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error",
    51: "decrypt_error", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error", 86: "inappropriate_fallback",
    90: "user_canceled", 109: "missing_extension", 110: "unsupported_extension", 112: "unrecognized_name",
    113: "bad_certificate_status_response", 115: "unknown_psk_identity", 116: "certificate_required", 120: "no_application_protocol",
}


class Broken(Exception):
    """The handshake ends here, since the break has been sent."""


class Peer:
    """One connection to the side that is examined."""

    def __init__(self, sock):
        sock.settimeout(PATIENCE)
        self.sock = sock
        self.tls = TLSConnection(sock)
        self.tls._shutdown = lambda *_: None  # it would close the socket behind a break
        self.layer = self.tls._recordLayer

    def settings(self, **changes):
        settings = HandshakeSettings()
        settings.minVersion = settings.maxVersion = (3, 4)
        for name, value in changes.items():
            setattr(settings, name, value)
        return settings

    def raw(self, content, payload, version=b"\x03\x03"):
        """A record in the clear."""
        self.tls.sock.flush()
        self.sock.sendall(bytes([content]) + version + len(payload).to_bytes(2, "big") + payload)

    def sealed(self, inner, outer=DATA, spoil=False):
        """A record whose inner plaintext is exactly this, its type and padding included."""
        state = self.layer._writeState
        length = len(inner) + state.encContext.tagLength
        header = bytes([outer, 3, 3]) + length.to_bytes(2, "big")
        nonce = self.layer._getNonce(state, state.getSeqNumBytes())
        body = bytearray(state.encContext.seal(nonce, bytearray(inner), bytearray(header)))
        if spoil:
            body[0] ^= 1
        self.tls.sock.flush()
        self.sock.sendall(header + bytes(body))

    def close(self):
        self.sock.close()

    def before(self, message, act):
        """Does `act` in place of the first handshake message of this type that is sent; `Broken` ends it there."""
        send, waiting = self.layer.sendRecord, [True]

        def hook(msg):
            whole = bytes(msg.write())
            if waiting and msg.contentType == ContentType.handshake and whole[:1] == bytes([message]):
                waiting.clear()
                replaced = act(whole)
                if replaced is None:
                    raise Broken
                # The keys of what follows come from what was sent.
                said = bytes(self.tls._handshake_hash._handshake_buffer).removesuffix(whole)
                self.tls._handshake_hash = HandshakeHashes()
                self.tls._handshake_hash.update(bytearray(said + replaced))
                self.raw(HANDSHAKE, replaced, b"\x03\x01")
                return
            yield from send(msg)

        self.layer.sendRecord = hook

    def record(self):
        """The next record: its type and what is in it; `None` at the end of the connection."""
        try:
            for result in self.layer.recvRecord():
                if result not in (0, 1):
                    header, parser = result
                    return header.type, bytes(parser.bytes)
        except (TLSError, ConnectionResetError, BrokenPipeError):
            return None

    def answer(self):
        """The alert that comes, by name; or what comes in its place."""
        try:
            while (record := self.record()) is not None:
                content, payload = record
                if content == ALERT:
                    return ALERTS.get(payload[1], f"alert {payload[1]}") if len(payload) == 2 else f"alert {payload.hex()}"
            return "the end without an alert"
        except socket.timeout:
            return "nothing"


class Report:
    """What was examined of one side: a line for each case, and how many were wrong."""

    def __init__(self, side):
        self.side, self.cases, self.wrong, self.ledger = side, 0, 0, {key[1:]: line for key, line in LEDGER.items() if key[0] == side}

    def case(self, section, name, wanted, got):
        """`wanted` is the RFC's word, or several where it leaves a choice."""
        wanted = (wanted,) if isinstance(wanted, str) else wanted
        where = section if section.startswith("RFC") else f"RFC 8446 {section}"
        deviation, why = self.ledger.pop((section, name), ((), None))
        deviation = (deviation,) if isinstance(deviation, str) else deviation
        if deviation and got in wanted:
            verdict, more = "WRONG", ", which is right, although the ledger says otherwise"
        elif got in wanted:
            verdict, more = "ok   ", ""
        elif got in deviation:
            verdict, more = "known", f", wanted {' or '.join(wanted)}: {why}"
        else:
            verdict, more = "WRONG", f", wanted {' or '.join(wanted)}"
        self.cases += 1
        self.wrong += verdict == "WRONG"
        print(f"{verdict} {where}: {name}: {got}{more}", flush=True)

    def end(self):
        """Says how it went, and gives the exit status."""
        for section, name in self.ledger:
            print(f"WRONG the ledger names a case that there is not: {section}: {name}")
        print(f"{self.side}: {self.cases} cases, {self.wrong + len(self.ledger)} wrong", flush=True)
        return 1 if self.wrong or self.ledger else 0
