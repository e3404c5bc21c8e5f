# SPDX-License-Identifier: MIT
"""Each line of the table of errors, from a real cause, as errno and as a tool reports it."""

import errno
import os
from pathlib import Path

import pytest

from daemon import Mount
from lab import Lab
from rawpeer import (
    NS_IBB,
    NS_IBBFS,
    NS_INFO,
    NS_PING,
    RawPeer,
    Stanza,
    accept,
    error,
    is_kind,
    nth,
    payload,
    refuse,
    silence,
)

WRITE = os.O_WRONLY | os.O_CREAT


def expect_open(lab: Lab, path: Path, wanted: int, flags: int = WRITE) -> None:
    """open(2) fails with `wanted`; cp says so and exits 1."""
    with pytest.raises(OSError) as failure:
        os.open(path, flags)
    assert errno.errorcode[failure.value.errno] == errno.errorcode[wanted]
    source = lab.random_file(100, "source")
    copy = lab.run("cp", source, path)
    assert copy.returncode == 1
    assert copy.stderr.endswith(f": {os.strerror(wanted)}\n")
    assert path.name not in os.listdir(path.parent), "a name that could not be opened stays"
    assert not path.exists()


def expect_delivery(lab: Lab, path: Path, wanted: int) -> None:
    """Written bytes cannot be delivered: fsync, close and cp report it."""
    fd = os.open(path, WRITE)
    os.write(fd, b"x" * 100)
    for call in (os.fsync, os.close):
        with pytest.raises(OSError) as failure:
            call(fd)
        assert errno.errorcode[failure.value.errno] == errno.errorcode[wanted]
    source = lab.random_file(100, "source")
    copy = lab.run("cp", source, path.with_name("copy"))
    assert copy.returncode == 1
    assert copy.stderr.endswith(f": {os.strerror(wanted)}\n")
    move = lab.run("mv", source, path.with_name("moved"))
    assert move.returncode == 1
    assert source.exists(), "mv removed what was not delivered"


def expect_read(path: Path, content: bytes, wanted: int) -> None:
    """A reader gets `content`, then `wanted`, and never an end of file."""
    fd = os.open(path, os.O_RDONLY)
    got = b""
    with pytest.raises(OSError) as failure:
        while len(got) <= len(content):
            part = os.read(fd, 65536)
            assert part, "a broken stream ended cleanly"
            got += part
    os.close(fd)
    assert got == content
    assert errno.errorcode[failure.value.errno] == errno.errorcode[wanted]


def test_contact_offline(lab: Lab) -> None:
    alice, bob = lab.accounts("alice", "bob")
    mount = lab.mount(alice)
    expect_open(lab, mount.contact(bob) / "file", errno.EHOSTDOWN)


def test_resource_that_is_not_there(lab: Lab) -> None:
    """Its presence could not be seen; the server reports that it is offline."""
    alice, bob = lab.pair()
    (alice.path / f"{bob.account.jid}%2Ftypo").mkdir()
    expect_open(lab, alice.contact(bob) / "typo" / "file", errno.EHOSTDOWN)


def test_contact_went_offline(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    peer.stop()
    mount.wait_offline(peer.jid)
    expect_open(lab, mount.contact(peer) / "file", errno.EHOSTDOWN)


def test_remote_server_not_found(lab: Lab) -> None:
    """No server listens at that address, and the name is one: nothing needs looking up."""
    mount = lab.mount(lab.accounts("alice")[0])
    home = mount.contact("bob@127.0.0.77") / "home"
    home.parent.mkdir()
    home.mkdir()
    expect_open(lab, home / "file", errno.EHOSTUNREACH)


REFUSALS = [
    ("remote-server-not-found", "cancel", errno.EHOSTUNREACH),
    ("remote-server-timeout", "wait", errno.EHOSTUNREACH),
    ("not-acceptable", "cancel", errno.ECONNREFUSED),
    ("service-unavailable", "cancel", errno.EPROTONOSUPPORT),
    ("feature-not-implemented", "cancel", errno.EPROTONOSUPPORT),
    ("forbidden", "auth", errno.EACCES),
    ("not-allowed", "cancel", errno.EACCES),
    ("not-authorized", "auth", errno.EACCES),
    ("resource-constraint", "modify", errno.ECONNREFUSED),
    ("recipient-unavailable", "wait", errno.EHOSTDOWN),
]


@pytest.mark.parametrize("condition, type_, wanted", REFUSALS, ids=[r[0] for r in REFUSALS])
def test_peer_refuses(lab: Lab, condition: str, type_: str, wanted: int) -> None:
    mount, peer = lab.with_raw()
    peer.rules["open"] = refuse(condition, type_)
    expect_open(lab, mount.contact(peer) / "file", wanted)
    assert peer.find(is_kind("open"))


def test_refused_by_slixmpp(lab: Lab) -> None:
    mount, peer = lab.with_slixmpp(auto_accept=False)
    expect_open(lab, mount.contact(peer) / "file", errno.ECONNREFUSED)


def test_client_without_ibb(lab: Lab) -> None:
    mount, peer = lab.with_slixmpp(ibb=False)
    expect_open(lab, mount.contact(peer) / "file", errno.EPROTONOSUPPORT)


def test_client_that_answers_nothing_but_errors(lab: Lab) -> None:
    mount, peer = lab.with_raw(features=(NS_INFO,))
    for kind in ("info", "open", "ping"):
        peer.rules[kind] = refuse("service-unavailable")
    expect_open(lab, mount.contact(peer) / "file", errno.EPROTONOSUPPORT)


def test_no_answer_to_open(lab: Lab) -> None:
    mount, peer = lab.with_raw("timeout=2")
    peer.rules["open"] = silence
    expect_open(lab, mount.contact(peer) / "file", errno.ETIMEDOUT)


def test_no_answer_to_anything(lab: Lab) -> None:
    mount, peer = lab.with_raw("timeout=2")
    peer.rules.clear()
    expect_open(lab, mount.contact(peer) / "file", errno.ETIMEDOUT)


def test_no_answer_to_data(lab: Lab) -> None:
    mount, peer = lab.with_raw("timeout=2")
    peer.rules["data"] = silence
    expect_delivery(lab, mount.contact(peer) / "file", errno.ETIMEDOUT)


DATA_REFUSALS = [
    ("item-not-found", "cancel", errno.ECONNRESET),
    ("recipient-unavailable", "cancel", errno.ECONNRESET),
    ("service-unavailable", "cancel", errno.ECONNRESET),
    ("bad-request", "cancel", errno.EPROTO),
    ("unexpected-request", "cancel", errno.EPROTO),
    ("forbidden", "auth", errno.EACCES),
]


@pytest.mark.parametrize(
    "condition, type_, wanted", DATA_REFUSALS, ids=[r[0] for r in DATA_REFUSALS]
)
def test_peer_refuses_data(lab: Lab, condition: str, type_: str, wanted: int) -> None:
    mount, peer = lab.with_raw()
    peer.rules["data"] = refuse(condition, type_)
    expect_delivery(lab, mount.contact(peer) / "file", wanted)


@pytest.mark.parametrize("condition", ["recipient-unavailable", "remote-server-timeout"])
def test_data_that_cannot_be_delivered_now(lab: Lab, condition: str) -> None:
    """XEP-0047 section 2.2: the block is retransmitted, but not without end."""
    mount, peer = lab.with_raw("timeout=2")
    peer.rules["data"] = nth(refuse(condition, "wait"), 2)
    copy = lab.run("cp", lab.random_file(5 * 4096, "source"), mount.contact(peer))
    assert (copy.returncode, copy.stderr) == (0, "")
    peer.rules["data"] = refuse(condition, "wait")
    expect_delivery(lab, mount.contact(peer) / "file", errno.ETIMEDOUT)


def test_one_lost_block_of_many_fails_the_copy(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    peer.rules["data"] = nth(refuse("item-not-found"), 20)
    copy = lab.run("cp", lab.random_file(40 * 4096, "source"), mount.contact(peer))
    assert copy.returncode == 1
    assert copy.stderr.endswith(f": {os.strerror(errno.ECONNRESET)}\n")


def test_the_peer_closes_and_we_write(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    fd = os.open(mount.contact(peer) / "file", WRITE)
    sid = payload(peer.wait_open()).get("sid")
    assert peer.close(mount.jid, sid).get("type") == "result"
    with pytest.raises(OSError) as failure:
        os.write(fd, b"x")
    assert failure.value.errno == errno.ECONNRESET
    with pytest.raises(ConnectionResetError):
        os.close(fd)  # as the writer may have been told less: the kernel splits long writes


def open_incoming(mount: Mount, peer: RawPeer, sid: str = "s1") -> Path:
    """A stream from `peer` with one good block."""
    assert peer.open(mount.jid, sid).get("type") == "result"
    assert peer.data(mount.jid, sid, 0, b"good").get("type") == "result"
    return mount.incoming(peer, sid)


@pytest.mark.parametrize(
    "seq, block", [(2, b"lost"), (0, b"again"), (1, "bad base64"), (1, b"x" * 4097)]
)
def test_the_peer_breaks_the_protocol(lab: Lab, seq: int, block: bytes) -> None:
    mount, peer = lab.with_raw()
    path = open_incoming(mount, peer)
    peer.data(mount.jid, "s1", seq, block)
    expect_read(path, b"good", errno.EPROTO)


def test_the_peer_goes_while_we_read(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    path = open_incoming(mount, peer)
    peer.drop()
    expect_read(path, b"good", errno.ECONNRESET)


def test_fewer_bytes_than_announced(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    opened = peer.request(
        mount.jid,
        "<open xmlns='http://jabber.org/protocol/ibb' sid='s1' block-size='4096'>"
        "<file xmlns='urn:xmpp:file:metadata:0'><name>f</name><size>100</size></file></open>",
    )
    assert opened.get("type") == "result"
    peer.data(mount.jid, "s1", 0, b"too few")
    peer.close(mount.jid, "s1")
    expect_read(mount.incoming(peer, "f"), b"too few", errno.ECONNRESET)


def test_too_many_streams_of_ours(lab: Lab) -> None:
    mount, peer = lab.with_raw("max_streams=2")
    contact = mount.contact(peer)
    fds = [os.open(contact / f"file-{i}", WRITE) for i in range(2)]
    expect_open(lab, contact / "file-2", errno.ENFILE)
    for fd in fds:
        os.close(fd)
    peer.wait_for(is_kind("close"), count=2)
    assert lab.run("cp", lab.folder / "source", contact).returncode == 0


# ---- calls that make no sense ----


def test_a_name_that_is_being_written(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    path = mount.contact(peer) / "file"
    fd = os.open(path, WRITE)
    with pytest.raises(OSError) as failure:
        os.open(path, WRITE)
    assert failure.value.errno == errno.EBUSY
    os.close(fd)
    os.close(os.open(path, WRITE))


def test_writing_backward(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    fd = os.open(mount.contact(peer) / "file", WRITE)
    os.write(fd, b"0123456789")
    with pytest.raises(OSError) as failure:
        os.pwrite(fd, b"x", 5)
    assert failure.value.errno == errno.ESPIPE
    with pytest.raises(OSError):
        os.close(fd)  # the session has failed: no tool may report success


def test_truncating_what_was_sent(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    fd = os.open(mount.contact(peer) / "file", WRITE)
    os.ftruncate(fd, 0)
    os.write(fd, b"0123456789")
    os.ftruncate(fd, 10)
    with pytest.raises(OSError) as failure:
        os.ftruncate(fd, 5)
    assert failure.value.errno in (errno.ESPIPE, errno.EINVAL)
    os.close(fd)


def test_reading_an_outgoing_file(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    path = mount.contact(peer) / "file"
    os.close(os.open(path, WRITE))
    fd = os.open(path, os.O_RDONLY)
    with pytest.raises(OSError) as failure:
        os.read(fd, 10)
    assert failure.value.errno == errno.EACCES
    os.close(fd)
    assert lab.run("cp", path, lab.folder / "copy").returncode == 1


@pytest.mark.parametrize("flags", [os.O_WRONLY, os.O_RDWR | os.O_TRUNC])
def test_opening_an_incoming_stream_to_write(lab: Lab, flags: int) -> None:
    mount, peer = lab.with_raw()
    path = open_incoming(mount, peer)
    with pytest.raises(OSError) as failure:
        os.open(path, flags)
    assert failure.value.errno == errno.EACCES
    peer.close(mount.jid, "s1")
    assert path.read_bytes() == b"good"


def test_a_second_reader(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    path = open_incoming(mount, peer)
    fd = os.open(path, os.O_RDONLY)
    with pytest.raises(OSError) as failure:
        os.open(path, os.O_RDONLY)
    assert failure.value.errno == errno.EBUSY
    os.close(fd)


def test_a_stream_that_was_read_to_its_end(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    path = open_incoming(mount, peer)
    peer.close(mount.jid, "s1")
    assert path.read_bytes() == b"good"
    assert path.name in os.listdir(path.parent)
    with pytest.raises(OSError) as failure:
        os.open(path, os.O_RDONLY)
    assert failure.value.errno == errno.ENODATA


def test_creating_in_in(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    for folder in (mount.path, mount.contact(peer) / "in"):
        with pytest.raises(PermissionError):
            os.open(folder / "file", WRITE)


def test_what_a_stream_cannot_be(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    contact = mount.contact(peer)
    os.close(os.open(contact / "file", WRITE))
    calls = [
        lambda: os.symlink("x", contact / "link"),
        lambda: os.link(contact / "file", contact / "link"),
        lambda: os.rename(contact / "file", contact / "other"),
        lambda: os.mkfifo(contact / "fifo"),
        lambda: os.mkdir(contact / "in" / "deeper"),
    ]
    for call in calls:
        with pytest.raises(OSError) as failure:
            call()
        assert failure.value.errno == errno.EPERM


def test_chmod_and_times_are_remembered(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    path = mount.contact(peer) / "file"
    os.close(os.open(path, WRITE))
    os.chmod(path, 0o640)
    os.utime(path, (1000, 2000))
    information = os.stat(path)
    assert (information.st_mode & 0o777, information.st_mtime) == (0o640, 2000)


def test_an_error_without_a_condition(lab: Lab) -> None:
    """As some clients answer: an error that only repeats the request."""
    mount, peer = lab.with_raw()
    echo = "<open xmlns='http://jabber.org/protocol/ibb'/>"
    peer.rules["open"] = lambda _peer, s: (
        f"<iq type='error' to='{s.get('from')}' id='{s.get('id')}'>{echo}</iq>"
    )
    with pytest.raises(OSError) as failure:
        os.open(mount.contact(peer) / "file", WRITE)
    assert failure.value.errno == errno.ECONNREFUSED


@pytest.mark.parametrize("type_", ["modify", "cancel", "wait"])
def test_a_peer_that_takes_no_block_size(lab: Lab, type_: str) -> None:
    """One <open/> for each size, down to the smallest, and then no more."""
    mount, peer = lab.with_raw()
    peer.rules["open"] = refuse("resource-constraint", type_)
    path = lab.random_file(1)
    for asked in (6, 12):
        copy = lab.run("cp", path, mount.contact(peer) / "file")
        assert copy.returncode == 1 and "Connection refused" in copy.stderr
        opens = peer.find(is_kind("open"))
        assert len(opens) == asked
        sizes = [payload(s).get("block-size") for s in opens[-6:]]
        assert sizes == ["4096", "2048", "1024", "512", "256", "128"]
    peer.rules["open"] = accept
    assert lab.run("cp", path, mount.contact(peer) / "file").returncode == 0
    assert payload(peer.wait_open(13)).get("block-size") == "4096"


def test_an_ibbfs_that_says_wait_is_asked_again(lab: Lab) -> None:
    """As it does after too many requests; no user notices."""
    mount, peer = lab.with_raw(features=(NS_INFO, NS_PING, NS_IBB, NS_IBBFS))
    answers = iter(["wait", "wait"])

    def judge(peer: RawPeer, stanza: Stanza) -> str:
        answer = next(answers, None)
        return error(stanza, "resource-constraint", answer) if answer else accept(peer, stanza)

    peer.rules["open"] = judge
    path = lab.random_file(10000)
    assert lab.run("cp", path, mount.contact(peer) / "file").returncode == 0
    opens = [payload(s) for s in peer.find(is_kind("open"))]
    assert len(opens) == 3 and len({element.get("sid") for element in opens}) == 1
    assert peer.received(opens[0].get("sid")) == path.read_bytes()


def test_a_name_that_was_refused_is_new_again(lab: Lab) -> None:
    """At once, even if the kernel has just looked it up."""
    mount, peer = lab.with_raw()
    path = mount.contact(peer) / "file"
    for _ in range(20):
        peer.rules["open"] = accept
        path.write_bytes(b"x")
        peer.rules["open"] = refuse("not-acceptable")
        for _ in range(3):
            with pytest.raises(OSError) as failure:
                os.open(path, WRITE)
            assert errno.errorcode[failure.value.errno] == "ECONNREFUSED"
