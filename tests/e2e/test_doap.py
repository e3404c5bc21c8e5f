# SPDX-License-Identifier: MIT
"""docs/ibbfs.doap (XEP-0453) names the XEPs whose namespaces are in the code, and no others."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
DOAP = "{http://usefulinc.com/ns/doap#}"
XMPP = "{https://linkmauve.fr/ns/xmpp-doap#}"
RESOURCE = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}resource"

# What a namespace, or a name as unmistakable, comes from; None: RFC 6120, or not supported.
SOURCES = {
    "http://etherx.jabber.org/streams": None,
    "urn:ietf:params:xml:ns:xmpp-bind": None,
    "urn:ietf:params:xml:ns:xmpp-sasl": None,
    "urn:ietf:params:xml:ns:xmpp-stanzas": None,
    "urn:ietf:params:xml:ns:xmpp-streams": None,
    "urn:ietf:params:xml:ns:xmpp-tls": None,
    "jabber:iq:auth": None,  # XEP-0078, which is filtered
    "jabber:iq:roster": None,  # RFC 6121
    "http://prosody.im": None,  # the node of a server's capabilities
    "urn:ibbfs:0": None,  # docs/wire.md
    "urn:ibbfs:resume:0": None,
    "urn:ibbfs:folders:0": None,
    "urn:ibbfs:pieces:0": None,
    "urn:ibbfs:sync:0": None,
    "jabber:x:data": "0004",
    "http://jabber.org/protocol/feature-neg": "0020",
    "http://jabber.org/protocol/disco#info": "0030",
    "http://jabber.org/protocol/ibb": "0047",
    "http://jabber.org/protocol/si": "0095",
    "http://jabber.org/protocol/si/profile/file-transfer": "0096",
    "http://jabber.org/protocol/caps": "0115",
    "urn:xmpp:jingle:1": "0166",
    "urn:xmpp:jingle:errors:1": "0166",
    "urn:xmpp:ping": "0199",
    "urn:xmpp:jingle:apps:file-transfer:5": "0234",
    "urn:xmpp:jingle:transports:ibb:1": "0261",
    "urn:xmpp:hashes:2": "0300",
    "urn:xmpp:hash-function-text-names:sha-1": "0300",
    "urn:xmpp:hash-function-text-names:sha-256": "0300",
    "_xmpps-client._tcp.": "0368",
    "urn:xmpp:sasl-cb:0": "0440",
    "urn:xmpp:file:metadata:0": "0446",
    "urn:xmpp:stream-limits:0": "0478",
}

# XEPs without a namespace, and the comment that says where they are.
WITHOUT_NAMESPACE = {"0082": "src/xmpp/text.h"}


def namespaces() -> set[str]:
    pattern = r'"((?:urn:|https?://|jabber:[ix])[^"\\ <>]+|_xmpps-client[^"\\ ]*)\\?"'
    files = [*(ROOT / "src").rglob("*.[ch]"), *(ROOT / "mount").rglob("*.[ch]")]
    return {name for path in files for name in re.findall(pattern, path.read_text())}


def supported() -> dict[str, ElementTree.Element]:
    found = {}
    for row in ElementTree.parse(ROOT / "docs" / "ibbfs.doap").iter(f"{XMPP}SupportedXep"):
        (number,) = re.findall(
            r"^https://xmpp\.org/extensions/xep-(\d{4})\.html$",
            row.find(f"{XMPP}xep").get(RESOURCE),
        )
        assert number not in found, f"XEP-{number} is there twice"
        found[number] = row
    return found


def test_every_namespace_is_known() -> None:
    found = namespaces()
    assert len(found) > 20
    assert found == SOURCES.keys()


def test_the_xeps_are_those_of_the_namespaces() -> None:
    of_code = {number for number in SOURCES.values() if number} | WITHOUT_NAMESPACE.keys()
    for number, path in WITHOUT_NAMESPACE.items():
        assert f"XEP-{number}" in (ROOT / path).read_text()
    assert supported().keys() == of_code


def test_every_xep_has_its_status_and_version() -> None:
    meson = (ROOT / "meson.build").read_text()
    (version,) = re.findall(r"^  version: '([\d.]+)'", meson, re.MULTILINE)
    for number, row in supported().items():
        text = {name: row.findtext(f"{XMPP}{name}") for name in ("status", "version", "since")}
        assert text["status"] in ("complete", "partial"), number
        assert re.fullmatch(r"\d+(\.\d+){1,2}", text["version"]), number
        assert text["since"] == version, number
        assert (text["status"] == "partial") == (row.find(f"{XMPP}note") is not None), number


def test_versions_in_the_documentation_agree() -> None:
    """docs/wire.md names the version of XEP-0047."""
    (version,) = re.findall(r"xep-0047\.html\) ([\d.]+\d)", (ROOT / "docs/wire.md").read_text())
    assert supported()["0047"].findtext(f"{XMPP}version") == version
