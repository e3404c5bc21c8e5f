# SPDX-License-Identifier: MIT
"""A contact behind a gateway: a component of the server (XEP-0114) that speaks for a bare JID."""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ET
from xml.sax.saxutils import quoteattr

from rawpeer import NS_CLIENT, NS_IBB, NS_INFO, NS_PING, RawPeer, Stanza, connect
from server import free_ports

DOMAIN = "gw.localhost"
SECRET = "secret"
BEHIND = rf"user\40host@{DOMAIN}"  # XEP-0106

NS_COMPONENT = "jabber:component:accept"
HEADER = (
    f"<stream:stream to='{DOMAIN}' xmlns='{NS_COMPONENT}'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
)


def component() -> tuple[int, str]:
    """A port, and the lines of Prosody's language that let a gateway connect there."""
    (port,) = free_ports(1)
    lines = (
        f"component_ports = {{ {port} }}",
        f'Component "{DOMAIN}"',
        f'    component_secret = "{SECRET}"',
    )
    return port, "\n".join(lines)


class Gateway(RawPeer):
    """RawPeer's words, without a resource."""

    def __init__(self, port: int, *, features: tuple[str, ...] = (NS_INFO, NS_PING, NS_IBB)):
        self._prepare(features, "")
        self.jid = BEHIND
        self._socket = connect(port)
        self._parser = ET.XMLPullParser(["start", "end"])
        self._depth = 0
        super().send(HEADER)
        while self._depth == 0:
            self._parser.feed(self._socket.recv(65536))
            for _, root in self._parser.read_events():
                self._depth, self._root = 1, root
        digest = hashlib.sha1((self._root.get("id", "") + SECRET).encode()).hexdigest()
        self.send(f"<handshake>{digest}</handshake>")
        assert self._next_element().tag == f"{{{NS_CLIENT}}}handshake"
        self._begin()

    def _next_element(self) -> Stanza | None:
        element = super()._next_element()
        for each in element.iter() if element is not None else ():
            each.tag = each.tag.replace(NS_COMPONENT, NS_CLIENT)
        return element

    def send(self, xml: str) -> None:
        sender = f" from={quoteattr(self.jid)}"
        super().send(re.sub(r"^<(iq|presence|message)\b", lambda name: name[0] + sender, xml))

    def stop(self) -> None:
        self.send("</stream:stream>")
        self.drop()
