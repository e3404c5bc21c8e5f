# SPDX-License-Identifier: MIT
"""Offered files of which a part is transferred."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
from pathlib import Path

import pytest

from daemon import Mount, poll_until
from jinglepeer import FEATURES, NS_HASHES, accept_offers, is_action, offer, part_of, reason_of
from lab import Lab
from rawpeer import RawPeer, condition, is_kind, payload
from test_attributes import attribute

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
    """The bytes of the range are sent, and no others. The digest is that of the whole file."""
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
    """A malformed range is no acceptance. The peer may send another one."""
    mount, peer = lab.with_raw(f"spool={lab.folder}/spool", features=FEATURES)
    accept_offers(peer, f"<range {attributes}/>")
    copy = lab.spawn("cp", lab.random_file(SIZE), mount.contact(peer) / "f")
    refused = peer.wait_for(is_kind("error"))
    assert refused.get("id", "").startswith("jingle-")
    assert refused.find(".//{*}bad-request") is not None
    copy.terminate()
    assert copy.wait(20) != 0
    assert reason_of(peer.wait_for(is_action("session-terminate"))) == "cancel"


# ---- we receive ----


def with_inbox(lab: Lab) -> tuple[Mount, RawPeer, Path]:
    """A mount with an inbox, a raw peer, and the peer's directory in the inbox."""
    mount, peer = lab.with_raw(f"inbox={lab.folder}/inbox", features=FEATURES)
    return mount, peer, lab.folder / "inbox" / peer.jid.split("/")[0]


def send(peer: RawPeer, mount: Mount, sid: str, content: bytes) -> None:
    """Sends a bytestream that has all of `content`."""
    assert peer.open(mount.jid, sid).get("type") == "result"
    for seq, begin in enumerate(range(0, len(content), 4096)):
        answer = peer.data(mount.jid, sid, seq, content[begin : begin + 4096])
        assert answer.get("type") == "result"


def break_off(peer: RawPeer, mount: Mount, sid: str, content: bytes, fields: str, end: int) -> None:
    """Sends the first `end` bytes of the file "f"."""
    offer(peer, mount.jid, sid, "f", len(content), fields)
    send(peer, mount, f"{sid}-ibb", content[:end])
    peer.close(mount.jid, f"{sid}-ibb")


def is_free(part: Path) -> bool:
    """Whether no stream writes the part."""
    with open(part, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_rest_of_theirs(lab: Lab) -> None:
    mount, peer, folder = with_inbox(lab)
    content = os.urandom(SIZE)
    fields = "<range/>" + sha_256(content)
    break_off(peer, mount, "one", content, fields, 12_288)
    poll_until(lambda: is_free(folder / "f.part"), what="a part is left")
    assert (folder / "f.part").read_bytes() == content[:12_288]
    accepted = offer(peer, mount.jid, "two", "f", SIZE, fields)
    assert part_of(accepted) == {"offset": "12288"}
    send(peer, mount, "two-ibb", content[12_288:])
    peer.wait_for(is_action("received"))
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {"f": content}
    assert mount.incoming(peer, "f").read_bytes() == content
    assert mount.incoming(peer, "f").stat().st_size == SIZE


def test_rest_after_restarts(lab: Lab) -> None:
    """Of a part that only lacks its name, the last byte is requested."""
    mount, peer, folder = with_inbox(lab)
    content = os.urandom(SIZE)
    folder.mkdir(parents=True)
    (folder / "f.part").write_bytes(content)
    accepted = offer(peer, mount.jid, "one", "f", SIZE, "<range/>" + sha_256(content))
    assert part_of(accepted) == {"offset": str(SIZE - 1)}
    mount.stop()
    mount.start()
    accepted = offer(peer, mount.jid, "two", "f", SIZE, "<range/>" + sha_256(content))
    assert part_of(accepted) == {"offset": str(SIZE - 1)}
    send(peer, mount, "two-ibb", content[-1:])
    peer.wait_for(is_action("received"))
    assert (folder / "f").read_bytes() == content


NO_RESTS = {
    "it can send no part": ("", True),
    "no digest": ("<range/>", False),
    "a digest that we do not know": (
        f"<range/><hash-used xmlns='{NS_HASHES}' algo='blake2b-256'/>",
        False,
    ),
}


@pytest.mark.parametrize("fields, digest", NO_RESTS.values(), ids=list(NO_RESTS))
def test_no_rest_of_theirs(lab: Lab, fields: str, digest: bool) -> None:
    """Nothing would show that the part belongs to this file, so the whole file is transferred."""
    mount, peer, folder = with_inbox(lab)
    content = os.urandom(SIZE)
    folder.mkdir(parents=True)
    (folder / "f.part").write_bytes(content[:1000])
    fields += sha_256(content) if digest else ""
    assert part_of(offer(peer, mount.jid, "one", "f", SIZE, fields)) is None
    send(peer, mount, "one-ibb", content)
    peer.wait_for(is_action("received"))
    assert (folder / "f (2)").read_bytes() == content
    assert (folder / "f.part").read_bytes() == content[:1000]


def test_part_of_another_file(lab: Lab) -> None:
    """The sender gets the error. The next offer of the file is transferred from its first byte."""
    mount, peer, folder = with_inbox(lab)
    content = os.urandom(SIZE)
    folder.mkdir(parents=True)
    (folder / "f.part").write_bytes(os.urandom(10_000))
    fields = "<range/>" + sha_256(content)
    assert part_of(offer(peer, mount.jid, "one", "f", SIZE, fields)) == {"offset": "10000"}
    send(peer, mount, "one-ibb", content[10_000:])
    assert reason_of(peer.wait_for(is_action("session-terminate"))) == "media-error"
    poll_until(lambda: not (folder / "f.part").exists(), what="the part is removed")
    assert part_of(offer(peer, mount.jid, "two", "f", SIZE, fields)) is None
    send(peer, mount, "two-ibb", content)
    peer.wait_for(is_action("received"))
    assert (folder / "f").read_bytes() == content


def test_peer_that_sends_all_of_it_again(lab: Lab) -> None:
    """The peer has offered ranges, and sends the whole file: more bytes than were requested."""
    mount, peer, folder = with_inbox(lab)
    content = os.urandom(SIZE)
    folder.mkdir(parents=True)
    (folder / "f.part").write_bytes(content[:10_000])
    fields = f"<range/><hash-used xmlns='{NS_HASHES}' algo='sha-256'/>"
    assert part_of(offer(peer, mount.jid, "one", "f", SIZE, fields)) == {"offset": "10000"}
    send(peer, mount, "one-ibb", content[:8192])
    assert condition(peer.data(mount.jid, "one-ibb", 2, content[8192:12_288])) == "bad-request"
    poll_until(lambda: not (folder / "f.part").exists(), what="the part is removed")
    assert part_of(offer(peer, mount.jid, "two", "f", SIZE, fields)) is None


def test_rest_that_loses_a_block(lab: Lab) -> None:
    """The bytes before the lost block stay, and the next offer completes them."""
    mount, peer, folder = with_inbox(lab)
    content, part = os.urandom(SIZE), folder / "f.part"
    folder.mkdir(parents=True)
    part.write_bytes(content[:10_000])
    fields = "<range/>" + sha_256(content)
    assert part_of(offer(peer, mount.jid, "one", "f", SIZE, fields)) == {"offset": "10000"}
    send(peer, mount, "one-ibb", content[10_000:14_096])
    answer = peer.data(mount.jid, "one-ibb", 2, content[14_096:18_192])
    assert condition(answer) == "unexpected-request"
    poll_until(lambda: is_free(part), what="nobody writes it")
    assert part.read_bytes() == content[:14_096]
    assert part_of(offer(peer, mount.jid, "two", "f", SIZE, fields)) == {"offset": "14096"}


def test_whole_with_a_wrong_digest(lab: Lab) -> None:
    mount, peer, folder = with_inbox(lab)
    offer(peer, mount.jid, "one", "f", SIZE, "<range/>" + sha_256(b"another"))
    send(peer, mount, "one-ibb", os.urandom(SIZE))
    assert reason_of(peer.wait_for(is_action("session-terminate"))) == "media-error"
    poll_until(lambda: not list(folder.iterdir()), what="nothing is left of it")


def test_name_of_a_part(lab: Lab) -> None:
    """A whole file whose name ends in .part is no part of another file, not even after a
    restart."""
    mount, peer, folder = with_inbox(lab)
    content = os.urandom(SIZE)
    offer(peer, mount.jid, "one", "f.part", SIZE, sha_256(content))
    send(peer, mount, "one-ibb", content)
    peer.wait_for(is_action("received"))
    mount.stop()
    mount.start()
    assert mount.incoming(peer, "f.part_").read_bytes() == content
    longer = os.urandom(2 * SIZE)
    fields = "<range/>" + sha_256(longer)
    assert part_of(offer(peer, mount.jid, "two", "f", len(longer), fields)) is None
    send(peer, mount, "two-ibb", longer)
    poll_until((folder / "f").exists, what="the file has its name")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {"f.part_": content, "f": longer}


def test_part_that_is_being_written(lab: Lab) -> None:
    """Meanwhile, an offer with the same name is another file."""
    mount, peer, folder = with_inbox(lab)
    content = os.urandom(SIZE)
    fields = "<range/>" + sha_256(content)
    offer(peer, mount.jid, "one", "f", SIZE, fields)
    send(peer, mount, "one-ibb", content[:8192])
    assert part_of(offer(peer, mount.jid, "two", "f", SIZE, fields)) is None
    send(peer, mount, "two-ibb", content)
    peer.wait_for(is_action("received"))
    assert (folder / "f (2)").read_bytes() == content
    assert (folder / "f.part").read_bytes() == content[:8192]


# ---- both ----


@pytest.mark.parametrize("form", ["si", "jingle"])
def test_cp_again(lab: Lab, form: str) -> None:
    """Between two mounts, the second cp sends what is missing."""
    sender, receiver = lab.pair(
        f"spool={lab.folder}/spool,window=4K", f"inbox={lab.folder}/inbox"
    )
    os.setxattr(sender.contact(receiver), "user.ibb.format", form.encode())
    size = 2_000_000
    source = lab.random_file(size)
    part = lab.folder / "inbox" / sender.account.jid / "f.part"
    copy = lab.spawn("cp", source, sender.contact(receiver) / "f")
    poll_until(lambda: part.exists() and part.stat().st_size >= 200_000, what="a part of it")
    copy.kill()
    assert copy.wait(20) != 0
    poll_until(lambda: "streams     0" in receiver.status(), what="the end of that")
    there = part.stat().st_size
    assert 200_000 <= there < size
    done = lab.run("cp", source, sender.contact(receiver) / "f")
    assert done.returncode == 0, done.stderr
    kept = part.with_name("f")
    poll_until(kept.exists, what="the file has its name")
    assert kept.read_bytes() == source.read_bytes()
    assert attribute(sender.contact(receiver) / "f", "sent") == str(size - there)
    assert attribute(receiver.incoming(sender, "f"), "received") == str(size - there)
    assert not part.exists()
