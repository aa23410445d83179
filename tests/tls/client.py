"""client.py CERTIFICATE KEY COMMAND...: COMMAND with the port of 127.0.0.1 in place of `{port}` is a client that connects to
the TLS 1.3 server here by itself; it is started anew for each case and examined. Exit status 0 where all is right.
"""
import socket
import subprocess
import sys

from tlslite.api import X509CertChain, parsePEMKey
from tlslite.errors import TLSAbruptCloseError, TLSRemoteAlert

from behind import (CERTIFICATE, CERTIFICATE_REQUEST, CERTIFICATE_VERIFY, ENCRYPTED_EXTENSIONS, FINISHED, KEY_UPDATE, SERVER_HELLO, TICKET,
                    UNEXPECTED, examine, handshake, message)
from peer import ALERTS, CCS, DATA, HANDSHAKE, Broken, Peer, Report

CHAIN = X509CertChain()
CHAIN.parsePemList(open(sys.argv[1]).read())
KEY = parsePEMKey(open(sys.argv[2]).read(), private=True)
report = Report("client")
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(64)
listener.settimeout(15)
COMMAND = [word.replace("{port}", str(listener.getsockname()[1])) for word in sys.argv[3:]]


class Served(Peer):
    """A connection of a client that was started for it."""

    def __init__(self):
        self.process = subprocess.Popen(COMMAND, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        super().__init__(listener.accept()[0])

    def shake(self):
        self.tls.handshakeServer(certChain=CHAIN, privateKey=KEY, settings=self.settings(), alpn=[bytearray(b"http/1.1")])
        return self

    def close(self):
        super().close()
        self.process.kill()
        self.process.wait()
        # What it had begun besides belongs to no case.
        listener.settimeout(0)
        try:
            while True:
                listener.accept()[0].close()
        except BlockingIOError:
            listener.settimeout(15)


def during(section, name, wanted, kind, act):
    """`act` in place of a message of the server's flight. It gets the whole message, and gives what goes instead."""
    peer = Served()
    queue = peer.tls._queue_message

    def queued(msg):
        whole = bytes(msg.write())
        if msg.contentType == HANDSHAKE and whole[:1] == bytes([kind]):
            for _ in peer.tls._queue_flush() if peer.tls._buffer else ():
                pass
            peer.tls.sock.flush()
            instead = act(peer, whole)
            if not peer.layer._readState.encContext:
                # The client's alert is sealed with its handshake key, which tlslite-ng takes up later.
                peer.layer.changeReadState()
            if instead is not None:
                peer.sealed(instead + bytes([HANDSHAKE]))
            raise Broken
        queue(msg)

    peer.tls._queue_message = queued
    if kind == SERVER_HELLO:
        peer.before(kind, lambda whole: act(peer, whole))
    try:
        peer.shake()
        got = peer.answer()
    except Broken:
        got = peer.answer()
    except TLSRemoteAlert as alert:
        got = ALERTS.get(alert.description, f"alert {alert.description}")
    except TLSAbruptCloseError:
        got = "the end without an alert"
    report.case(section, name, wanted, got)
    peer.close()


examine(lambda: Served().shake(), report)
peer = Served().shake()
peer.sealed(handshake(message(TICKET, bytes(3))))
report.case("§6.2", "a NewSessionTicket that is cut", "decode_error", peer.answer())
peer.close()

# The server's flight --------------------------------------------------------------------------------------------------
# A certificate is judged together with the signature behind it.
SIGNATURE = message(CERTIFICATE_VERIFY, b"\x04\x03\0\x40" + bytes(64))
NOT_OFFERED = b"\xfa\xfa\0\0"


def hello(change):
    """The ServerHello, changed: the cipher suite stands behind version, random and session id."""
    def changed(peer, whole):
        at = 4 + 2 + 32
        at += 1 + whole[at]
        return change(whole, at)
    return changed


during("§4.1.3", "a cipher suite that was not offered", "illegal_parameter", SERVER_HELLO, hello(lambda whole, at: whole[:at] + b"\xfe\xfe" + whole[at + 2:]))
during("§4.1.3", "compression", ("illegal_parameter", "decode_error"), SERVER_HELLO, hello(lambda whole, at: whole[:at + 2] + b"\x01" + whole[at + 3:]))
during("§4.1.3", "another session id than the client's", "illegal_parameter", SERVER_HELLO, hello(lambda whole, at: whole[:39] + bytes([whole[39] ^ 1]) + whole[40:]))
during("§4.2.1", "TLS 1.2", "protocol_version", SERVER_HELLO, hello(lambda whole, at: message(SERVER_HELLO, whole[4:at + 3] + b"\0\0")))
during("§6.2", "a ServerHello that is cut", "decode_error", SERVER_HELLO, lambda peer, whole: message(SERVER_HELLO, whole[4:30]))
during("§4", "EncryptedExtensions in place of ServerHello", UNEXPECTED, SERVER_HELLO, lambda peer, whole: message(ENCRYPTED_EXTENSIONS, b"\0\0"))
during("§4.2", "an extension that was not asked for", "unsupported_extension", ENCRYPTED_EXTENSIONS, lambda peer, whole: message(ENCRYPTED_EXTENSIONS, b"\0\x04" + NOT_OFFERED))
during("RFC 7301 §3.2", "a protocol that was not offered", ("illegal_parameter", "no_application_protocol"), ENCRYPTED_EXTENSIONS, lambda peer, whole: message(ENCRYPTED_EXTENSIONS, b"\0\x09\0\x10\0\x05\0\x03\x02h9"))
during("§6.2", "EncryptedExtensions that lie about their length", "decode_error", ENCRYPTED_EXTENSIONS, lambda peer, whole: message(ENCRYPTED_EXTENSIONS, b"\0\x20"))
during("§4.4.2", "no certificate", "decode_error", CERTIFICATE, lambda peer, whole: message(CERTIFICATE, b"\0\0\0\0") + SIGNATURE)
during("§4.4.2", "a certificate that is none", ("bad_certificate", "decode_error"), CERTIFICATE, lambda peer, whole: message(CERTIFICATE, b"\0\0\0\x09\0\0\x04abcd\0\0") + SIGNATURE)
during("§4", "Finished in place of Certificate", UNEXPECTED, CERTIFICATE, lambda peer, whole: message(FINISHED, bytes(32)))
during("§4.4.3", "a signature that is wrong", ("decrypt_error", "bad_certificate"), CERTIFICATE_VERIFY, lambda peer, whole: whole[:-1] + bytes([whole[-1] ^ 1]))
during("§4.4.3", "a signature of an algorithm that was not offered", ("illegal_parameter", "decrypt_error"), CERTIFICATE_VERIFY, lambda peer, whole: whole[:4] + b"\x02\x01" + whole[6:])
during("§4.4.4", "Finished that is wrong", "decrypt_error", FINISHED, lambda peer, whole: whole[:-1] + bytes([whole[-1] ^ 1]))
during("§4", "KeyUpdate before Finished", UNEXPECTED, FINISHED, lambda peer, whole: message(KEY_UPDATE, b"\0"))
during("§5.1", "data before Finished", UNEXPECTED, FINISHED, lambda peer, whole: peer.sealed(b"data" + bytes([DATA])))
during("§5.4", "zeros only before Finished", UNEXPECTED, FINISHED, lambda peer, whole: peer.sealed(bytes(20)))
during("§5.2", "a changed record before Finished", "bad_record_mac", FINISHED, lambda peer, whole: peer.sealed(whole + bytes([HANDSHAKE]), spoil=True))
during("§5", "change_cipher_spec of the value 2", UNEXPECTED, FINISHED, lambda peer, whole: peer.raw(CCS, b"\x02"))
during("§5.1", "a handshake record of length zero before Finished", (UNEXPECTED, "decode_error"), FINISHED, lambda peer, whole: peer.sealed(bytes([HANDSHAKE])))
during("§5.1", "a message behind Finished in its record", UNEXPECTED, FINISHED, lambda peer, whole: whole + message(TICKET, bytes(40)))

sys.exit(report.end())
