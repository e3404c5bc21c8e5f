# SPDX-License-Identifier: MIT
"""A scripted XMPP server for logins: it offers, refuses and sends what a test tells it to.

    server = LoginServer(folder, offers=("SCRAM-SHA-1", "PLAIN"), refuses={"PLAIN": "aborted"})

It counts all elements of a client: `server.auths` are the mechanisms of each <auth/>. After a login
with the right password it sends its roster and answers pings, as a mount needs.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import socket
import ssl
import struct
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import quoteattr

from certificates import make_certificates
from server import HOST

NS_STREAM = "http://etherx.jabber.org/streams"
NS_TLS = "urn:ietf:params:xml:ns:xmpp-tls"
NS_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
NS_BIND = "urn:ietf:params:xml:ns:xmpp-bind"
NS_BINDINGS = "urn:xmpp:sasl-cb:0"
NS_CLIENT = "jabber:client"
NS_ROSTER = "jabber:iq:roster"
NS_STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
NS_PING = "urn:xmpp:ping"

USER, PASSWORD = "alice", "right"
STARTTLS = f"<starttls xmlns='{NS_TLS}'><required/></starttls>"
HASHES = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}


def mechanisms(names: tuple[str, ...]) -> str:
    listed = "".join(f"<mechanism>{name}</mechanism>" for name in names)
    return f"<mechanisms xmlns='{NS_SASL}'>{listed}</mechanisms>"


def bindings(types: tuple[str, ...]) -> str:
    listed = "".join(f"<channel-binding type={quoteattr(t)}/>" for t in types)
    return f"<sasl-channel-binding xmlns='{NS_BINDINGS}'>{listed}</sasl-channel-binding>"


def error(kind: str, condition: str) -> str:
    return f"<error type='{kind}'><{condition} xmlns='{NS_STANZAS}'/></error>"


class Refused(Exception):
    """A login is refused with this condition."""


class LoginServer:
    def __init__(
        self,
        folder: Path,
        *,
        offers: tuple[str, ...] = ("PLAIN",),
        binds: tuple[str, ...] | None = None,  # XEP-0440; None: does not say
        refuses: dict[str, str] | None = None,  # mechanism: condition, whatever the password is
        challenges: dict[str, bytes] | None = None,  # mechanism: the challenge, and no more
        before_tls: str = STARTTLS,
        tls: bool = True,
        starttls: bool = True,  # False: TLS from the start
        newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
        with_proceed: str = "",  # behind <proceed/>, in the same segment
        after_features: str = "",  # behind the features of the encrypted stream
        resets: bool = False,  # the connection, when it gets an <auth/>
        after_login: str = f"<bind xmlns='{NS_BIND}'/>",  # features
        roster: Iterable[str] = (),  # its items
        roster_error: tuple[str, str] | None = None,  # type and condition, instead of the roster
        bound: str | None = None,  # the content of the answer to <bind/>; None: the full JID
        kicks: str | None = None,  # ends the stream of each client that is online, after this
        host: str = HOST,
    ):
        self.host, self.starttls = host, starttls
        self.names: list[str | None] = []  # that TLS asked for (SNI)
        self.domains: list[str | None] = []  # that streams were opened to
        self.offers, self.binds, self.refuses = offers, binds, refuses or {}
        self.challenges = challenges or {}
        self.before_tls, self.with_proceed = before_tls, with_proceed
        self.resets = resets
        self.after_features, self.after_login, self.tls = after_features, after_login, tls
        self.roster, self.bound, self.kicks = roster, bound, kicks
        self.roster_error = roster_error
        self.client: Connection | None = None  # the last one that has logged in
        self.auths: list[str] = []
        self.headers: list[str] = []  # of SCRAM: "n", "y", "p=..."
        self.logins = 0
        self.stanzas: list[str] = []  # names of all that came in
        self.ends = 0  # streams that the client has ended in order
        self.log = ""  # nothing to say when a test fails
        folder.mkdir()
        make_certificates(folder, host)
        self.cafile = folder / "ca.crt"
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.maximum_version = newest
        self._context.load_cert_chain(folder / "server.crt", folder / "server.key")
        self._context.sni_callback = lambda _tls, name, _context: self.names.append(name)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    # ---- one client ----

    def _talk(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError, ET.ParseError), Connection(plain, self) as client:
            if self.tls and not self.starttls:
                client.socket = self._context.wrap_socket(client.socket, server_side=True)
            elif self.tls:
                client.header(self.before_tls)
                if client.next().tag != f"{{{NS_TLS}}}starttls":
                    return
                client.send(f"<proceed xmlns='{NS_TLS}'/>{self.with_proceed}")
                client.socket = self._context.wrap_socket(client.socket, server_side=True)
            offer = mechanisms(self.offers) if self.offers else ""
            if self.binds is not None:
                offer += bindings(self.binds)
            client.header(offer, self.after_features)
            while not self._log_in(client):
                pass
            client.header(self.after_login)
            self.client = client
            self._answer(client)

    def _log_in(self, client: Connection) -> bool:
        auth = client.next()
        if auth.tag == f"{{{NS_STREAM}}}end":
            self.ends += 1
            client.send("</stream:stream>")
            raise OSError
        self.stanzas.append(auth.tag.split("}")[1])
        if auth.tag != f"{{{NS_SASL}}}auth":
            return False
        name = auth.get("mechanism", "")
        self.auths.append(name)
        if self.resets:
            client.reset()
        try:
            if name in self.refuses:
                raise Refused(self.refuses[name])
            final = self._check(client, name, base64.b64decode(auth.text or ""))
        except Refused as refused:
            client.send(f"<failure xmlns='{NS_SASL}'><{refused}/><text>No.</text></failure>")
            return False
        self.logins += 1
        client.send(f"<success xmlns='{NS_SASL}'>{base64.b64encode(final).decode()}</success>")
        return True

    def _check(self, client: Connection, name: str, first: bytes) -> bytes:
        if name not in self.offers:
            raise Refused("invalid-mechanism")
        if name in self.challenges:
            text = base64.b64encode(self.challenges[name]).decode()
            client.send(f"<challenge xmlns='{NS_SASL}'>{text}</challenge>")
            client.next()
            raise OSError
        if name == "PLAIN":
            if first != f"\0{USER}\0{PASSWORD}".encode():
                raise Refused("not-authorized")
            return b""
        return self._scram(client, name, first)

    def _scram(self, client: Connection, name: str, first: bytes) -> bytes:
        """RFC 5802, as strict as a server must be."""
        bound = name.endswith("-PLUS")
        algorithm = HASHES[name.removesuffix("-PLUS")]
        flag, _authzid, bare = first.split(b",", 2)
        self.headers.append(flag.decode())
        binding = b""
        if bound:
            if flag != b"p=tls-unique":
                raise Refused("malformed-request")
            binding = client.socket.get_channel_binding("tls-unique")
        elif flag == b"y" and any(o.endswith("-PLUS") for o in self.offers):
            raise Refused("not-authorized")  # a downgrade: it was not told that we can bind
        elif flag.startswith(b"p="):
            raise Refused("malformed-request")
        nonce = bare.rpartition(b"r=")[2] + base64.b64encode(os.urandom(12))
        salt, rounds = b"salt", 4096
        salted = hashlib.pbkdf2_hmac(algorithm, PASSWORD.encode(), salt, rounds)
        challenge = b"r=%s,s=%s,i=%d" % (nonce, base64.b64encode(salt), rounds)
        client.send(
            f"<challenge xmlns='{NS_SASL}'>{base64.b64encode(challenge).decode()}</challenge>"
        )
        last = base64.b64decode(client.next().text or "")
        without_proof, _, proof = last.rpartition(b",p=")
        repeated = base64.b64encode(first[: len(first) - len(bare)] + binding)
        if without_proof != b"c=%s,r=%s" % (repeated, nonce):
            raise Refused("not-authorized")

        def mac(key: bytes, message: bytes) -> bytes:
            return hmac.new(key, message, algorithm).digest()

        signed = b",".join([bare, challenge, without_proof])
        key = mac(salted, b"Client Key")
        signature = mac(hashlib.new(algorithm, key).digest(), signed)
        if base64.b64decode(proof) != bytes(a ^ b for a, b in zip(key, signature)):
            raise Refused("not-authorized")
        return b"v=" + base64.b64encode(mac(mac(salted, b"Server Key"), signed))

    def _answer(self, client: Connection) -> None:
        while (stanza := client.next()).tag != f"{{{NS_STREAM}}}end":
            self.stanzas.append(stanza.tag.split("}")[1])
            if stanza.tag == f"{{{NS_CLIENT}}}iq" and stanza.get("type") in ("get", "set"):
                kind, child = "result", ""
                if stanza.find(f"{{{NS_BIND}}}bind") is not None:
                    resource = stanza.findtext(f".//{{{NS_BIND}}}resource")
                    child = f"<bind xmlns='{NS_BIND}'><jid>{USER}@{self.host}/{resource}</jid></bind>"
                    if self.bound is not None:
                        child = self.bound
                if stanza.find(f"{{{NS_ROSTER}}}query") is not None:
                    child = f"<query xmlns='{NS_ROSTER}'>{''.join(self.roster)}</query>"
                    if self.roster_error:
                        kind, child = "error", error(*self.roster_error)
                client.send(f"<iq type='{kind}' id={quoteattr(stanza.get('id'))}>{child}</iq>")
                if self.kicks is not None and stanza.find(f"{{{NS_PING}}}ping") is not None:
                    client.send(f"{self.kicks}</stream:stream>")
        self.ends += 1
        client.send("</stream:stream>")


class Connection:
    def __init__(self, plain: socket.socket, server: LoginServer):
        self.socket = plain
        self.server = server
        self._sending = threading.Lock()
        self._new_stream()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def reset(self) -> None:
        at_once = struct.pack("ii", 1, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self.socket.close()
        raise ConnectionResetError

    def _new_stream(self) -> None:
        self._parser = ET.XMLPullParser(["start", "end"])
        self._depth = 0

    def send(self, xml: str) -> None:
        with self._sending:
            self.socket.sendall(xml.encode())

    def header(self, features: str, more: str = "") -> None:
        """Takes the client's stream header, and answers with ours and the features."""
        self._new_stream()
        while self._depth == 0:
            self._read()
            for event, element in self._parser.read_events():
                assert event == "start"
                self._depth, self._root = 1, element
                self.server.domains.append(element.get("to"))
        self.send(
            f"<?xml version='1.0'?><stream:stream xmlns='{NS_CLIENT}' xmlns:stream='{NS_STREAM}'"
            f" id='1' version='1.0' from='{self.server.host}'>"
            f"<stream:features>{features}</stream:features>{more}"
        )

    def _read(self) -> None:
        received = self.socket.recv(65536)
        if not received:
            raise OSError
        self._parser.feed(received)

    def next(self) -> ET.Element:
        """The next child of the stream; an element "end" at its end."""
        while True:
            for event, element in self._parser.read_events():
                self._depth += 1 if event == "start" else -1
                if event == "end" and self._depth == 1:
                    self._root.remove(element)
                    return element
                if event == "end" and self._depth == 0:
                    return ET.Element(f"{{{NS_STREAM}}}end")
            self._read()
