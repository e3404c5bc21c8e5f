# SPDX-License-Identifier: MIT
"""A file that broke off: what the receiver sees of its part, and how that makes room."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import signal
from pathlib import Path

import pytest

from daemon import MEBIBYTE, Mount, bare, poll_until, wait_part
from lab import Lab
from rawpeer import NS_IBB, NS_IBBFS, RawPeer, condition
from test_attributes import attribute
from test_inbox import is_stored, keeping
from test_pieces import Outbox
from test_resume import NS_RESUME

NS_PIECES = "urn:ibbfs:pieces:0"


def listing(mount: Mount, sender: Mount) -> list[str]:
    return sorted(set(os.listdir(mount.contact(sender) / "in")) - {"next"})


def row_of(mount: Mount, path: Path) -> str | None:
    """That of `status`, without runs of spaces."""
    name = str(path.relative_to(mount.path))
    rows = (mount.path / "status").read_text().splitlines()
    return next((" ".join(row.split()) for row in rows if f" {name} " in row), None)


def expect_part(lab: Lab, path: Path, size: int) -> None:
    assert attribute(path, "state") == "broken"
    assert path.stat().st_size == size
    for command in (["cat", path], ["cp", path, lab.folder / "copy"], ["tar", "-c", path]):
        done = lab.run(*command)
        assert done.returncode != 0
        assert "Connection reset by peer" in done.stderr


def test_part_is_seen(lab: Lab) -> None:
    outbox = Outbox(lab)
    outbox.start()
    cp = outbox.begin(lab.random_file(2 * MEBIBYTE, "f"), 100_000)
    cp.send_signal(signal.SIGKILL)
    cp.wait(20)
    outbox.wait_broken("f")
    path, size = outbox.bob.incoming(outbox.alice, "f"), outbox.part("f").stat().st_size
    expect_part(lab, path, size)
    row = row_of(outbox.bob, path)
    assert row and row.startswith("in broken ") and row.endswith(f"({outbox.alice.jid})"), row

    outbox.bob.stop()
    assert not any((outbox.inbox / ".ibbfs").glob("*"))
    outbox.restart(outbox.bob)
    assert listing(outbox.bob, outbox.alice) == ["f"]
    expect_part(lab, path, size)
    row = row_of(outbox.bob, path)
    assert row and row.startswith("in broken ") and row.endswith(f"({bare(outbox.alice)})"), row

    assert lab.run("rm", path).returncode == 0
    assert listing(outbox.bob, outbox.alice) == []
    assert outbox.names() == []
    assert row_of(outbox.bob, path) is None


def test_part_that_a_reader_has_open(unpadded_lab: Lab) -> None:
    """The next copy goes on with it, under its name; the reader is told of the break."""
    outbox = Outbox(unpadded_lab)
    outbox.start()
    source = unpadded_lab.random_file(3 * MEBIBYTE, "f")
    cp = outbox.begin(source, 2 * MEBIBYTE)
    path = outbox.bob.incoming(outbox.alice, "f")
    with open(path, "rb", buffering=0) as reader:
        cp.send_signal(signal.SIGKILL)
        cp.wait(20)
        outbox.wait_broken("f")
        outbox.expect_rest(source, MEBIBYTE)
        assert listing(outbox.bob, outbox.alice) == ["f"]
        assert path.read_bytes() == source.read_bytes()
        with pytest.raises(ConnectionResetError):
            while reader.read(MEBIBYTE):
                pass


def with_parts(lab: Lab, form: str, **sizes: int) -> tuple[Mount, Mount, Path]:
    """As keeping; there are parts of earlier days, the oldest first, in an inbox of 128 KiB."""
    sender, receiver, folder = keeping(lab, form, ",inbox_quota=128K")
    receiver.stop()
    folder.mkdir(parents=True)
    for day, (name, size) in enumerate(sizes.items(), 1):
        part = folder / f"{name}.part"
        part.write_bytes(b"x" * size)
        os.utime(part, (day * 86_400, day * 86_400))
    receiver.start()
    sender.wait_online(receiver.jid)
    receiver.wait_online(sender.jid)
    assert listing(receiver, sender) == sorted(sizes)
    return sender, receiver, folder


@pytest.mark.parametrize("form", ["raw", "jingle"])
def test_oldest_part_makes_room(lab: Lab, form: str) -> None:
    sender, receiver, folder = with_parts(lab, form, z=40_000, a=40_000)
    done = lab.run("cp", lab.random_file(60_000, "f"), sender.contact(receiver))
    assert done.returncode == 0, done.stderr
    poll_until((folder / "f").exists, what="the file has its name")
    assert sorted(os.listdir(folder)) == ["a.part", "f"]
    assert listing(receiver, sender) == ["a", "f"]


def test_what_makes_no_room(lab: Lab) -> None:
    """Neither whole files nor what is being received; nor a part whose room would not be enough."""
    sender, receiver, folder = with_parts(lab, "raw", old=8000)
    target = sender.contact(receiver)
    (target / "whole").write_bytes(b"x" * 40_000)
    poll_until((folder / "whole").exists, what="the file has its name")
    with open(target / "slow", "wb", buffering=0) as slow:
        slow.write(b"x" * 40_000)
        os.fsync(slow.fileno())
        os.setxattr(target, "user.ibb.format", b"jingle")
        done = lab.run("cp", lab.random_file(60_000, "f"), target)
        assert "Connection refused" in done.stderr
        assert listing(receiver, sender) == ["old", "slow", "whole"]
    poll_until((folder / "slow").exists, what="the file has its name")
    assert sorted(os.listdir(folder)) == ["old.part", "slow", "whole"]


def open_part(peer: RawPeer, to: str, sid: str, name: str) -> bool:
    """Opens a stream. Whether it goes on with a part."""
    answer = peer.request(
        to,
        f"<open xmlns='{NS_IBB}' sid='{sid}' block-size='4096'>"
        f"<file xmlns='urn:xmpp:file:metadata:0'><name>{name}</name></file>"
        f"<resume xmlns='{NS_RESUME}'/><pieces xmlns='{NS_PIECES}'/></open>",
    )
    assert answer.get("type") == "result", condition(answer)
    return answer.find(f"{{{NS_PIECES}}}pieces") is not None


def goes_on(peer: RawPeer, to: str, sid: str, name: str) -> bool:
    """Opens a stream, and breaks it. Whether it goes on with a part."""
    found = open_part(peer, to, sid, name)
    peer.data(to, sid, 0, b"x")
    peer.close(to, sid, child=f"<reset xmlns='{NS_IBBFS}'/>")
    return found


def digests(peer: RawPeer, to: str, sid: str) -> tuple[str | None, str]:
    """The condition of the error, and all that is told of the first pieces."""
    answer = peer.request(to, f"<pieces xmlns='{NS_PIECES}' sid='{sid}' first='0'/>", type_="get")
    found = answer.find(f"{{{NS_PIECES}}}pieces")
    bytes_ = found.get("bytes", "") if found is not None else ""
    return condition(answer), bytes_ + (found.text or "" if found is not None else "")


def test_digests_are_told_to_their_sender_alone(lab: Lab) -> None:
    """Another contact knows the name and the sid, and opens a stream of these, too. The sender's
    other resource knows the sid."""
    alice, bob, carol = lab.accounts("alice", "bob", "carol")
    inbox = lab.folder / "inbox"
    content = os.urandom(8000)
    (inbox / alice.jid).mkdir(parents=True)
    (inbox / alice.jid / "f.part").write_bytes(content)
    mount = lab.mount(bob, f"inbox={inbox}")
    sender, phone, stranger = lab.raw(alice), lab.raw(alice, "phone"), lab.raw(carol)
    for peer in (sender, phone, stranger):
        mount.wait_online(peer.jid)
        assert digests(peer, mount.jid, "sid") == ("item-not-found", ""), peer.jid
    assert open_part(sender, mount.jid, "sid", "f")
    for peer in (phone, stranger):
        assert digests(peer, mount.jid, "sid") == ("item-not-found", ""), peer.jid
    assert not open_part(stranger, mount.jid, "sid", "f")
    assert digests(stranger, mount.jid, "sid") == ("item-not-found", "")
    told = "8000" + base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert digests(sender, mount.jid, "sid") == (None, told)


def test_parts_that_are_removed_by_hand(lab: Lab) -> None:
    """They are forgotten when the inbox is counted again."""
    inbox = lab.folder / "inbox"
    mount, peer = lab.with_raw(f"inbox={inbox},inbox_files=3")
    for name in ("a", "b"):
        assert not goes_on(peer, mount.jid, name, name)
        wait_part(mount.contact(peer) / "in" / name)
    (inbox / bare(peer) / "a.part").unlink()
    (inbox / bare(peer) / "b.part").unlink()
    sids = (f"whole{number}" for number in itertools.count())
    poll_until(
        lambda: is_stored(peer, mount.jid, next(sids), b"x"), what="the inbox is counted again"
    )
    assert not goes_on(peer, mount.jid, "a2", "a")
    assert not goes_on(peer, mount.jid, "b2", "b")


@pytest.mark.parametrize("form", ["si", "jingle"])
def test_rest_that_does_not_fit(lab: Lab, form: str) -> None:
    """The part stays as it is, and is gone on with when there is room."""
    sender, receiver, folder = with_parts(lab, "raw", f=8000)
    target, source = sender.contact(receiver), lab.folder / "f"
    source.write_bytes(b"x" * 60_000)
    (target / "whole").write_bytes(b"y" * 80_000)
    poll_until((folder / "whole").exists, what="the file has its name")
    os.setxattr(target, "user.ibb.format", form.encode())
    done = lab.run("cp", source, target)
    assert "Connection refused" in done.stderr
    assert listing(receiver, sender) == ["f", "whole"]
    (folder / "whole").unlink()
    poll_until(lambda: lab.run("cp", source, target).returncode == 0, what="there is room")
    poll_until((folder / "f").exists, what="the file has its name")
    assert os.listdir(folder) == ["f"]
