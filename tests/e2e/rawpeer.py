# SPDX-License-Identifier: MIT
"""A scripted XMPP client that sends exactly what a test tells it to, well-formed or not.

It logs in by itself; after that it records every stanza that it receives, and answers by a rule
that a test may replace:

    peer.rules["open"] = refuse("not-acceptable", "modify")
    peer.rules["data"] = silence

A rule is called with the peer and the stanza and returns the XML to send, or None.

When it stops, every request that it has sent to one of `daemons` must have exactly one answer (RFC
6120 section 8.2.3), and nothing else must have been answered: see answers.py.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import socket
import ssl
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from answers import Answers
from server import Account

Stanza = ET.Element
Rule = Callable[["RawPeer", Stanza], "str | None"]

NS_CLIENT = "jabber:client"
NS_IBB = "http://jabber.org/protocol/ibb"
NS_INFO = "http://jabber.org/protocol/disco#info"
NS_CAPS = "http://jabber.org/protocol/caps"
NS_FILE = "urn:xmpp:file:metadata:0"
NS_IBBFS = "urn:ibbfs:0"
NS_RESUME = "urn:ibbfs:resume:0"
NS_FOLDERS = "urn:ibbfs:folders:0"
NS_PING = "urn:xmpp:ping"
NS_STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
NS_ROSTER = "jabber:iq:roster"
NS_XML = "http://www.w3.org/XML/1998/namespace"

STREAM_HEADER = (
    f"<?xml version='1.0'?><stream:stream to='{{}}' version='1.0' xmlns='{NS_CLIENT}'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
)

# An answer that has not come then is missing.
ANSWER_S = 10

KINDS = {
    f"{{{NS_IBB}}}open": "open",
    f"{{{NS_IBB}}}data": "data",
    f"{{{NS_IBB}}}close": "close",
    f"{{{NS_INFO}}}query": "info",
    f"{{{NS_PING}}}ping": "ping",
}


def payload(stanza: Stanza) -> Stanza:
    """The stanza's first child; an empty element if it has none."""
    return stanza[0] if len(stanza) else ET.Element("none")


def kind(stanza: Stanza) -> str:
    """The kind of a stanza: "open", "data", ..., or "result", "error", "presence", "other"."""
    tag = stanza.tag.split("}")[-1]
    if tag == "presence":
        return tag
    if tag == "iq" and stanza.get("type") in ("result", "error"):
        return stanza.get("type")
    return KINDS.get(payload(stanza).tag, "other")


def is_kind(*kinds: str, sid: str | None = None) -> Callable[[Stanza], bool]:
    return lambda s: kind(s) in kinds and (sid is None or payload(s).get("sid") == sid)


def condition(stanza: Stanza) -> str | None:
    """The error's condition, or None for other stanzas."""
    if stanza.get("type") != "error":
        return None
    for element in stanza.iter():
        if element.tag.startswith(f"{{{NS_STANZAS}}}") and not element.tag.endswith("}text"):
            return element.tag.split("}")[1]
    return "no condition"


def error_type(stanza: Stanza) -> str | None:
    error = stanza.find(f"{{{NS_CLIENT}}}error")
    return None if error is None else error.get("type")


def result(stanza: Stanza, child: str = "") -> str:
    to, ident = quoteattr(stanza.get("from", "")), quoteattr(stanza.get("id", ""))
    return f"<iq type='result' to={to} id={ident}>{child}</iq>"


def error(stanza: Stanza, name: str, kind_of_error: str = "cancel") -> str:
    to, ident = quoteattr(stanza.get("from", "")), quoteattr(stanza.get("id", ""))
    return (
        f"<iq type='error' to={to} id={ident}><error type='{kind_of_error}'>"
        f"<{name} xmlns='{NS_STANZAS}'/></error></iq>"
    )


# ---- rules ----


def accept(_peer: RawPeer, stanza: Stanza) -> str:
    return result(stanza)


def silence(_peer: RawPeer, _stanza: Stanza) -> None:
    return None


def refuse(name: str, kind_of_error: str = "cancel") -> Rule:
    return lambda _peer, stanza: error(stanza, name, kind_of_error)


def nth(rule: Rule, n: int, otherwise: Rule = accept) -> Rule:
    """`rule` for the n-th stanza from now (the first is 1), `otherwise` for all others."""
    count = itertools.count(1)
    return lambda peer, stanza: (rule if next(count) == n else otherwise)(peer, stanza)


def answer_info(peer: RawPeer, stanza: Stanza) -> str:
    features = "".join(f"<feature var={quoteattr(f)}/>" for f in peer.features)
    identity = f"<identity category='client' type='bot' name={quoteattr(peer.identity)}/>"
    return result(stanza, f"<query xmlns='{NS_INFO}'>{identity}{features}</query>")


def connect(port: int) -> socket.socket:
    plain = socket.create_connection(("127.0.0.1", port), timeout=30)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return plain


class RawPeer:
    def __init__(
        self,
        account: Account,
        port: int,
        cafile: Path,
        resource: str = "raw",
        *,
        priority: int = 0,
        features: tuple[str, ...] = (NS_INFO, NS_PING, NS_IBB),
        identity: str = "",
        daemons: Callable[[], dict[str, bool]] = dict,
    ):
        """Logs in by direct TLS at `port`, and is available when this returns. `daemons`: those
        whose answers are counted, by full JID, and whether no answer of theirs can have been
        lost."""
        self._prepare(features, identity, daemons)
        context = ssl.create_default_context(cafile=str(cafile))
        context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
        self._socket = context.wrap_socket(connect(port), server_hostname=account.host)
        self._host = account.host
        self._log_in(account, resource)
        self._begin()
        self.send(f"<presence><priority>{priority}</priority></presence>")

    def _prepare(
        self,
        features: tuple[str, ...],
        identity: str,
        daemons: Callable[[], dict[str, bool]] = dict,
    ) -> None:
        self.features = features
        self.identity = identity
        self.rules: dict[str, Rule] = {
            "open": accept,
            "data": accept,
            "close": accept,
            "ping": accept,
            "info": answer_info,
            "other": refuse("service-unavailable"),
        }
        self.stanzas: list[Stanza] = []  # all that came in since the login
        self.news = threading.Condition()
        self.answers = Answers(daemons)
        self._ids = itertools.count(1)
        self._sending = threading.Lock()

    # ---- connection ----

    def _begin(self) -> None:
        self._socket.settimeout(None)
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def _log_in(self, account: Account, resource: str) -> None:
        self._new_stream()
        self._next_element()  # features
        plain = base64.b64encode(f"\0{account.user}\0{account.password}".encode()).decode()
        ns_sasl = "urn:ietf:params:xml:ns:xmpp-sasl"
        self.send(f"<auth xmlns='{ns_sasl}' mechanism='PLAIN'>{plain}</auth>")
        assert self._next_element().tag == f"{{{ns_sasl}}}success"
        self._new_stream()
        self._next_element()
        ns_bind = "urn:ietf:params:xml:ns:xmpp-bind"
        self.send(
            f"<iq type='set' id='bind'><bind xmlns='{ns_bind}'>"
            f"<resource>{escape(resource)}</resource></bind></iq>"
        )
        self.jid = self._next_element().findtext(f".//{{{ns_bind}}}jid")

    def _new_stream(self) -> None:
        self._parser = ET.XMLPullParser(["start", "end"])
        self._depth = 0
        self.send(STREAM_HEADER.format(self._host))

    def _next_element(self) -> Stanza | None:
        """The next child of the stream; None at its end."""
        while True:
            for event, element in self._parser.read_events():
                self._depth += 1 if event == "start" else -1
                if event == "start" and self._depth == 1:
                    self._root = element
                elif event == "end" and self._depth == 1:
                    self._root.remove(element)
                    return element
                elif event == "end" and self._depth == 0:
                    return None
            try:
                received = self._socket.recv(65536)
            except OSError:
                return None
            if not received:
                return None
            self._parser.feed(received)

    def _receive(self) -> None:
        while (stanza := self._next_element()) is not None:
            with self.news:
                if kind(stanza) in ("result", "error"):
                    self.answers.note_answer(stanza.get("from", ""), stanza.get("id", ""))
                self.stanzas.append(stanza)
                self.news.notify_all()
            rule = self.rules.get(kind(stanza))
            if rule is None or stanza.tag != f"{{{NS_CLIENT}}}iq":
                continue
            answer = rule(self, stanza)
            if answer is not None:
                self.send(answer)

    def send(self, xml: str) -> None:
        with self.news:
            self.answers.note_requests(xml)
        # Some tests end the connection on purpose.
        with contextlib.suppress(OSError), self._sending:
            self._socket.sendall(xml.encode())

    def stop(self) -> None:
        """Logs out in order, when everything is answered."""
        alive = self._thread.is_alive()
        if alive:
            self._end_requests()
        self.send("<presence type='unavailable'/></stream:stream>")
        self.drop()
        self.answers.check(complete=alive)

    def _end_requests(self) -> None:
        """Gets the answers that are withheld, by ending the streams that the test has left open."""
        for to, sid in self.answers.unfinished():
            self.close(to, sid, wait=False, child=f"<reset xmlns='{NS_IBBFS}'/>")
        # What is answered twice is so before this.
        for to in self.answers.asked():
            self.request(to, f"<ping xmlns='{NS_PING}'/>", type_="get", wait=False)
        deadline = time.monotonic() + ANSWER_S
        with self.news:
            while self.answers.missing() and self._thread.is_alive():
                left = deadline - time.monotonic()
                if left <= 0 or not self.news.wait(left):
                    break

    def drop(self) -> None:
        """Cuts the connection without an end of the stream."""
        with contextlib.suppress(OSError):
            # The plain socket: after SSLSocket.shutdown() the thread would read encrypted bytes.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        self._thread.join(10)
        self._socket.close()

    # ---- what came in ----

    def find(self, wanted: Callable[[Stanza], bool]) -> list[Stanza]:
        with self.news:
            return [s for s in self.stanzas if wanted(s)]

    def wait_for(
        self, wanted: Callable[[Stanza], bool], *, count: int = 1, timeout: float = 20
    ) -> Stanza:
        """The count-th stanza since the login for which `wanted` is true."""
        deadline = time.monotonic() + timeout
        found: list[Stanza] = []
        seen = 0
        with self.news:
            while True:
                found += [s for s in self.stanzas[seen:] if wanted(s)]
                seen = len(self.stanzas)
                if len(found) >= count:
                    return found[count - 1]
                left = deadline - time.monotonic()
                assert left > 0, "no such stanza; these came:\n" + self.transcript()
                self.news.wait(left)

    def wait_open(self, count: int = 1) -> Stanza:
        """The count-th <open/> that came in."""
        return self.wait_for(is_kind("open"), count=count)

    def received(self, sid: str) -> bytes:
        """The bytes of all blocks of `sid`, in the order in which they came."""
        blocks = self.find(is_kind("data", sid=sid))
        return b"".join(base64.b64decode(payload(s).text or "", validate=True) for s in blocks)

    def transcript(self) -> str:
        return "\n".join(ET.tostring(s, "unicode")[:2000] for s in self.stanzas[-30:])

    # ---- requests ----

    def request(self, to: str, child: str, *, type_: str = "set", wait: bool = True) -> Stanza:
        """Sends an <iq/>; returns the answer, from any sender, or at once an empty element."""
        ident = f"raw-{next(self._ids)}"
        self.send(f"<iq type='{type_}' to={quoteattr(to)} id='{ident}'>{child}</iq>")
        if not wait:
            return ET.Element("none")
        return self.wait_for(lambda s: kind(s) in ("result", "error") and s.get("id") == ident)

    def open(
        self,
        to: str,
        sid: str,
        *,
        name: str | None = None,
        size: int | None = None,
        block_size: object = 4096,
        stanza: str | None = None,
        wait: bool = True,
    ) -> Stanza:
        attribute = "" if stanza is None else f" stanza='{stanza}'"
        child = ""
        if name is not None:
            announced = "" if size is None else f"<size>{size}</size>"
            child = f"<file xmlns='{NS_FILE}'><name>{escape(name)}</name>{announced}</file>"
        return self.request(
            to,
            f"<open xmlns='{NS_IBB}' sid={quoteattr(sid)} block-size='{block_size}'{attribute}>"
            f"{child}</open>",
            wait=wait,
        )

    def data(
        self, to: str, sid: str, seq: object, block: bytes | str, *, wait: bool = True
    ) -> Stanza:
        """`block` as bytes is encoded; as str it is sent as it is."""
        text = block if isinstance(block, str) else base64.b64encode(block).decode()
        return self.request(
            to, f"<data xmlns='{NS_IBB}' sid={quoteattr(sid)} seq='{seq}'>{text}</data>", wait=wait
        )

    def close(self, to: str, sid: str, *, wait: bool = True, child: str = "") -> Stanza:
        return self.request(
            to, f"<close xmlns='{NS_IBB}' sid={quoteattr(sid)}>{child}</close>", wait=wait
        )

    def send_file(self, to: str, sid: str, content: bytes, *, name: str | None = None) -> None:
        """A whole stream in good order; every answer must be a result."""
        answers = [self.open(to, sid, name=name)]
        for seq, start in enumerate(range(0, len(content), 4096)):
            answers.append(self.data(to, sid, seq % 65536, content[start : start + 4096]))
        answers.append(self.close(to, sid))
        assert [condition(a) for a in answers if a.get("type") != "result"] == []
