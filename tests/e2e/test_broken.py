# SPDX-License-Identifier: MIT
"""Streams that break: ECONNRESET for their users, never a clean end of file."""

import contextlib
import errno
import os
import signal
import subprocess

import pytest

from daemon import MEBIBYTE, Mount, poll_until
from lab import Lab, wait_blocked
from rawpeer import is_kind, payload, refuse

pytestmark = pytest.mark.federated

WRITE = os.O_WRONLY | os.O_CREAT
SOON = "reconnect=1"  # between two ibbfs, neither side waits long for the other
RESET = f": {os.strerror(errno.ECONNRESET)}\n"


def started(lab: Lab, options: str = "") -> tuple[Mount, Mount, int, int]:
    """alice, bob, and a stream from her to him: a descriptor of the writer, one of the reader."""
    alice, bob = lab.pair(options, options)
    writer = os.open(alice.contact(bob) / "file", WRITE)
    os.write(writer, b"begin")
    os.fsync(writer)
    reader = os.open(bob.incoming(alice, "file"), os.O_RDONLY)
    assert os.read(reader, 100) == b"begin"
    return alice, bob, writer, reader


def expect_reset_read(reader: int) -> None:
    with pytest.raises(OSError) as failure:
        assert os.read(reader, 100), "a broken stream ended cleanly"
    assert errno.errorcode[failure.value.errno] == "ECONNRESET"
    os.close(reader)


def expect_reset_write(writer: int) -> None:
    """The write fails at once, or a later one does: a write that was accepted is not delivered."""
    with pytest.raises(OSError) as failure:
        os.write(writer, b"more")
        os.fsync(writer)
    assert errno.errorcode[failure.value.errno] == "ECONNRESET"
    with contextlib.suppress(OSError):
        os.close(writer)


def blocked_copy(lab: Lab, alice: Mount, bob: Mount) -> subprocess.Popen:
    """A cp of more bytes than bob accepts without a reader."""
    copy = lab.spawn("cp", lab.random_file(8 * MEBIBYTE, "big"), alice.contact(bob), text=True)
    wait_blocked(copy.pid)
    return copy


def test_reader_when_the_senders_daemon_is_killed(lab: Lab) -> None:
    alice, _, writer, reader = started(lab, SOON)
    waiting = lab.background(expect_reset_read, reader)
    alice.kill()
    waiting.result(20)
    with pytest.raises(OSError):
        os.close(writer)


def test_writer_when_the_receivers_daemon_is_killed(lab: Lab) -> None:
    _, bob, writer, reader = started(lab, SOON)
    bob.kill()
    with pytest.raises(OSError):
        os.read(reader, 100)
    expect_reset_write(writer)


def test_cp_when_the_receivers_daemon_is_killed(lab: Lab) -> None:
    alice, bob = lab.pair(SOON, SOON)
    copy = blocked_copy(lab, alice, bob)
    bob.kill()
    _, message = copy.communicate(timeout=20)
    assert copy.returncode == 1 and message.endswith(RESET)


def test_cp_when_the_receiver_unmounts(lab: Lab) -> None:
    alice, bob = lab.pair()
    copy = blocked_copy(lab, alice, bob)
    bob.unmount()
    _, message = copy.communicate(timeout=20)
    assert copy.returncode == 1 and message.endswith(RESET)


@pytest.mark.parametrize("how", ["stop", "unmount"])
def test_cat_when_the_senders_daemon_ends(lab: Lab, how: str) -> None:
    """Bytes that cp could not write are missing, and the reader must get an error."""
    alice, bob = lab.pair()
    copy = lab.spawn("cp", lab.random_file(64 * MEBIBYTE, "big"), alice.contact(bob), text=True)
    incoming = bob.incoming(alice, "big")
    poll_until(incoming.exists, what="the stream")
    got = bob.beside(".got")
    with open(got, "wb") as out:
        reader = lab.spawn("cat", incoming, stdout=out, text=True)
    poll_until(lambda: got.stat().st_size > MEBIBYTE, what="the first bytes")
    if how == "unmount":
        copy.kill()
        copy.wait(20)
        alice.unmount()
    else:
        alice.stop()
        assert copy.wait(20) == 1
    assert reader.wait(20) == 1, f"a clean end after {got.stat().st_size} bytes"
    assert reader.stderr.read().endswith(RESET)


def test_the_senders_daemon_ends_while_the_reader_pauses(lab: Lab) -> None:
    """The peer cannot come back: the reader gets the error before reconnect= has passed."""
    alice, bob = lab.pair()
    blocked_copy(lab, alice, bob)
    incoming = bob.incoming(alice, "big")
    alice.stop()
    poll_until(
        lambda: os.getxattr(incoming, "user.ibb.state") == b"broken", timeout=10, what="the news"
    )


def test_peer_goes_offline_in_order(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    writer = os.open(mount.contact(peer) / "file", WRITE)
    peer.open(mount.jid, "s1")
    reader = os.open(mount.incoming(peer, "s1"), os.O_RDONLY)
    waiting = lab.background(expect_reset_read, reader)
    peer.stop()
    waiting.result(20)
    mount.wait_offline(peer.jid)
    expect_reset_write(writer)


def test_other_streams_go_on(lab: Lab) -> None:
    alice, bob, carol = lab.accounts("alice", "bob", "carol")
    mount = lab.mount(alice)
    leaver, stayer = lab.raw(bob), lab.raw(carol)
    for peer in (leaver, stayer):
        mount.wait_online(peer.jid)
        peer.open(mount.jid, "s1")
    reader = os.open(mount.incoming(leaver, "s1"), os.O_RDONLY)
    leaver.drop()
    expect_reset_read(reader)
    stayer.data(mount.jid, "s1", 0, b"content")
    stayer.close(mount.jid, "s1")
    assert mount.incoming(stayer, "s1").read_bytes() == b"content"


def test_session_unknown_to_the_peer(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    writer = os.open(mount.contact(peer) / "file", WRITE)
    peer.rules["data"] = refuse("item-not-found")
    expect_reset_write(writer)


# ---- the server ----


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_the_server_stops_and_returns(own_lab: Lab, how: signal.Signals) -> None:
    alice, bob, writer, reader = started(own_lab, "reconnect=0")
    waiting = own_lab.background(expect_reset_read, reader)
    own_lab.stop_servers(how)
    waiting.result(20)
    expect_reset_write(writer)

    def open_error() -> int:
        try:
            os.close(os.open(alice.contact(bob) / "new", WRITE))
        except OSError as error:
            return error.errno
        return 0

    assert errno.errorcode[open_error()] == "ENETDOWN"
    assert own_lab.run("ls", "-la", alice.path, alice.contact(bob)).returncode == 0
    copy = own_lab.run("cp", own_lab.random_file(10), alice.contact(bob))
    assert copy.stderr.endswith(f": {os.strerror(errno.ENETDOWN)}\n")

    own_lab.start_servers()
    for mount, other in ((alice, bob), (bob, alice)):
        poll_until((mount.path / other.jid).is_dir, timeout=60, what=f"{mount.jid} is back")
    path = own_lab.random_file(10000, "after")
    assert own_lab.run("cp", path, alice.contact(bob)).returncode == 0
    assert bob.incoming(alice, "after").read_bytes() == path.read_bytes()


def test_what_had_arrived_can_still_be_read(own_lab: Lab) -> None:
    alice, bob = own_lab.pair()
    path = own_lab.random_file(10000)
    assert own_lab.run("cp", path, alice.contact(bob)).returncode == 0
    poll_until(
        lambda: os.getxattr(bob.incoming(alice, path.name), "user.ibb.state") == b"finished",
        what="the end of the stream",
    )
    own_lab.stop_servers()
    assert bob.incoming(alice, path.name).read_bytes() == path.read_bytes()


def test_ending_while_the_server_is_away(own_lab: Lab) -> None:
    alice, bob = own_lab.pair()
    own_lab.stop_servers()
    alice.stop()
    bob.unmount()


# ---- the users ----


def test_rm_of_a_waiting_stream(lab: Lab) -> None:
    alice, bob = lab.pair()
    writer = os.open(alice.contact(bob) / "file", WRITE)
    path = bob.incoming(alice, "file")
    poll_until(path.exists, what="the stream")
    os.unlink(path)
    assert "file" not in os.listdir(path.parent)
    expect_reset_write(writer)


def test_rm_of_a_stream_that_is_read(lab: Lab) -> None:
    alice, bob, writer, reader = started(lab)
    os.unlink(bob.incoming(alice, "file"))
    expect_reset_read(reader)
    expect_reset_write(writer)


def test_rm_of_a_stream_that_is_written(lab: Lab) -> None:
    alice, bob, writer, reader = started(lab)
    os.unlink(alice.contact(bob) / "file")
    expect_reset_read(reader)
    expect_reset_write(writer)


def test_rm_of_a_finished_file(lab: Lab) -> None:
    alice, bob = lab.pair()
    path = lab.random_file(100)
    lab.run("cp", path, alice.contact(bob))
    (alice.contact(bob) / path.name).unlink()
    assert path.name not in os.listdir(alice.contact(bob))
    assert bob.incoming(alice, path.name).read_bytes() == path.read_bytes()


def test_the_reader_closes_early(lab: Lab) -> None:
    alice, bob = lab.pair()
    copy = blocked_copy(lab, alice, bob)
    with open(lab.folder / "big", "rb") as source:
        begin = source.read(100)
    head = lab.spawn("head", "-c", "100", bob.incoming(alice, "big"))
    assert head.communicate(timeout=20)[0] == begin
    _, message = copy.communicate(timeout=20)
    assert copy.returncode == 1 and message.endswith(RESET)


def test_the_reader_closes_early_with_a_strange_peer(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    peer.open(mount.jid, "s1")
    peer.data(mount.jid, "s1", 0, b"content")
    reader = os.open(mount.incoming(peer, "s1"), os.O_RDONLY)
    os.read(reader, 1)
    os.close(reader)
    close = peer.wait_for(is_kind("close", sid="s1"))
    assert len(payload(close)) == 0  # <reset/> only for peers that know it


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_the_writer_is_killed(lab: Lab, how: signal.Signals) -> None:
    """A truncated file must not look complete."""
    alice, bob = lab.pair()
    copy = blocked_copy(lab, alice, bob)
    copy.send_signal(how)
    assert copy.wait(20) == -how
    fd = os.open(bob.incoming(alice, "big"), os.O_RDONLY)
    got = 0
    with pytest.raises(ConnectionResetError):
        while got < 8 * MEBIBYTE:
            part = os.read(fd, MEBIBYTE)
            assert part, f"a clean end after {got} bytes"
            got += len(part)
    os.close(fd)


def test_the_writer_is_killed_while_it_does_not_write(lab: Lab) -> None:
    alice, bob = lab.pair()
    script = 'exec 3> "$TO"; printf begin >&3; exec sleep 1000'
    environment = os.environ | {"TO": str(alice.contact(bob) / "file")}
    writer = lab.spawn("bash", "-c", script, env=environment)
    path = bob.incoming(alice, "file")
    poll_until(path.exists, what="the stream")
    reader = os.open(path, os.O_RDONLY)
    assert os.read(reader, 100) == b"begin"
    writer.kill()
    expect_reset_read(reader)
