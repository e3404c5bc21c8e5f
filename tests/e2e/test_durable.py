# SPDX-License-Identifier: MIT
"""An inbox on a disk that loses power or fails: what was acknowledged is there."""

from __future__ import annotations

import collections
import contextlib
import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from daemon import MEBIBYTE, Mount, bare, poll_until, wait_part
from disks import Disk, running_disk
from lab import Lab, wait_blocked
from test_inbox import OFFER
from test_killed import hiding_mount
from test_waiting import BLOCKED

OUTLIVED = 20  # cuts


@pytest.fixture
def disk(lab: Lab) -> Iterator[Disk]:
    with running_disk(lab) as disk:
        yield disk


def content_of(name: str) -> bytes:
    return random.Random(name).randbytes(random.Random(f"size {name}").choice([0, 1, 4096, 300_000]))


def folder_of(name: str) -> str:
    """Half of the writers send into folders, each new for every third file."""
    writer, number = (int(part) for part in name.split("-"))
    return f"folder-{writer}/{number // 3}" if writer % 2 else ""


def send_for_ever(target: Path, writer: int, sent: set[str], stop: threading.Event) -> None:
    number = 0
    while not stop.is_set():
        name = f"{writer}-{number}"
        folder = target / folder_of(name)
        folder.mkdir(parents=True, exist_ok=True)
        number += 1
        (folder / name).write_bytes(content_of(name))
        sent.add(name)  # close has succeeded


def cut_often(lab: Lab, disk: Disk, cuts: int) -> None:
    sender, receiver = lab.pair("", f"inbox={disk.path}/inbox")
    sent: set[str] = set()
    stop = threading.Event()
    target = sender.contact(receiver)
    writers = [lab.background(send_for_ever, target, n, sent, stop) for n in range(4)]
    chance = random.Random(cuts)
    kept = disk.path / "inbox" / sender.account.jid
    earlier: collections.deque[set[str]] = collections.deque([set()])
    seen = 0
    for number in range(cuts):
        goal = len(sent) + chance.randrange(1, 6)
        poll_until(
            lambda: len(sent) >= goal or any(writer.done() for writer in writers),
            timeout=100,
            what="more files",
        )
        for writer in writers:
            assert not writer.done(), writer.exception()
        promised = set(sent)
        seed = 0 if number % 2 else chance.randrange(1, 1 << 31)
        left = disk.cut(seed, lab.folder / f"left-{number}")
        lost = promised - left.keys()
        assert not lost, f"cut {number}: {sorted(lost)}, acknowledged, of {len(promised)}"
        for name, content in left.items():
            if not name.endswith(".part"):
                assert content == content_of(name), f"cut {number}: {name} is not whole"
        shutil.rmtree(lab.folder / f"left-{number}")
        seen += len(promised - earlier[-1])
        earlier.append(promised)
        # Each cut copies what is there, so what has survived many is taken out.
        for name in earlier.popleft() & sent if len(earlier) > OUTLIVED else ():
            (kept / folder_of(name) / name).unlink()
            sent.discard(name)
    stop.set()
    for writer in writers:
        writer.result(60)
    assert seen >= cuts


@pytest.mark.once
def test_power_cut(lab: Lab, disk: Disk) -> None:
    cut_often(lab, disk, 15)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_power_cut_200_times(lab: Lab, disk: Disk) -> None:
    cut_often(lab, disk, 200)


def open_files(mount: Mount, folder: Path) -> list[str]:
    found = []
    for entry in Path(f"/proc/{mount.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(entry))
    return [path for path in found if path.startswith(f"{folder}/")]


@pytest.mark.once
def test_failing_disk(lab: Lab, disk: Disk) -> None:
    """The sender gets each error of each call once, and the next file arrives."""
    sender, receiver = lab.pair("", f"inbox={disk.path}/inbox")
    folder = disk.path / "inbox" / sender.account.jid
    source = lab.random_file(20_000)
    for call in ("write", "fsync", "rename", "close"):
        for code in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO):
            name = f"{call}-{errno.errorcode[code]}"
            # The lock of the last file is closed after its acknowledgement, and may not take this
            # fault.
            poll_until(lambda: not open_files(receiver, folder), what="the last file is closed")
            disk.fail(call, code, 1)
            done = lab.run("cp", source, sender.contact(receiver) / name)
            assert done.returncode == 1, f"{name}: cp succeeded"
            assert (folder / f"{name}.part").exists(), name
            assert not (folder / name).exists(), name
            with pytest.raises(OSError) as caught:
                receiver.incoming(sender, name).read_bytes()
            assert caught.value.errno == code, name
            done = lab.run("cp", source, sender.contact(receiver) / f"after-{name}")
            assert done.returncode == 0, done.stderr
            assert (folder / f"after-{name}").read_bytes() == source.read_bytes()
            disk.fail(call, code, 0)


@pytest.mark.once
def test_copy_again_after_a_failed_sync(lab: Lab, disk: Disk) -> None:
    """The bytes that the sync has lost can still be read from the page cache. They must not count
    as being there already."""
    sender, receiver = lab.pair("", f"inbox={disk.path}/inbox")
    source, target = lab.random_file(3 * MEBIBYTE), sender.contact(receiver) / "f"
    disk.fail("fsync", errno.EIO, 1)
    assert lab.run("cp", source, target).returncode == 1
    disk.fail("fsync", errno.EIO, 0)
    wait_part(receiver.incoming(sender, "f"))
    done = lab.run("cp", source, target)
    assert done.returncode == 0, done.stderr
    left = disk.cut(0, lab.folder / "left")
    assert left.keys() == {"f"} and left["f"] == source.read_bytes()


@pytest.mark.once
def test_folders_of_an_earlier_process(lab: Lab, disk: Disk) -> None:
    """That process was killed before it had synced them, or the inbox. They are durable before a
    file in them is acknowledged."""
    first, second = lab.accounts("alice", "bob")
    (disk.path / "inbox" / first.jid / "a" / "b").mkdir(parents=True)
    receiver, sender = lab.mount(second, f"inbox={disk.path}/inbox"), lab.mount(first)
    sender.wait_online(receiver.jid)
    source, folder = lab.random_file(1000), sender.contact(receiver) / "a" / "b"
    folder.mkdir(parents=True)
    assert lab.run("cp", source, folder / "f").returncode == 0
    left = disk.cut(0, lab.folder / "left")
    assert left.keys() == {"f"} and left["f"] == source.read_bytes()


@pytest.mark.once
def test_a_directory_that_another_has_made(lab: Lab, disk: Disk) -> None:
    """Another ibbfs with that inbox, or the user; while we know that all others are durable."""
    first, second, third = lab.accounts("alice", "bob", "carol")
    receiver = lab.mount(second, f"inbox={disk.path}/inbox")
    source = lab.random_file(1000)
    for account, made in ((first, False), (third, True)):
        sender = lab.mount(account)
        sender.wait_online(receiver.jid)
        if made:
            (disk.path / "inbox" / account.jid).mkdir()
        done = lab.run("cp", source, sender.contact(receiver) / account.user)
        assert done.returncode == 0, done.stderr
    left = disk.cut(0, lab.folder / "left")
    assert left.keys() == {first.user, third.user}


@pytest.mark.once
def test_a_folder_that_another_has_made(lab: Lab, disk: Disk) -> None:
    """As above, while we know that all other folders of the contact are durable."""
    sender, receiver = lab.pair("", f"inbox={disk.path}/inbox")
    source = lab.random_file(1000)
    for name, made in (("a", False), ("b", True)):
        if made:
            (disk.path / "inbox" / sender.account.jid / name).mkdir()
        folder = sender.contact(receiver) / name
        folder.mkdir()
        done = lab.run("cp", source, folder / f"in-{name}")
        assert done.returncode == 0, done.stderr
    left = disk.cut(0, lab.folder / "left")
    assert left.keys() == {"in-a", "in-b"}


@pytest.mark.once
def test_a_part_in_a_folder_of_an_earlier_process(lab: Lab, disk: Disk) -> None:
    """As above; the file is not made there, but goes on with its part."""
    first, second = lab.accounts("alice", "bob")
    source = lab.random_file(3 * MEBIBYTE)
    folder = disk.path / "inbox" / first.jid / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "f.part").write_bytes(source.read_bytes()[:MEBIBYTE])
    receiver, sender = lab.mount(second, f"inbox={disk.path}/inbox"), lab.mount(first)
    sender.wait_online(receiver.jid)
    target = sender.contact(receiver) / "a" / "b"
    target.mkdir(parents=True)
    done = lab.run("cp", source, target / "f")
    assert done.returncode == 0, done.stderr
    assert not (folder / "f.part").exists()
    left = disk.cut(0, lab.folder / "left")
    assert left.keys() == {"f"} and left["f"] == source.read_bytes()


@pytest.mark.once
def test_a_stream_into_a_folder_of_an_earlier_process(lab: Lab, disk: Disk) -> None:
    """As above; that process made the folder with inbox_sync=no, and the stream is resumed."""
    sender, receiver = lab.pair("", f"inbox={disk.path}/inbox,inbox_sync=no")
    target = sender.contact(receiver) / "a"
    target.mkdir()
    with open(target / "f", "wb", buffering=0) as stream:
        stream.write(b"some ")
        os.fsync(stream.fileno())
        receiver.kill()
        receiver.options = f"inbox={disk.path}/inbox"
        receiver.start()
        stream.write(b"bytes")
    left = disk.cut(0, lab.folder / "left")
    assert left == {"f": b"some bytes"}


@contextlib.contextmanager
def mounted_image(image: Path, path: Path) -> Iterator[Path]:
    path.mkdir()
    command = ["mount", "-t", "ext4", "-o", "loop,commit=300", image, path]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no loop device: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


@pytest.mark.once
def test_a_copy_of_a_real_disk(lab: Lab) -> None:
    """What the loop device has not been told is not in its image. Other files show that."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a loop device")
    image, copy = lab.folder / "image", lab.folder / "copy"
    with open(image, "wb") as file:
        file.truncate(32 * MEBIBYTE)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    with mounted_image(image, lab.folder / "disk") as disk:
        sender, receiver = lab.pair("", f"inbox={disk}/inbox")
        source, target = lab.random_file(300_000), sender.contact(receiver)
        kept = Path("inbox") / sender.account.jid
        (target / "folder").mkdir()
        (disk / "unsynced").write_bytes(source.read_bytes())
        for name in ("f", "folder/f"):
            done = lab.run("cp", source, target / name)
            assert done.returncode == 0, done.stderr
        shutil.copyfile(image, copy)
        lab.close()  # the daemons have files open there
    with mounted_image(copy, lab.folder / "later") as later:
        for name in ("f", "folder/f"):
            assert (later / kept / name).read_bytes() == source.read_bytes()
        unsynced = later / "unsynced"
        assert not unsynced.exists() or unsynced.read_bytes() != source.read_bytes()


@pytest.mark.once
def test_another_file_of_that_name(lab: Lab, disk: Disk) -> None:
    """The other file is open for writing on another file system. The close waits for the end all
    the same."""
    sender, receiver = lab.pair("", f"inbox={disk.path}/inbox")
    disk.fail("rename", errno.ENOSPC, 1)
    source = lab.random_file(20_000)
    with open(lab.folder / "f", "wb"):
        done = lab.run("cp", source, sender.contact(receiver) / "f")
    assert done.returncode == 1


def begin(stream: BinaryIO) -> int:
    """The inode of a file that has bytes now."""
    stream.write(b"some")
    stream.flush()
    return os.fstat(stream.fileno()).st_ino


def inode_of(path: Path) -> int:
    with open(path, "wb") as stream:
        return begin(stream)


@pytest.mark.once
def test_a_file_of_that_name_in_another_mount(lab: Lab, disk: Disk) -> None:
    """It even has the same inode."""
    first, second, third = lab.accounts("alice", "bob", "carol")
    receiver = lab.mount(second, f"inbox={disk.path}/inbox")
    sender, other = lab.mount(first), lab.mount(third)
    for mount in (sender, other):
        mount.wait_online(receiver.jid)
    inode_of(other.contact(receiver) / "first")  # so that its next ones are higher
    inode_of(other.contact(receiver) / "second")
    names = iter("0123456789")
    with open(other.contact(receiver) / "f", "wb") as held:
        inode = begin(held)
        while (last := inode_of(sender.contact(receiver) / next(names))) < inode - 1:
            pass
        assert last == inode - 1
        disk.fail("rename", errno.ENOSPC, 1)
        with open(sender.contact(receiver) / "f", "wb") as stream:
            assert begin(stream) == inode
            with pytest.raises(OSError) as caught:
                stream.close()
        assert caught.value.errno == errno.ENOSPC


@pytest.mark.once
@pytest.mark.parametrize("form", ["si", "jingle"])
def test_power_cut_of_offered_files(lab: Lab, disk: Disk, form: str) -> None:
    sender, receiver = lab.pair(f"spool={lab.folder}/spool", f"inbox={disk.path}/inbox")
    os.setxattr(sender.contact(receiver), "user.ibb.format", form.encode())
    for number, size in enumerate((1, 100_000, 4096, 300_000, 0)):
        source = lab.random_file(size)
        done = lab.run("cp", source, sender.contact(receiver) / f"f{number}")
        assert done.returncode == 0, done.stderr
        left = disk.cut(0, lab.folder / f"left-{number}")
        assert left[f"f{number}"] == source.read_bytes()


@pytest.mark.once
@pytest.mark.parametrize("stanza", ["iq", "message"])
@pytest.mark.parametrize("sync", ["yes", "no"])
def test_failing_disk_of_offered_files(lab: Lab, disk: Disk, sync: str, stanza: str) -> None:
    """By SI, nothing confirms a file but the acknowledgement of its last byte. Messages have none,
    nor has an empty file."""
    sender, receiver = lab.pair(
        f"spool={lab.folder}/spool", f"inbox={disk.path}/inbox,inbox_sync={sync}"
    )
    folder = disk.path / "inbox" / sender.account.jid
    os.setxattr(sender.contact(receiver), "user.ibb.stanza", stanza.encode())
    for form in ("si", "jingle"):
        os.setxattr(sender.contact(receiver), "user.ibb.format", form.encode())
        for call, size in (("write", 20_000), ("fsync", 20_000), ("rename", 20_000), ("rename", 0)):
            if call == "fsync" and sync == "no":
                continue
            name = f"{form}-{call}-{size}"
            source = lab.random_file(size)
            disk.fail(call, errno.EIO, 1)
            done = lab.run("cp", source, sender.contact(receiver) / name)
            assert done.returncode == 1, f"{name}: cp succeeded"
            disk.fail(call, errno.EIO, 0)
            assert not (folder / name).exists(), name
            done = lab.run("cp", source, sender.contact(receiver) / f"after-{name}")
            assert done.returncode == 0, done.stderr
            assert (folder / f"after-{name}").read_bytes() == source.read_bytes()


@pytest.mark.once
@pytest.mark.parametrize("sync", ["yes", "no"])
def test_failing_disk_of_a_file_that_a_plain_peer_offers(lab: Lab, disk: Disk, sync: str) -> None:
    """The acknowledgement of the last block is all that it waits for."""
    mount, peer = lab.with_raw(f"inbox={disk.path}/inbox,inbox_sync={sync}")
    for name, fails in (("f", 1), ("after", 0)):
        disk.fail("rename", errno.EIO, fails)
        content = os.urandom(5000)
        peer.request(mount.jid, OFFER.format(sid=name, size=len(content)))
        assert peer.open(mount.jid, name).get("type") == "result"
        assert peer.data(mount.jid, name, 0, content[:4000]).get("type") == "result"
        last = peer.data(mount.jid, name, 1, content[4000:])
        assert last.get("type") == ("error" if fails else "result")
        stored = disk.path / "inbox" / bare(peer) / name
        assert not stored.exists() if fails else stored.read_bytes() == content


@pytest.mark.once
def test_power_cut_of_a_plain_peer(lab: Lab, disk: Disk) -> None:
    """The acknowledgement of a block may be all that the peer waits for."""
    mount, peer = lab.with_raw(f"inbox={disk.path}/inbox")
    assert peer.open(mount.jid, "s").get("type") == "result"
    content = b""
    for seq in range(5):
        block = os.urandom(1000)
        assert peer.data(mount.jid, "s", seq, block).get("type") == "result"
        content += block
        assert disk.cut(0, lab.folder / f"left-{seq}") == {"s.part": content}
    assert peer.close(mount.jid, "s").get("type") == "result"
    assert disk.cut(0, lab.folder / "left") == {"s": content}


def dd_fsync(fd: int) -> None:
    dd = ["dd", "if=/dev/null", "conv=fsync", "status=none"]
    subprocess.run(dd, stdout=fd, check=True, timeout=60)


def close_one(fd: int) -> None:
    os.close(os.dup(fd))


@pytest.mark.once
def test_power_cut_after_fsync(lab: Lab, disk: Disk) -> None:
    """The writer still has the file open. A close that is not the last promises as much."""
    sender, receiver = lab.pair("", f"inbox={disk.path}/inbox")
    content = os.urandom(300_000)
    with open(sender.contact(receiver) / "f", "wb", buffering=0) as stream:
        for number, barrier in enumerate((os.fsync, dd_fsync, close_one)):
            stream.write(content)
            barrier(stream.fileno())
            left = disk.cut(0, lab.folder / f"left-{number}")
            assert left == {"f.part": content * (number + 1)}
    assert disk.cut(0, lab.folder / "left") == {"f": content * 3}


@pytest.mark.once
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_failing_fsync(lab: Lab, disk: Disk, code: int) -> None:
    """The errors are those of a close, and the stream is broken."""
    sender, receiver = lab.pair("", f"inbox={disk.path}/inbox")
    wanted = errno.ENOSPC if code == errno.ENOSPC else errno.ECONNRESET
    disk.fail("fsync", code, 1)
    stream = open(sender.contact(receiver) / "f", "wb", buffering=0)
    stream.write(b"some")
    for call in (lambda: os.fsync(stream.fileno()), lambda: stream.write(b"more"), stream.close):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == wanted
    disk.fail("fsync", code, 0)
    assert not (disk.path / "inbox" / sender.account.jid / "f").exists()


@pytest.mark.once
def test_writer_that_cannot_be_seen(lab: Lab, disk: Disk) -> None:
    """Its close may be any, so it waits for the bytes."""
    alice, bob = lab.accounts("alice", "bob")
    receiver = lab.mount(bob, f"inbox={disk.path}/inbox")
    sender = hiding_mount(lab, alice)
    sender.wait_online(receiver.jid)
    source = lab.random_file(20_000)
    disk.fail("fsync", errno.EIO, 1)
    assert lab.run("cp", source, sender.contact(receiver) / "failed").returncode == 1
    disk.fail("fsync", errno.EIO, 0)
    done = lab.run("cp", source, sender.contact(receiver) / "f")
    assert done.returncode == 0, done.stderr
    left = disk.cut(0, lab.folder / "left")
    assert source.read_bytes() in (left.get("f"), left.get("f.part")), left.keys()
    assert "failed" not in left


def spawn_fsync(lab: Lab, path: Path) -> subprocess.Popen:
    """Another process, as each child of this one would close, and so flush, our files."""
    program = (sys.executable, BLOCKED, "fsync", path)
    process = lab.spawn(*program, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "ready\n"
    wait_blocked(process.pid)
    return process


def result_of(process: subprocess.Popen) -> list[str]:
    assert process.stdout
    return process.stdout.readline().split()[:2]


@pytest.mark.once
def test_fsync_and_a_disk_that_hangs(lab: Lab, disk: Disk) -> None:
    """A signal ends the wait. Otherwise it goes on, also while the receiver is started again."""
    sender, receiver = lab.pair("", f"inbox={disk.path}/inbox")
    disk.hang("fsync")
    interrupted = spawn_fsync(lab, sender.contact(receiver) / "interrupted")
    interrupted.send_signal(signal.SIGINT)
    assert result_of(interrupted) == ["-1", str(errno.EINTR)]
    patient = spawn_fsync(lab, sender.contact(receiver) / "f")
    receiver.kill()
    disk.go()
    receiver.start()
    assert result_of(patient) == ["0", "0"]
    left = disk.cut(0, lab.folder / "left")
    assert left.get("f", left.get("f.part")), left.keys()
    for process in (interrupted, patient):
        process.wait(60)  # its close waits for the disk as well
