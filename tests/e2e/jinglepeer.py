# SPDX-License-Identifier: MIT
"""A raw peer that offers and takes files by Jingle (XEP-0166, XEP-0234, XEP-0261)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from xml.sax.saxutils import escape

from rawpeer import NS_IBB, NS_INFO, NS_PING, RawPeer, Stanza, payload, refuse, result

NS_JINGLE = "urn:xmpp:jingle:1"
NS_FILE = "urn:xmpp:jingle:apps:file-transfer:5"
NS_TRANSPORT = "urn:xmpp:jingle:transports:ibb:1"
NS_HASHES = "urn:xmpp:hashes:2"

FEATURES = (NS_INFO, NS_PING, NS_IBB, NS_JINGLE, NS_FILE, NS_TRANSPORT)

ids = itertools.count(1)


def session(action: str, sid: str, content: str = "") -> str:
    return f"<jingle xmlns='{NS_JINGLE}' action='{action}' sid='{sid}'>{content}</jingle>"


def file_of(fields: str, transport: str, block_size: int = 4096) -> str:
    """The content of a session, with one file."""
    return (
        "<content creator='initiator' name='file' senders='initiator'>"
        f"<description xmlns='{NS_FILE}'><file>{fields}</file></description>"
        f"<transport xmlns='{NS_TRANSPORT}' block-size='{block_size}' sid='{transport}'/></content>"
    )


def is_action(action: str) -> Callable[[Stanza], bool]:
    """A session-info by its payload: "received", "checksum"."""

    def matches(stanza: Stanza) -> bool:
        found = payload(stanza)
        if found.tag != f"{{{NS_JINGLE}}}jingle":
            return False
        first = found[0].tag.split("}")[1] if len(found) else ""
        return action in (found.get("action"), first)

    return matches


def part_of(stanza: Stanza) -> dict[str, str] | None:
    """The attributes of the <range/> in it; None if it has none."""
    found = stanza.find(f".//{{{NS_FILE}}}range")
    return None if found is None else dict(found.attrib)


def reason_of(stanza: Stanza) -> str:
    return payload(payload(payload(stanza))).tag.split("}")[1]


def accept_offers(peer: RawPeer, part: str = "") -> None:
    """Accepts all files, or a part of each (a <range/>), and confirms them when they are there."""
    sessions: dict[str, str] = {}  # by the sid of the bytestream

    def request(to: str, child: str) -> str:
        return f"<iq type='set' to='{to}' id='jingle-{next(ids)}'>{child}</iq>"

    def other(raw: RawPeer, stanza: Stanza) -> str | None:
        if is_action("session-initiate")(stanza):
            sid = payload(stanza).get("sid", "")
            transport = stanza.find(f".//{{{NS_TRANSPORT}}}transport")
            assert transport is not None
            sessions[transport.get("sid", "")] = sid
            content = file_of(
                part, transport.get("sid", ""), int(transport.get("block-size", "0"))
            )
            accept = session("session-accept", sid, content)
            return result(stanza) + request(stanza.get("from", ""), accept)
        if payload(stanza).tag == f"{{{NS_JINGLE}}}jingle":
            return result(stanza)
        return refuse("service-unavailable")(raw, stanza)

    def close(_raw: RawPeer, stanza: Stanza) -> str:
        to, sid = stanza.get("from", ""), sessions[payload(stanza).get("sid", "")]
        received = f"<received xmlns='{NS_FILE}' creator='initiator' name='file'/>"
        return (
            result(stanza)
            + request(to, session("session-info", sid, received))
            + request(to, session("session-terminate", sid, "<reason><success/></reason>"))
        )

    peer.rules["other"] = other
    peer.rules["close"] = close


def offer(peer: RawPeer, to: str, sid: str, name: str, size: int, fields: str = "") -> Stanza:
    """Offers a file, whose bytestream will have the sid "SID-ibb"; returns the session-accept."""
    described = f"<name>{escape(name)}</name><size>{size}</size>{fields}"
    peer.rules["other"] = lambda _peer, stanza: result(stanza)
    answer = peer.request(to, session("session-initiate", sid, file_of(described, f"{sid}-ibb")))
    assert answer.get("type") == "result"
    return peer.wait_for(lambda s: is_action("session-accept")(s) and payload(s).get("sid") == sid)
