# SPDX-License-Identifier: MIT
"""A disk that hangs, under the inbox or the spool, holds up only those who wait for it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon import MEBIBYTE, Mount, is_mounted, poll_until, processes_with_argument
from disks import Disk, running_disk
from lab import Lab, wait_blocked
from rawpeer import NS_PING, RawPeer, payload
from server import Account
from test_flood import is_sanitized, most_memory
from test_waiting import BLOCKED, PROMISED_SECONDS, seconds

# What waits for a disk that hangs waits for ever. The rest takes no time, but on a busy machine.
AT_ONCE = 30
END_SECONDS = 10


@pytest.fixture
def disk(lab: Lab) -> Iterator[Disk]:
    with running_disk(lab) as disk:
        yield disk


def crowd(lab: Lab, sender_options: str, receiver_options: str) -> tuple[Mount, Mount, RawPeer]:
    """Two mounts, and a third account, which all see each other."""
    first, second, third = lab.accounts("alice", "bob", "carol")
    sender, receiver = lab.mount(first, sender_options), lab.mount(second, receiver_options)
    peer = lab.raw(third)
    for mount, other in ((sender, receiver), (receiver, sender), (sender, peer), (receiver, peer)):
        mount.wait_online(other.jid)
    return sender, receiver, peer


def goes_on(lab: Lab, mount: Mount, peer: RawPeer) -> None:
    """Checks what needs no disk: names, status, pings, and a stream in each direction."""
    for what in (["ls", "-l", mount.path], ["ls", "-lR", mount.contact(peer)]):
        done = lab.run(*what, timeout=AT_ONCE)
        assert done.returncode == 0, done.stderr
    assert "\nconnection  online\n" in lab.run("cat", mount.path / "status", timeout=AT_ONCE).stdout
    assert peer.request(mount.jid, f"<ping xmlns='{NS_PING}'/>", type_="get").get("type") == "result"
    source = lab.random_file(100_000, "another")
    done = lab.run("cp", source, mount.contact(peer) / "another", timeout=AT_ONCE)
    assert done.returncode == 0, done.stderr
    sid = payload(peer.wait_open()).get("sid")
    assert sid and peer.received(sid) == source.read_bytes()


def ends_by(process: subprocess.Popen, number: signal.Signals) -> None:
    process.send_signal(number)
    assert process.wait(AT_ONCE) == -number


def test_inbox(lab: Lab, disk: Disk) -> None:
    spool = lab.folder / "spool"
    sender, receiver, peer = crowd(lab, f"spool={spool}", f"inbox={disk.path}/inbox")
    target, folder = sender.contact(receiver), receiver.incoming(sender, "known").parent
    known, late = lab.random_file(50_000, "known"), lab.random_file(700_000, "late")
    for name in ("known", "doomed"):
        assert lab.run("cp", known, target / name).returncode == 0
    with open(folder / "known", "rb", buffering=0) as reader:
        disk.hang()
        sending = lab.spawn("cp", late, target / "late")
        opening = [lab.spawn("cat", folder / "known") for _ in range(2)]
        reading = lab.spawn("cat", stdin=reader)
        wait_blocked(sending.pid)
        names = lab.run("ls", "-l", folder, timeout=AT_ONCE)
        assert names.returncode == 0 and " 50000 " in names.stdout, names
        goes_on(lab, receiver, peer)
        wait_blocked(*(process.pid for process in opening))
        assert reading.poll() is None
        ends_by(opening[0], signal.SIGINT)
        ends_by(reading, signal.SIGTERM)
        removed = lab.run("rm", "-f", folder / "doomed", timeout=AT_ONCE)
        assert removed.returncode == 1 and "timed out" in removed.stderr, removed
        assert sending.poll() is None and opening[1].poll() is None
        disk.go()
        assert sending.wait(60) == 0
        assert opening[1].communicate(timeout=60)[0] == known.read_bytes()
        assert os.pread(reader.fileno(), 100_000, 0) == known.read_bytes()
    poll_until((disk.path / "inbox" / sender.account.jid / "late").exists, what="it has its name")
    assert (folder / "late").read_bytes() == late.read_bytes()


@pytest.mark.parametrize("call", ["write", "fsync", "rename", "close"])
def test_inbox_that_hangs_in(lab: Lab, disk: Disk, call: str) -> None:
    sender, receiver = lab.pair("", f"inbox={disk.path}/inbox")
    source = lab.random_file(300_000)
    disk.hang(call)
    sending = [lab.spawn("cp", source, sender.contact(receiver) / f"f{n}") for n in range(6)]
    wait_blocked(*(process.pid for process in sending))
    assert lab.run("ls", receiver.incoming(sender).parent, timeout=AT_ONCE).returncode == 0
    disk.go()
    assert [process.wait(60) for process in sending] == [0] * 6
    for n in range(6):
        assert receiver.incoming(sender, f"f{n}").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("call", ["open", "write", "read"])
def test_spool(lab: Lab, disk: Disk, call: str) -> None:
    """With "read", the upload hangs, and the close waits for it."""
    sender, receiver, peer = crowd(
        lab, f"spool={disk.path}/spool", f"inbox={lab.folder}/inbox,spool={lab.folder}/spool"
    )
    os.setxattr(sender.contact(receiver), "user.ibb.format", b"jingle")
    os.setxattr(sender.contact(peer), "user.ibb.format", b"raw")
    target = sender.contact(receiver)
    sources = [lab.random_file(300_000, f"source{n}") for n in range(6)]
    disk.hang(call)
    sending = [
        lab.spawn("cp", source, target / f"f{n}") for n, source in enumerate(sources)
    ]
    wait_blocked(*(process.pid for process in sending))
    goes_on(lab, sender, peer)
    assert lab.run("ls", "-l", target, timeout=AT_ONCE).returncode == 0
    ends_by(sending[0], signal.SIGINT)
    ends_by(sending[5], signal.SIGTERM)
    disk.go()
    assert [process.wait(60) for process in sending[1:5]] == [0] * 4
    for n in range(1, 5):
        assert receiver.incoming(sender, f"f{n}").read_bytes() == sources[n].read_bytes()
    assert lab.run("cp", sources[0], target / "again").returncode == 0
    assert receiver.incoming(sender, "again").read_bytes() == sources[0].read_bytes()


def foreground(lab: Lab, mount: Mount) -> subprocess.Popen:
    """Starts the daemon again, in the foreground, so that its lines can be read."""
    mount.stop()
    process = lab.spawn(
        mount.command()[0], "-f", *mount.command()[1:], env=mount.environment(), text=True
    )
    poll_until(lambda: is_mounted(mount.path), what="the mount")
    return process


def not_started(lab: Lab, options: str, account: Account | None = None) -> Mount:
    path = lab.folder / "mnt"
    path.mkdir()
    account = account or lab.accounts("alice")[0]
    mount = Mount(lab.build, lab.server, account, "mount", path, options)
    lab.watch(mount)
    return mount


def test_start(lab: Lab, disk: Disk) -> None:
    """The command fails by itself, even if the kernel cannot end the call of the disk."""
    mount = not_started(lab, f"inbox={disk.path}/inbox")
    disk.freeze()
    started = time.monotonic()
    name, *arguments = mount.command()
    environment = mount.environment()
    foreground = lab.spawn(name, "-f", *arguments, env=environment, text=True)
    launcher = lab.spawn(name, *arguments, env=environment, stderr=subprocess.DEVNULL)
    assert foreground.stderr
    line = foreground.stderr.readline()
    assert line == f"ibbfs: {disk.path}/inbox: the disk does not answer\n"
    assert launcher.wait(AT_ONCE) == 1
    assert time.monotonic() - started < END_SECONDS + AT_ONCE / 2
    assert not is_mounted(mount.path)
    disk.go()
    assert foreground.wait(AT_ONCE) == 1
    poll_until(lambda: not processes_with_argument(str(mount.path)), what="the daemon ends")
    assert foreground.stderr.read() == "" and mount.reports() == ""


@pytest.mark.parametrize("call", ["stat", "open", "read"])
def test_start_is_interrupted(lab: Lab, disk: Disk, call: str) -> None:
    """The start ends wherever it hangs; "read" is the read of a journal."""
    (disk.path / "inbox" / ".ibbfs").mkdir(parents=True)
    (disk.path / "inbox" / ".ibbfs" / "0").write_bytes(b"journal")
    mount = not_started(lab, f"inbox={disk.path}/inbox")
    disk.hang(call)
    name, *arguments = mount.command()
    process = lab.spawn(name, "-f", *arguments, env=mount.environment(), text=True)
    disk.wait_held()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=AT_ONCE)
    assert process.returncode == 1 and err == "ibbfs: interrupted\n", err
    assert not is_mounted(mount.path) and mount.reports() == ""


def test_mounting_is_interrupted(lab: Lab, disk: Disk) -> None:
    """The file system of the mount point hangs when the login has begun."""
    account = lab.accounts("alice")[0]
    proxy = lab.proxy(account)
    mount = not_started(lab, "", account)
    mount.via, mount.path = proxy, disk.path / "mount"
    mount.path.mkdir()
    proxy.freeze()
    name, *arguments = mount.command()
    process = lab.spawn(name, "-f", *arguments, env=mount.environment(), text=True)
    poll_until(lambda: proxy.connections > 0, what="the login")
    disk.hang()
    proxy.thaw()
    disk.wait_held()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=AT_ONCE)
    assert process.returncode == 1 and err == "ibbfs: interrupted\n", err
    disk.go()
    assert not is_mounted(mount.path) and mount.reports() == ""


def test_start_with_a_slow_sync(lab: Lab, disk: Disk) -> None:
    """The name of a new inbox is durable before the first file is; the start does not wait for it."""
    first, second = lab.accounts("alice", "bob")
    sender = lab.mount(first)
    receiver = not_started(lab, f"inbox={disk.path}/inbox", second)
    disk.hang("fsync")
    started = lab.background(receiver.start)
    disk.wait_held()
    started.result(AT_ONCE)
    sender.wait_online(receiver.jid)
    copying = lab.spawn("cp", lab.random_file(1000), sender.contact(receiver) / "f")
    wait_blocked(copying.pid)
    disk.go()
    assert copying.wait(AT_ONCE) == 0


def test_start_of_a_spool(lab: Lab, disk: Disk) -> None:
    """The disk of a spool is first needed for the first file, so the start does not hang."""
    disk.hang()
    mount = lab.mount(lab.accounts("alice")[0], f"spool={disk.path}/spool")
    assert lab.run("ls", mount.path, timeout=AT_ONCE).returncode == 0
    mount.stop()


def write_some(path: Path) -> int:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"x" * 100_000)
    return fd


def open_stream(lab: Lab, mount: Mount, other: Mount) -> subprocess.Popen:
    """A process with an open stream, to which it writes when it is told a line."""
    other.wait_online(mount.jid)
    script = 'exec 3> "$0"; echo ready; read -r line; echo "$line" >&3; read -r line'
    path = mount.contact(other) / "stream"
    writing = lab.spawn("sh", "-c", script, path, stdin=subprocess.PIPE)
    there = other.incoming(mount, "stream")
    poll_until(there.exists, what="the stream")
    lab.spawn("cat", there)
    assert writing.stdout and writing.stdout.readline() == b"ready\n"
    return writing


@pytest.mark.parametrize("place", ["inbox", "spool"])
@pytest.mark.parametrize("how", ["signal", "unmount", "signal, and a silent server"])
def test_end(lab: Lab, disk: Disk, place: str, how: str) -> None:
    """The daemon ends within ten seconds, with a line about what is left. A server that is silent
    as well takes the most time."""
    sender, receiver = lab.pair_via_proxies(
        f"spool={disk.path}/spool", f"inbox={disk.path if place == 'inbox' else lab.folder}/inbox"
    )
    which, other = (receiver, sender) if place == "inbox" else (sender, receiver)
    if place == "spool":
        os.setxattr(sender.contact(receiver), "user.ibb.format", b"jingle")
    process = foreground(lab, which)
    sender.wait_online(receiver.jid)
    writing = open_stream(lab, which, other) if "silent" in how else None
    if place == "spool":
        os.setxattr(sender.contact(receiver), "user.ibb.format", b"jingle")
    disk.hang()
    sending = lab.spawn("cp", lab.random_file(300_000), sender.contact(receiver) / "f")
    wait_blocked(sending.pid)
    if how == "unmount":
        # What is detached ends with the last process that uses it.
        subprocess.run(["fusermount3", "-u", "-z", which.path], check=True, timeout=AT_ONCE)
        if place == "spool":
            sending.kill()
        started = time.monotonic()
    else:
        if writing and writing.stdin:
            which.via.freeze()
            writing.stdin.write(b"\n")  # these bytes are never acknowledged
            writing.stdin.flush()
        started = time.monotonic()
        process.terminate()
    out, err = process.communicate(timeout=60)
    took = time.monotonic() - started
    assert took < END_SECONDS, f"{took:.1f} s"
    which.via.thaw()
    assert process.returncode == 1, err
    assert f"{disk.path}/{place}: the disk does not answer: " in err, err
    assert not is_mounted(which.path)
    assert sending.wait(60) != 0
    assert which.reports() == ""
    assert other.reports() == ""


@pytest.mark.parametrize("call", ["stat", "open", "unlink"])
def test_end_while_nobody_waits(lab: Lab, disk: Disk, call: str) -> None:
    """What is tidied up at the end hangs, too; the files are all stored."""
    sender, receiver = lab.pair("", f"inbox={disk.path}/inbox")
    process = foreground(lab, receiver)
    sender.wait_online(receiver.jid)
    done = lab.run("cp", lab.random_file(1000), sender.contact(receiver) / "f")
    assert done.returncode == 0, done.stderr
    disk.hang(call)
    started = time.monotonic()
    process.terminate()
    out, err = process.communicate(timeout=60)
    took = time.monotonic() - started
    assert took < END_SECONDS, f"{took:.1f} s"
    assert process.returncode == 1, err
    assert f"{disk.path}/inbox: the disk does not answer: " in err, err
    assert not is_mounted(receiver.path)
    assert receiver.reports() == "" and sender.reports() == ""


def test_end_below_a_disk_that_hangs(lab: Lab, disk: Disk) -> None:
    """The path of the mount point leads through that disk."""
    mount = not_started(lab, "")
    mount.path = disk.path / "home" / "mount"
    mount.path.mkdir(parents=True)
    name, *arguments = mount.command()
    process = lab.spawn(name, "-f", *arguments, env=mount.environment(), text=True)
    poll_until(lambda: is_mounted(mount.path), what="the mount")
    disk.hang()
    started = time.monotonic()
    process.terminate()
    _, err = process.communicate(timeout=60)
    took = time.monotonic() - started
    disk.go()
    subprocess.run(["fusermount3", "-u", "-z", mount.path], check=True, timeout=AT_ONCE)
    assert took < END_SECONDS, f"{took:.1f} s"
    assert process.returncode == 1, err
    assert err == f"ibbfs: {mount.path}: the disk does not answer: it stays mounted\n"


# A busy machine delays some of the tries, and what hangs delays all of them. No more than the spool
# has threads: the last of them would wait to write its file when the uploads of the others hang.
TRIES = 4


def blocked_callers(lab: Lab, call: str, *paths: Path) -> list[subprocess.Popen]:
    command = [sys.executable, "-IS", BLOCKED, call]
    callers = [lab.spawn(*command, path, text=True) for path in paths]
    for caller in callers:
        assert caller.stdout and caller.stdout.readline() == "ready\n", caller.communicate()
    wait_blocked(*(caller.pid for caller in callers))
    return callers


def seconds_to_end(caller: subprocess.Popen) -> float:
    """From SIGINT to the return of the call."""
    sent = time.monotonic()
    caller.send_signal(signal.SIGINT)
    assert caller.stdout
    result, code, returned = caller.stdout.readline().split()
    assert (int(result), int(code)) == (-1, errno.EINTR)
    return float(returned) - sent


def stat_each(folder: Path) -> None:
    for name in os.listdir(folder):
        os.stat(folder / name)


def test_signals_end_calls_at_once(lab: Lab, disk: Disk) -> None:
    """Names and status are as fast as ever meanwhile."""
    sender, receiver = lab.pair(f"spool={disk.path}/spool", f"inbox={disk.path}/inbox")
    target, folder = sender.contact(receiver), receiver.incoming(sender, "known").parent
    known = lab.random_file(50_000, "known")
    assert lab.run("cp", known, target).returncode == 0
    os.setxattr(target, "user.ibb.format", b"jingle")
    closed, written = ([target / f"{what}{n}" for n in range(TRIES)] for what in ("c", "w"))
    disk.hang("read")  # of the upload
    waiting = {"close": blocked_callers(lab, "close", *closed)}
    disk.hang()
    waiting["write"] = blocked_callers(lab, "write", *written)
    waiting["open"] = blocked_callers(lab, "open_to_read", *[folder / "known"] * TRIES)
    for quick in (lambda: stat_each(folder), receiver.status, sender.status):
        poll_until(lambda: seconds(quick) < PROMISED_SECONDS, what="an answer at once")
    took = {call: min(map(seconds_to_end, callers)) for call, callers in waiting.items()}
    disk.go()
    assert max(took.values()) < PROMISED_SECONDS, took


WRITERS = 4


def test_memory_of_an_inbox(lab: Lab, disk: Disk) -> None:
    """The bytes that wait for the disk take no more memory than the windows and the buffers."""
    window = 256 * 1024
    sender, receiver = lab.pair(f"window={window}", f"inbox={disk.path}/inbox,buffer={window}")
    target, large = sender.contact(receiver), lab.random_file(MEBIBYTE, "large")
    assert lab.run("cp", lab.random_file(10_000), target / "first").returncode == 0
    disk.hang()
    before = [most_memory(mount) for mount in (sender, receiver)]
    copies = [lab.spawn("cp", large, target / f"f{n}") for n in range(WRITERS)]
    wait_blocked(*[copy.pid for copy in copies])
    more = [most_memory(mount) - b for mount, b in zip((sender, receiver), before)]
    if not is_sanitized(sender):
        assert more[0] < WRITERS * window * 1.25 + MEBIBYTE
        assert more[1] < WRITERS * window * 2 + MEBIBYTE  # unread, and in flight meanwhile
    disk.go()
    for number, copy in enumerate(copies):
        assert copy.wait(AT_ONCE) == 0
        kept = disk.path / "inbox" / sender.account.jid / f"f{number}"
        assert kept.read_bytes() == large.read_bytes()


def test_memory_of_a_spool(lab: Lab, disk: Disk) -> None:
    """A writer waits with one call, of a MiB at most."""
    sender, receiver = lab.pair(f"spool={disk.path}/spool", "")
    target, large = sender.contact(receiver), lab.random_file(16 * MEBIBYTE, "large")
    os.setxattr(target, "user.ibb.format", b"jingle")
    disk.hang()
    before = most_memory(sender)
    writers = [
        lab.spawn("dd", f"if={large}", f"of={target}/f{n}", "bs=8M", "status=none")
        for n in range(WRITERS)
    ]
    wait_blocked(*[writer.pid for writer in writers])
    if not is_sanitized(sender):
        assert most_memory(sender) - before < 2 * WRITERS * MEBIBYTE
    for writer in writers:
        ends_by(writer, signal.SIGTERM)
    disk.go()
