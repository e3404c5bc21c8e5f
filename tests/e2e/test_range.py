# SPDX-License-Identifier: MIT
"""Offered files of which a part is transferred."""

from __future__ import annotations

import base64
import hashlib

import pytest

from jinglepeer import FEATURES, NS_HASHES, accept_offers, is_action, part_of, reason_of
from lab import Lab
from rawpeer import is_kind, payload

SIZE = 20_000


def sha_256(content: bytes) -> str:
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    return f"<hash xmlns='{NS_HASHES}' algo='sha-256'>{digest}</hash>"


# ---- we send ----


@pytest.mark.parametrize(
    "part, begin, end",
    [
        ("", 0, SIZE),
        ("<range/>", 0, SIZE),
        ("<range offset='13000'/>", 13_000, SIZE),
        ("<range offset='5000' length='9000'/>", 5000, 14_000),
        (f"<range offset='{SIZE - 1}'/>", SIZE - 1, SIZE),
    ],
)
def test_part_of_ours(lab: Lab, part: str, begin: int, end: int) -> None:
    """These bytes are sent, and no others; the digest is that of the file."""
    mount, peer = lab.with_raw(f"spool={lab.folder}/spool", features=FEATURES)
    accept_offers(peer, part)
    source = lab.random_file(SIZE)
    done = lab.run("cp", source, mount.contact(peer) / "f")
    assert done.returncode == 0, done.stderr
    content = source.read_bytes()
    assert part_of(peer.find(is_action("session-initiate"))[0]) == {}
    sid = payload(peer.wait_open()).get("sid", "")
    assert peer.received(sid) == content[begin:end]
    checksum = peer.wait_for(is_action("checksum"))
    assert checksum.findtext(f".//{{{NS_HASHES}}}hash") in sha_256(content)


BAD_PARTS = {
    "beyond the end": f"offset='{SIZE}'",
    "longer than the rest": f"offset='1' length='{SIZE}'",
    "overflow": "offset='9223372036854775807' length='9223372036854775807'",
}


@pytest.mark.parametrize("attributes", BAD_PARTS.values(), ids=list(BAD_PARTS))
def test_no_such_part_of_ours(lab: Lab, attributes: str) -> None:
    mount, peer = lab.with_raw(f"spool={lab.folder}/spool", features=FEATURES)
    accept_offers(peer, f"<range {attributes}/>")
    done = lab.run("cp", lab.random_file(SIZE), mount.contact(peer) / "f")
    assert done.returncode == 1
    assert "Protocol error" in done.stderr
    assert reason_of(peer.wait_for(is_action("session-terminate"))) == "failed-application"
    assert not peer.find(is_kind("open"))


@pytest.mark.parametrize("attributes", ["offset='-1'", "offset='x'", "length='0'"])
def test_malformed_part_of_ours(lab: Lab, attributes: str) -> None:
    """It is no acceptance: the peer may say it again."""
    mount, peer = lab.with_raw(f"spool={lab.folder}/spool", features=FEATURES)
    accept_offers(peer, f"<range {attributes}/>")
    copy = lab.spawn("cp", lab.random_file(SIZE), mount.contact(peer) / "f")
    refused = peer.wait_for(is_kind("error"))
    assert refused.get("id", "").startswith("jingle-")
    assert refused.find(".//{*}bad-request") is not None
    copy.terminate()
    assert copy.wait(20) != 0
    assert reason_of(peer.wait_for(is_action("session-terminate"))) == "cancel"
