# SPDX-License-Identifier: MIT
"""Files that are offered, by SI and by Jingle, between two mounts."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daemon import Mount, poll_until
from disks import running_disk, small_disk
from lab import Lab, wait_blocked
from test_attributes import attribute

pytestmark = pytest.mark.parametrize("form", ["si", "jingle"])

SIZES = [0, 1, 4096, 4097, 1_000_000]


def offering(lab: Lab, form: str, alice: str = "", bob: str = "") -> tuple[Mount, Mount]:
    """Two mounts of which the first offers its files."""
    sender, receiver = lab.pair(f"spool={lab.folder}/spool" + alice, bob)
    os.setxattr(sender.contact(receiver), "user.ibb.format", form.encode())
    return sender, receiver


def wait_offered(receiver: Mount, sender: Mount, name: str) -> Path:
    path = receiver.incoming(sender, name)
    poll_until(path.exists, what=f"{name} offered")
    return path


def spawn_cp(lab: Lab, source: Path, target: Path) -> subprocess.Popen:
    return lab.spawn("cp", source, target, text=True, env=os.environ | {"LC_ALL": "C.UTF-8"})


@pytest.mark.parametrize("size", SIZES)
def test_content(lab: Lab, form: str, size: int) -> None:
    sender, receiver = offering(lab, form)
    source = lab.random_file(size)
    cp = spawn_cp(lab, source, sender.contact(receiver) / "file.bin")
    path = wait_offered(receiver, sender, "file.bin")
    assert path.stat().st_size == size
    assert path.read_bytes() == source.read_bytes()
    assert cp.wait(30) == 0, cp.communicate()
    expected = "unconfirmed" if form == "si" else "finished"
    assert attribute(sender.contact(receiver) / "file.bin", "state") == expected
    assert attribute(sender.contact(receiver) / "file.bin", "format") == form


def test_offer_is_seen_before_it_is_accepted(lab: Lab, form: str) -> None:
    sender, receiver = offering(lab, form)
    source = lab.random_file(12345)
    os.utime(source, (1_000_000_000, 1_000_000_000))
    cp = lab.spawn("cp", "-p", source, sender.contact(receiver) / "näme ☃.txt")
    path = wait_offered(receiver, sender, "näme ☃.txt")
    status = path.stat()
    assert (status.st_size, int(status.st_mtime)) == (12345, 1_000_000_000)
    assert attribute(path, "state") == "offered"
    assert attribute(path, "peer") == sender.jid
    assert "offered" in receiver.status()
    with open(receiver.path / "incoming") as incoming:
        assert incoming.readline() == f"{path.relative_to(receiver.path)}\n"
    wait_blocked(cp.pid)
    assert receiver.incoming(sender).read_bytes() == source.read_bytes()
    assert cp.wait(20) == 0


def test_declined(lab: Lab, form: str) -> None:
    sender, receiver = offering(lab, form)
    cp = spawn_cp(lab, lab.random_file(5000), sender.contact(receiver) / "f")
    wait_offered(receiver, sender, "f").unlink()
    _, err = cp.communicate(timeout=20)
    assert cp.returncode == 1
    assert "Connection refused" in err
    assert attribute(sender.contact(receiver) / "f", "state") == "broken"


def test_nobody_answers(lab: Lab, form: str) -> None:
    sender, receiver = offering(lab, form, alice=",answer_timeout=1")
    done = lab.run("cp", lab.random_file(5000), sender.contact(receiver) / "f")
    assert done.returncode == 1
    assert "Connection timed out" in done.stderr
    if form == "jingle":  # SI has no word for it
        poll_until(
            lambda: not receiver.incoming(sender, "f").exists(), what="the offer withdrawn"
        )


def test_interrupted(lab: Lab, form: str) -> None:
    sender, receiver = offering(lab, form)
    cp = spawn_cp(lab, lab.random_file(5000), sender.contact(receiver) / "f")
    path = wait_offered(receiver, sender, "f")
    wait_blocked(cp.pid)
    cp.send_signal(signal.SIGINT)
    assert cp.wait(20) == -signal.SIGINT
    if form == "jingle":
        poll_until(lambda: not path.exists(), what="the offer withdrawn")
    else:
        with pytest.raises(OSError):
            path.read_bytes()


def test_reader_leaves(lab: Lab, form: str) -> None:
    """A file that was not read to its end counts as not delivered."""
    sender, receiver = offering(lab, form, bob="buffer=4096")
    cp = spawn_cp(lab, lab.random_file(8_000_000), sender.contact(receiver) / "f")
    with open(wait_offered(receiver, sender, "f"), "rb", buffering=0) as file:
        file.read(10)
    _, err = cp.communicate(timeout=20)
    assert cp.returncode == 1
    assert "Operation canceled" in err


def test_sender_leaves(lab: Lab, form: str) -> None:
    sender, receiver = offering(lab, form, bob="buffer=4096")
    cp = spawn_cp(lab, lab.random_file(8_000_000), sender.contact(receiver) / "f")
    with open(wait_offered(receiver, sender, "f"), "rb", buffering=0) as file:
        file.read(10)
        cp.kill()
        cp.wait()
        with pytest.raises(OSError):
            while file.read(100_000):
                pass


def test_daemon_of_the_sender_is_killed(lab: Lab, form: str) -> None:
    sender, receiver = offering(lab, form)
    spawn_cp(lab, lab.random_file(5000), sender.contact(receiver) / "f")
    path = wait_offered(receiver, sender, "f")
    sender.kill()
    poll_until(lambda: not path.exists(), what="the offer gone with its sender")


def test_shell_with_many_commands(lab: Lab, form: str) -> None:
    """Each process closes the file; the last close offers it."""
    sender, receiver = offering(lab, form)
    target = sender.contact(receiver) / "f"
    script = f"{{ echo one; cat /dev/null; printf two; env printf three; }} > '{target}'"
    shell = lab.spawn("sh", "-c", script)
    path = wait_offered(receiver, sender, "f")
    assert path.read_bytes() == b"one\ntwothree"
    assert shell.wait(20) == 0


def test_shell_under_another_path(lab: Lab, form: str) -> None:
    """A bind mount: the shell's file has another name than in the mount."""
    sender, receiver = offering(lab, form)
    other = lab.folder / "other"
    other.mkdir()
    subprocess.run(["mount", "--bind", sender.path, other], check=True)
    try:
        target = other / receiver.account.jid / "f"
        shell = lab.spawn("sh", "-c", f"echo text > '{target}'", text=True)
        assert wait_offered(receiver, sender, "f").read_text() == "text\n"
        assert shell.wait(20) == 0
    finally:
        subprocess.run(["umount", "-l", other], check=True)


def test_not_written_in_order(lab: Lab, form: str) -> None:
    """A spooled file is on disk, so it can be rewritten."""
    sender, receiver = offering(lab, form)
    target = sender.contact(receiver) / "f"

    def write() -> None:
        with open(target, "wb", buffering=0) as file:
            file.write(b"....world")
            os.pwrite(file.fileno(), b"Hell", 0)
            os.ftruncate(file.fileno(), 6)
            file.seek(6)
            file.write(b"!")

    written = lab.background(write)
    assert wait_offered(receiver, sender, "f").read_bytes() == b"Hellwo!"
    written.result(20)


def test_appended(lab: Lab, form: str) -> None:
    sender, receiver = offering(lab, form)
    shell = lab.spawn("sh", "-c", "printf a >> \"$0\"", sender.contact(receiver) / "f")
    assert wait_offered(receiver, sender, "f").read_bytes() == b"a"
    assert shell.wait(20) == 0


def test_two_in_a_row_and_at_once(lab: Lab, form: str) -> None:
    sender, receiver = offering(lab, form)
    sources = [lab.random_file(200_000, f"f{n}") for n in range(4)]
    both = [spawn_cp(lab, s, sender.contact(receiver)) for s in sources[:2]]
    for source in sources[:2]:
        assert wait_offered(receiver, sender, source.name).read_bytes() == source.read_bytes()
    assert [cp.wait(20) for cp in both] == [0, 0]
    one = lab.spawn("cp", *sources[2:], sender.contact(receiver))
    for source in sources[2:]:
        assert wait_offered(receiver, sender, source.name).read_bytes() == source.read_bytes()
    assert one.wait(20) == 0


def test_disk_full(lab: Lab, form: str) -> None:
    with small_disk(lab, "small", "size=1m") as small:
        sender, receiver = lab.pair(f"spool={small}")
        os.setxattr(sender.contact(receiver), "user.ibb.format", form.encode())
        done = lab.run("cp", lab.random_file(3_000_000), sender.contact(receiver) / "f")
        assert done.returncode == 1
        assert "No space left on device" in done.stderr
        assert not receiver.incoming(sender, "f").exists()


def fails(call: Callable[..., Any], *arguments: Any) -> int:
    with pytest.raises(OSError) as caught:
        call(*arguments)
    return caught.value.errno


def fill(fd: int) -> None:
    while True:
        os.write(fd, bytes(100_000))


def test_a_write_that_failed_fails_each_close(lab: Lab, form: str) -> None:
    """Also one that is not the last, as of the first program in `( a; b ) > file`."""
    with small_disk(lab, "small", "size=1m") as small:
        sender, receiver = lab.pair(f"spool={small}")
        folder = sender.contact(receiver)
        os.setxattr(folder, "user.ibb.format", form.encode())
        for name, write, error in (
            ("sync", lambda fd: os.pwritev(fd, [b"text"], 0, os.RWF_DSYNC), errno.EINVAL),
            ("full", fill, errno.ENOSPC),
        ):
            fd = os.open(folder / name, os.O_WRONLY | os.O_CREAT)
            other = os.dup(fd)
            os.close(os.dup(fd))
            assert fails(write, fd) == error
            assert [fails(os.close, other), fails(os.close, fd)] == [error, error]
            assert not receiver.incoming(sender, name).exists()


def test_disk_that_loses_what_it_took(lab: Lab, form: str) -> None:
    """It says so when it is asked; what can be read by then may be anything."""
    with running_disk(lab) as disk:
        sender, receiver = lab.pair(f"spool={disk.path}")
        os.setxattr(sender.contact(receiver), "user.ibb.format", form.encode())
        cp = spawn_cp(lab, lab.random_file(300_000), sender.contact(receiver) / "f")
        path = wait_offered(receiver, sender, "f")
        disk.fail("fsync", errno.EIO, 1)
        with pytest.raises(OSError):
            path.read_bytes()
        assert cp.wait(20) == 1
        assert cp.communicate()[1].endswith(": Input/output error\n")


def test_spool_is_ours_alone(lab: Lab, form: str) -> None:
    sender, receiver = offering(lab, form)
    path = sender.contact(receiver) / "f"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"secret")
    spool = lab.folder / "spool"
    assert stat.S_IMODE(spool.stat().st_mode) == 0o700
    assert list(spool.iterdir()) == []
    path.unlink()
    with pytest.raises(OSError) as caught:
        os.close(fd)
    assert caught.value.errno == errno.ECONNRESET


def test_peer_is_gone_when_it_is_closed(lab: Lab, form: str) -> None:
    sender, receiver = offering(lab, form)
    fd = os.open(sender.contact(receiver) / "f", os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"content")
    receiver.stop()
    sender.wait_offline(receiver.jid)
    with pytest.raises(OSError) as caught:
        os.close(fd)
    assert caught.value.errno == errno.EHOSTDOWN


def test_mv_keeps_what_was_refused(lab: Lab, form: str) -> None:
    sender, receiver = offering(lab, form)
    source = lab.random_file(5000)
    mv = lab.spawn("mv", source, sender.contact(receiver) / "f")
    wait_offered(receiver, sender, "f").unlink()
    assert mv.wait(20) == 1
    assert source.exists()


def test_daemon_ends_while_nobody_has_answered(lab: Lab, form: str) -> None:
    sender, receiver = offering(lab, form)
    cp = spawn_cp(lab, lab.random_file(5000), sender.contact(receiver) / "f")
    path = wait_offered(receiver, sender, "f")
    wait_blocked(cp.pid)
    began = time.monotonic()
    sender.stop()
    assert time.monotonic() - began < 10
    assert cp.wait(20) == 1
    poll_until(lambda: not path.exists(), what="the offer gone with its sender")


def test_digest(lab: Lab, form: str) -> None:
    """With offers, the peer reads what was written, with every tool."""
    sender, receiver = offering(lab, form)
    source = lab.random_file(300_000)
    dd = lab.spawn("dd", f"if={source}", f"of={sender.contact(receiver)}/f", "bs=999")
    path = wait_offered(receiver, sender, "f")
    done = lab.run("sha256sum", path)
    assert done.stdout.split()[0] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert dd.wait(20) == 0


def test_fsync_is_none_without_a_delivery(lab: Lab, form: str) -> None:
    """The file is sent after its close, which alone says what has become of it."""
    sender, receiver = offering(lab, form)
    path = sender.contact(receiver) / "f"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"content")
    for sync in (os.fsync, os.fdatasync):
        with pytest.raises(OSError) as caught:
            sync(fd)
        assert caught.value.errno == errno.EINVAL
    done = lab.run("sync", path)
    assert (done.returncode, done.stderr.split(": ")[-1]) == (1, "Invalid argument\n")
    closing = lab.background(os.close, fd)
    assert wait_offered(receiver, sender, "f").read_bytes() == b"content"
    closing.result(20)
    assert lab.run("sync", path).returncode == 0

    source = lab.random_file(3000)
    for name in ("fsync", "fdatasync"):
        path = sender.contact(receiver) / name
        dd = lab.spawn("dd", f"if={source}", f"of={path}", f"conv={name}", "status=none", text=True)
        assert wait_offered(receiver, sender, name).read_bytes() == source.read_bytes()
        _, message = dd.communicate(timeout=20)
        assert (dd.returncode, message.split(":")[-1].strip()) == (1, "Invalid argument")


@pytest.mark.parametrize("flag", ["sync", "dsync"])
def test_synchronous_writes_are_none_either(lab: Lab, form: str, flag: str) -> None:
    sender, receiver = offering(lab, form)
    path = sender.contact(receiver) / "f"
    done = lab.run("dd", f"if={lab.random_file(3000)}", f"of={path}", f"oflag={flag}")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].endswith(f"'{path}': Invalid argument")
    assert not receiver.incoming(sender, "f").exists()
    assert attribute(path, "state") == "broken"
