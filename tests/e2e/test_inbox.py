# SPDX-License-Identifier: MIT
"""-o inbox=: streams and files of contacts are stored in a directory."""

from __future__ import annotations

import base64
import contextlib
import errno
import itertools
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon import Mount, bare, poll_until, wait_part
from disks import small_disk
from lab import Lab
from rawpeer import NS_IBB, NS_IBBFS, RawPeer, Stanza, condition, is_kind
from test_attributes import attribute

FORMS = ["raw", "si", "jingle"]


def keeping(lab: Lab, form: str = "raw", options: str = "") -> tuple[Mount, Mount, Path]:
    """A sender, a receiver with an inbox, and the sender's directory in it."""
    inbox = lab.folder / "inbox"
    sender, receiver = lab.pair(f"spool={lab.folder}/spool", f"inbox={inbox}{options}")
    os.setxattr(sender.contact(receiver), "user.ibb.format", form.encode())
    return sender, receiver, inbox / sender.account.jid


def tail(lab: Lab, path: Path) -> subprocess.Popen:
    return lab.spawn("tail", "-c", "+1", "-f", "-s", "0.05", path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [0, 1, 1_000_000])
def test_arrives(lab: Lab, form: str, size: int) -> None:
    sender, receiver, folder = keeping(lab, form)
    source = lab.random_file(size)
    done = lab.run("cp", source, sender.contact(receiver) / "näme.bin")
    assert done.returncode == 0, done.stderr
    kept = folder / "näme.bin"
    poll_until(kept.exists, what="the file has its name")
    assert kept.read_bytes() == source.read_bytes()
    assert sorted(p.name for p in folder.iterdir()) == ["näme.bin"]
    path = receiver.incoming(sender, "näme.bin")
    for _ in range(2):  # as often as anybody likes
        assert path.read_bytes() == source.read_bytes()
    assert path.stat().st_size == size
    # It is finished when its name is durable, too; SI does not make the sender wait for that.
    poll_until(lambda: attribute(path, "state") == "finished", what="finished")


def test_at_any_offset_by_several(lab: Lab) -> None:
    sender, receiver, folder = keeping(lab)
    source = lab.random_file(500_000)
    assert lab.run("cp", source, sender.contact(receiver) / "f").returncode == 0
    poll_until((folder / "f").exists, what="the file has its name")
    path, content = receiver.incoming(sender, "f"), source.read_bytes()
    with open(path, "rb") as first, open(path, "rb") as second:
        first.seek(400_000)
        second.seek(-10, os.SEEK_END)
        assert first.read(1000) == content[400_000:401_000]
        assert second.read() == content[-10:]
        first.seek(0)
        assert first.read() == content
    assert lab.run("tar", "-cf", "/dev/null", "-C", path.parent, "f").returncode == 0


def test_growing(lab: Lab) -> None:
    """tail -f follows the file. In the inbox its name ends in .part until it is complete."""
    sender, receiver, folder = keeping(lab)
    fd = os.open(sender.contact(receiver) / "log", os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"one\n")
    os.fsync(fd)  # acknowledged: the bytes are in the file
    assert (folder / "log.part").read_bytes() == b"one\n"
    path = receiver.incoming(sender, "log")
    assert path.read_bytes() == b"one\n"
    follower = tail(lab, path)
    assert follower.stdout is not None
    assert follower.stdout.readline() == b"one\n"
    os.write(fd, b"two\n")
    assert follower.stdout.readline() == b"two\n"
    os.close(fd)
    poll_until((folder / "log").exists, what="the file has its name")
    assert not (folder / "log.part").exists()
    assert path.read_bytes() == b"one\ntwo\n"


def test_can_always_be_opened(lab: Lab) -> None:
    """The name in in/ can be opened at once, also while the file gets its final name."""
    sender, receiver, _ = keeping(lab, "jingle")
    names = [receiver.incoming(sender, f"f{n}") for n in range(150)]
    seen = []

    def look(path: Path) -> bytes:
        poll = time.monotonic() + 20
        while not path.exists():
            assert time.monotonic() < poll
        while not (content := path.read_bytes()):
            assert time.monotonic() < poll
        return content

    reader = lab.background(lambda: seen.extend(look(path) for path in names))
    for path in names:
        (sender.contact(receiver) / path.name).write_bytes(b"x")
    reader.result(20)
    assert seen == [b"x"] * len(names)


def test_never_over_another(lab: Lab) -> None:
    sender, receiver, folder = keeping(lab)
    for text in ("first", "second"):
        source = lab.folder / "same.txt"
        source.write_text(text)
        assert lab.run("cp", source, sender.contact(receiver)).returncode == 0
        source.unlink()
    poll_until(lambda: len(list(folder.glob("same*.txt"))) == 2, what="both have their names")
    assert (folder / "same.txt").read_text() == "first"
    assert (folder / "same (2).txt").read_text() == "second"
    assert receiver.incoming(sender, "same (2).txt").read_text() == "second"


def test_not_over_what_others_put_there(lab: Lab) -> None:
    sender, receiver, folder = keeping(lab)
    folder.mkdir(parents=True)
    (folder / "f").write_text("mine")
    os.symlink("/dev/null", folder / "f (2)")
    source = lab.random_file(10)
    assert lab.run("cp", source, sender.contact(receiver) / "f").returncode == 0
    poll_until((folder / "f (3)").exists, what="the file has its name")
    assert (folder / "f").read_text() == "mine"


def test_survives(lab: Lab) -> None:
    sender, receiver, folder = keeping(lab)
    source = lab.random_file(10_000)
    assert lab.run("cp", source, sender.contact(receiver) / "f").returncode == 0
    poll_until((folder / "f").exists, what="the file has its name")
    receiver.unmount()
    (folder / "of another day.part").write_bytes(b"half")
    receiver.start()
    path = receiver.incoming(sender, "f")
    assert path.read_bytes() == source.read_bytes()
    assert sorted(os.listdir(path.parent)) == ["f", "next", "of another day"]
    path.unlink()
    assert not (folder / "f").exists()
    assert sorted(os.listdir(path.parent)) == ["next", "of another day"]


def test_changed_in_the_directory(lab: Lab) -> None:
    """The name in in/ stands for the file in the inbox, even if somebody changes that."""
    sender, receiver, folder = keeping(lab)
    for name in ("f", "g"):
        assert lab.run("cp", lab.random_file(10), sender.contact(receiver) / name).returncode == 0
        poll_until((folder / name).exists, what="the file has its name")
    with open(folder / "f", "ab") as file:
        file.write(b"more")
    path = receiver.incoming(sender, "f")
    assert path.stat().st_size == 14
    (folder / "f").rename(lab.folder / "f")
    assert not path.exists()
    assert sorted(os.listdir(path.parent)) == ["g", "next"]
    assert lab.run("cp", lab.random_file(20), sender.contact(receiver) / "f").returncode == 0
    poll_until((folder / "f").exists, what="the file has its name")
    assert path.stat().st_size == 20


def test_sender_breaks_off(lab: Lab) -> None:
    sender, receiver, folder = keeping(lab, options=",reconnect=0")
    fd = os.open(sender.contact(receiver) / "f", os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"half of it")
    os.fsync(fd)
    path = receiver.incoming(sender, "f")
    with open(path, "rb", buffering=0) as file:
        assert file.read(100) == b"half of it"
        assert file.read(100) == b""  # so far
        sender.kill()
        poll_until(lambda: attribute(path, "state") == "broken", what="broken")
        with pytest.raises(OSError) as caught:
            file.read(100)
        assert caught.value.errno == errno.ECONNRESET
    assert (folder / "f.part").read_bytes() == b"half of it"
    assert not (folder / "f").exists()


def test_disk_full(lab: Lab) -> None:
    """Bytes that cannot be stored are not acknowledged: the sender's cp fails."""
    with small_disk(lab, "inbox", "size=1m"):
        sender, receiver, _ = keeping(lab)
        done = lab.run("cp", lab.random_file(3_000_000), sender.contact(receiver) / "f")
        assert done.returncode == 1
        with pytest.raises(OSError) as caught:
            receiver.incoming(sender, "f").read_bytes()
        assert caught.value.errno == errno.ENOSPC
        receiver.stop()


@pytest.mark.once
@pytest.mark.parametrize("limit", ["inbox_files=2", "inbox_quota=64K"])
def test_inbox_full(lab: Lab, limit: str) -> None:
    """The sender learns why, before it closes the file or then."""
    sender, receiver, folder = keeping(lab, options=f",{limit}")
    target = sender.contact(receiver)
    done = lab.run("cp", lab.random_file(10_000), target / "before")
    assert done.returncode == 0, done.stderr
    for size in (0, 10, 100_000, 3_000_000):
        if size < 64 * 1024 and limit.startswith("inbox_quota"):
            continue
        done = lab.run("cp", lab.random_file(size), target / f"f{size}")
        assert done.returncode == 1
        assert done.stderr.endswith(": No space left on device\n"), size
    assert [path.name for path in folder.iterdir() if path.suffix != ".part"] == ["before"]


# ---- what a sender may believe ----


def fill(disk: Path) -> Path:
    """A file that takes all the room."""
    path = disk / "filler"
    with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 65536)
    return path


@pytest.mark.once
@pytest.mark.parametrize("stanza", ["message", "iq"])
def test_a_full_inbox_fails_every_close(lab: Lab, stanza: str) -> None:
    """The close fails whatever the size of the file. For an empty file, the inbox has no room for
    the name."""
    with small_disk(lab, "disk", "size=4m,nr_inodes=20") as disk:
        inbox = disk / "inbox"
        sender, receiver = lab.pair(f"stanza={stanza}", f"inbox={inbox},inbox_quota=1M")
        target, folder = sender.contact(receiver), inbox / sender.account.jid

        def copy(size: int, name: str) -> int:
            return lab.run("cp", lab.random_file(size), target / name).returncode

        assert copy(1000, "before") == 0
        assert copy(1_200_000, "beyond the quota") == 1
        part = receiver.incoming(sender, "beyond the quota")
        wait_part(part)
        part.unlink()
        filler = fill(disk)
        sizes = [1, 1000, 4095, 4096, 5000, 20_000, 100_000]
        assert [copy(size, f"{size} bytes") for size in sizes] == [1] * len(sizes)
        filler.unlink()
        names = []
        with contextlib.suppress(OSError):
            while True:
                names.append(disk / str(len(names)))
                names[-1].touch()
        assert [copy(size, f"{size}") for size in (0, 10, 5000)] == [1, 1, 1]
        names[0].unlink()
        poll_until(lambda: copy(0, "after") == 0, what="the inbox is counted again")
        poll_until((folder / "after").exists, what="the file has its name")
        whole = [p.name for p in folder.iterdir() if p.suffix != ".part"]
        assert sorted(whole) == ["after", "before"]
        receiver.stop()


@pytest.mark.once
def test_one_contact_does_not_fill_it(lab: Lab) -> None:
    """By streams that are open and carry nothing. Those that it cannot take end at once."""
    first, second, third = lab.accounts("alice", "bob", "carol")
    receiver = lab.mount(second, f"inbox={lab.folder}/inbox")
    sender, peer = lab.mount(first), lab.raw(third)
    sender.wait_online(receiver.jid)
    receiver.wait_online(peer.jid)
    for number in range(256):  # all that it may open
        assert peer.open(receiver.jid, f"s{number}").get("type") == "result"
    peer.wait_for(is_kind("close"))
    source = lab.random_file(1000)
    done = lab.run("cp", source, sender.contact(receiver) / "f")
    assert done.returncode == 0, done.stderr
    stored = lab.folder / "inbox" / bare(sender) / "f"
    assert stored.read_bytes() == source.read_bytes()


NS_SI = "http://jabber.org/protocol/si"
OFFER = (
    f"<si xmlns='{NS_SI}' id='{{sid}}' profile='{NS_SI}/profile/file-transfer'>"
    f"<file xmlns='{NS_SI}/profile/file-transfer' name='{{sid}}' size='{{size}}'/>"
    "<feature xmlns='http://jabber.org/protocol/feature-neg'><x xmlns='jabber:x:data' type='form'>"
    "<field var='stream-method' type='list-single'>"
    f"<option><value>{NS_IBB}</value></option></field></x></feature></si>"
)


def send_at_once(
    peer: RawPeer, to: str, sid: str, content: bytes, *, end: str = "", offered: bool = False
) -> tuple[list[Stanza], Stanza]:
    """Sends each stanza of a file without waiting. Returns the answers to its blocks, and to its
    <close/>, which says `end`."""
    if offered:
        peer.request(to, OFFER.format(sid=sid, size=len(content)))
    assert peer.open(to, sid).get("type") == "result"
    blocks = [content[start : start + 4096] for start in range(0, len(content), 4096)]
    children = [
        f"<data xmlns='{NS_IBB}' sid='{sid}' seq='{seq}'>{base64.b64encode(block).decode()}</data>"
        for seq, block in enumerate(blocks)
    ]
    children.append(f"<close xmlns='{NS_IBB}' sid='{sid}'>{end}</close>")
    stanzas = [
        f"<iq type='set' to='{to}' id='{sid}-{n}'>{child}</iq>" for n, child in enumerate(children)
    ]
    peer.send("".join(stanzas))
    idents = [f"{sid}-{n}" for n in range(len(stanzas))]
    peer.wait_for(lambda s: s.get("id") in idents, count=len(idents), timeout=30)
    answers = {s.get("id"): s for s in peer.find(lambda s: s.get("id") in idents)}
    *blocks_answered, close = (answers[ident] for ident in idents)
    return blocks_answered, close


def test_blocks_and_close_without_waiting(lab: Lab) -> None:
    """<close/> is answered when the file is there, and with an error if it cannot be; each request
    is answered once, and nothing is acknowledged that was not stored."""
    with small_disk(lab, "disk", "size=1m") as disk:
        mount, peer = lab.with_raw(f"inbox={disk}/inbox")
        folder = disk / "inbox" / peer.jid.split("/")[0]
        for offered in (False, True):
            for size in (0, 1, 100_000, 300_000):
                content = os.urandom(size)
                name = f"f{offered}{size}"
                blocks, close = send_at_once(peer, mount.jid, name, content, offered=offered)
                assert {s.get("type") for s in (*blocks, close)} == {"result"}
                assert (folder / name).read_bytes() == content
                mount.incoming(peer, name).unlink()
            # More than there is room for, and less than is held for a sender that does not wait.
            blocks, close = send_at_once(
                peer, mount.jid, f"large{offered}", os.urandom(1_500_000), offered=offered
            )
            assert condition(close) in ("resource-constraint", "item-not-found")
            stored = (folder / f"large{offered}.part").stat().st_size
            assert sum(s.get("type") == "result" for s in blocks) * 4096 <= stored
            assert "error" in {s.get("type") for s in blocks}
            mount.incoming(peer, f"large{offered}").unlink()
            (folder / f"large{offered}.part").unlink(missing_ok=True)
        # The peer itself says that a file is not whole.
        for name, end, answer in (
            ("more", f"<sent xmlns='{NS_IBBFS}' bytes='20000'/>", "not-acceptable"),
            ("fewer", f"<sent xmlns='{NS_IBBFS}' bytes='1'/>", "not-acceptable"),
            ("reset", f"<reset xmlns='{NS_IBBFS}'/>", None),
        ):
            _, close = send_at_once(peer, mount.jid, name, os.urandom(10_000), end=end)
            assert condition(close) == answer
            path = mount.incoming(peer, name)
            poll_until(lambda path=path: attribute(path, "state") == "broken", what="broken")
            assert not (folder / name).exists()
        peer.stop()
        mount.stop()


@pytest.mark.parametrize("form", FORMS)
def test_quota(lab: Lab, form: str) -> None:
    sender, receiver, folder = keeping(lab, form, ",inbox_quota=100K")
    assert lab.run("cp", lab.random_file(60_000), sender.contact(receiver) / "a").returncode == 0
    poll_until((folder / "a").exists, what="the file has its name")
    done = lab.run("cp", lab.random_file(60_000), sender.contact(receiver) / "b")
    assert done.returncode == 1
    if form != "raw":  # without a size, it is not refused at once
        assert "Connection refused" in done.stderr
    receiver.incoming(sender, "a").unlink()
    assert lab.run("cp", lab.random_file(60_000), sender.contact(receiver) / "c").returncode == 0


def test_quota_is_of_what_is_there(lab: Lab) -> None:
    """Any removal of a file from the inbox gives room back."""
    sender, receiver, folder = keeping(lab, "jingle", ",inbox_quota=100K")
    assert lab.run("cp", lab.random_file(60_000), sender.contact(receiver) / "a").returncode == 0
    poll_until((folder / "a").exists, what="the file has its name")
    (folder / "a").rename(lab.folder / "a")
    done = lab.run("cp", lab.random_file(60_000), sender.contact(receiver) / "b")
    assert done.returncode == 0, done.stderr
    poll_until((folder / "b").exists, what="the file has its name")
    done = lab.run("cp", lab.random_file(60_000), sender.contact(receiver) / "c")
    assert "Connection refused" in done.stderr


def flood(peer: RawPeer, to: str, names: list[str], content: bytes) -> None:
    """Sends a stream for each name, without waiting. Each request is answered."""
    asked = len(peer.find(is_kind("result", "error")))
    for name in names:
        peer.open(to, name, wait=False)
        if content:
            peer.data(to, name, 0, content, wait=False)
        peer.close(to, name, wait=False)
    requests = len(names) * (3 if content else 2)
    peer.wait_for(is_kind("result", "error"), count=asked + requests, timeout=60)


def is_stored(peer: RawPeer, to: str, name: str, content: bytes) -> bool:
    flood(peer, to, [name], content)
    return peer.find(is_kind("result", "error"))[-1].get("type") == "result"


@pytest.mark.parametrize(
    "options, content", [("inbox_files=100", b""), ("inbox_files=100", b"x"), ("inbox_quota=400K", b"x")]
)
def test_small_files_without_end(lab: Lab, options: str, content: bytes) -> None:
    """A file counts, and a block at least, as the directory of the contact does. What is taken out
    by hand gives room back, and its name is gone."""
    inbox = lab.folder / "inbox"
    mount, peer = lab.with_raw(f"inbox={inbox},{options}")
    folder, listing = inbox / bare(peer), mount.contact(peer) / "in"
    for batch in range(3):
        flood(peer, mount.jid, [f"f{batch}-{i}" for i in range(100)], content)
    stored = os.listdir(folder)
    assert len(stored) == 99
    assert sorted(os.listdir(listing)) == sorted([*stored, "next"])
    for name in stored[:50]:
        (folder / name).rename(lab.folder / name)
    numbers = itertools.count()
    poll_until(
        lambda: is_stored(peer, mount.jid, f"again{next(numbers)}", content),
        what="the inbox is counted again",
    )
    kept = os.listdir(folder)
    assert len(kept) == 50
    assert sorted(os.listdir(listing)) == sorted([*kept, "next"])


def test_feed_tells_of_what_is_whole(lab: Lab) -> None:
    sender, receiver, _ = keeping(lab)
    with open(receiver.path / "incoming", encoding="utf-8") as incoming:
        slow = os.open(sender.contact(receiver) / "slow", os.O_WRONLY | os.O_CREAT)
        os.write(slow, b"half")
        os.fsync(slow)
        assert lab.run("cp", lab.random_file(10), sender.contact(receiver) / "f").returncode == 0
        assert incoming.readline().endswith("/in/f\n")
        os.close(slow)
        assert incoming.readline().endswith("/in/slow\n")


def test_next(lab: Lab) -> None:
    sender, receiver, _ = keeping(lab)
    path = receiver.incoming(sender)
    reader = lab.spawn("cat", path)
    source = lab.random_file(300_000)
    assert lab.run("cp", source, sender.contact(receiver) / "f").returncode == 0
    out, _ = reader.communicate(timeout=20)
    assert out == source.read_bytes()


@pytest.mark.parametrize("is_read", [False, True])
def test_removed_while_it_comes(lab: Lab, is_read: bool) -> None:
    """A process that reads it is told that it has not got the whole file."""
    sender, receiver, folder = keeping(lab)
    fd = os.open(sender.contact(receiver) / "f", os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"half")
    os.fsync(fd)
    path = receiver.incoming(sender, "f")
    with open(path, "rb", buffering=0) if is_read else contextlib.nullcontext() as reader:
        assert reader is None or reader.read(10) == b"half"
        path.unlink()
        with pytest.raises(OSError):
            os.write(fd, b"more")
            os.close(fd)
        poll_until(lambda: list(folder.iterdir()) == [], what="nothing left of it")
        if reader:
            with pytest.raises(ConnectionResetError):
                reader.read(10)
    assert "streams     0" in receiver.status()


def replace(part: Path) -> None:
    """As an editor or a program that synchronises directories does."""
    copy = part.with_name("copy")
    copy.write_bytes(part.read_bytes())
    copy.rename(part)


def cut(part: Path) -> None:
    os.truncate(part, 0)


def append(part: Path) -> None:
    with open(part, "ab") as file:
        file.write(bytes(100))


@pytest.mark.once
@pytest.mark.parametrize("syncs", [True, False])
@pytest.mark.parametrize("change", [Path.unlink, replace, cut, append])
def test_part_that_others_change(lab: Lab, change: Callable[[Path], None], syncs: bool) -> None:
    """Its sender is not told that all is there, and nothing else gets its name."""
    sender, receiver, folder = keeping(lab)
    stream = open(sender.contact(receiver) / "f", "wb", buffering=0)
    stream.write(b"half of it")
    os.fsync(stream.fileno())
    change(folder / "f.part")
    with pytest.raises(OSError):
        stream.write(b", and the rest")
        if syncs:
            os.fsync(stream.fileno())
            assert change is append  # whether there is more than was sent shows at the end
        stream.close()
    poll_until(lambda: "streams     0" in receiver.status(), what="the end of the stream")
    assert not (folder / "f").exists()
    with contextlib.suppress(OSError):
        stream.close()


def test_refused_on_the_command_line(lab: Lab) -> None:
    (first,) = lab.accounts("alice")
    inbox = lab.folder / "file"
    inbox.write_text("")
    mount = Mount(
        lab.build, lab.server, first, "mount", lab.folder / "mnt", f"inbox={inbox}"
    )
    mount.path.mkdir()
    done = lab.run(*mount.command())
    assert done.returncode == 1
    assert "Not a directory" in done.stderr
