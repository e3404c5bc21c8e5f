# SPDX-License-Identifier: MIT
"""Other clients, in both directions: QXmpp, libpurple and gloox offer files by stream initiation.

slixmpp opens bytestreams without an offer, which have neither name nor size.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from pathlib import Path

import pytest

from daemon import Mount
from lab import Lab, wait_blocked
from peers import Client

# test_replay.py and test_offers.py show the same code to the sanitizers.
pytestmark = [
    pytest.mark.server("prosody", "it is the clients that differ here"),
    pytest.mark.large,
]

OFFERING = ["gloox", "purple", "qxmpp"]
offering = pytest.mark.parametrize("name", OFFERING)
every = pytest.mark.parametrize("name", [*OFFERING, "slix"])

SIZES = [0, 1, 4096, 5000]  # nothing, a byte, a block, more
LARGE = 1024 * 1024
ENDLESS = 64 * LARGE  # it is cancelled long before its end
SEND_NO_EMPTY_FILE = ("gloox", "purple")  # one refuses to, the other never ends it

# The effect of `cancel` while they receive: libpurple closes the stream; the others send nothing,
# and answer the next block with an error.
CANCELLED = {
    "gloox": "Connection reset by peer",
    "purple": "Operation canceled",
    "qxmpp": "Connection reset by peer",
}

Programs = dict[str, Path]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def endless_file(lab: Lab) -> Path:
    path = lab.folder / "endless"
    path.touch()
    os.truncate(path, ENDLESS)
    return path


def spawn_cp(lab: Lab, source: Path, target: Path) -> subprocess.Popen:
    return lab.spawn("cp", source, target, text=True, env=os.environ | {"LC_ALL": "C.UTF-8"})


def arrived(mount: Mount) -> Path:
    """Waits for the next file that is offered to us, or for the next bytestream."""
    with open(mount.path / "incoming") as incoming:
        return mount.path / incoming.readline().rstrip("\n")


def give(lab: Lab, mount: Mount, client: Client, source: Path) -> Path:
    """Sends a file to the client, and returns the file that the client stored."""
    copy = lab.run("cp", source, mount.contact(client))
    assert (copy.returncode, copy.stderr) == (0, "")
    received = client.received()
    assert digest(received) == digest(source)
    return received


def take(mount: Mount, client: Client, source: Path) -> Path:
    """Receives a file from the client, and returns where it was offered."""
    client.send(source, mount.jid)
    path = arrived(mount)
    assert digest(path) == digest(source)
    client.expect("sent")
    return path


# ---- we send ----


@every
@pytest.mark.parametrize("size", SIZES)
def test_we_send(lab: Lab, programs: Programs, name: str, size: int) -> None:
    mount, client = lab.with_client(programs[name])
    client.accept()
    give(lab, mount, client, lab.random_file(size))


@offering
def test_we_offer_name_and_size(lab: Lab, programs: Programs, name: str) -> None:
    mount, client = lab.with_client(programs[name])
    source = lab.random_file(12345, "Größe ☃ 漢字.txt")
    copy = spawn_cp(lab, source, mount.contact(client))
    assert client.expect("offer") == f"{mount.jid} 12345 {source.name}"
    wait_blocked(copy.pid)  # until somebody has accepted
    client.accept()
    received = client.received()
    assert (received.name, digest(received)) == (source.name, digest(source))
    assert copy.wait(20) == 0


@every
def test_we_send_two_in_a_row(lab: Lab, programs: Programs, name: str) -> None:
    mount, client = lab.with_client(programs[name])
    client.accept()
    first = give(lab, mount, client, lab.random_file(10000, "first"))
    assert give(lab, mount, client, lab.random_file(10000, "second")) != first


@offering
def test_it_refuses(lab: Lab, programs: Programs, name: str) -> None:
    mount, client = lab.with_client(programs[name])
    client.refuse()
    copy = lab.run("cp", lab.random_file(5000), mount.contact(client))
    assert copy.returncode == 1
    assert "Connection refused" in copy.stderr


@offering
def test_it_cancels_what_we_send(lab: Lab, programs: Programs, name: str) -> None:
    mount, client = lab.with_client(programs[name])
    client.accept()
    copy = spawn_cp(lab, endless_file(lab), mount.contact(client))
    client.expect("started")
    client.cancel()
    client.expect("cancelled")
    _, err = copy.communicate(timeout=20)
    assert copy.returncode == 1
    assert CANCELLED[name] in err
    give(lab, mount, client, lab.random_file(5000))


@offering
def test_we_cancel_while_nobody_has_answered(lab: Lab, programs: Programs, name: str) -> None:
    """SI has no message for that: a late acceptance gets a stream that ends too early."""
    mount, client = lab.with_client(programs[name])
    copy = spawn_cp(lab, lab.random_file(5000), mount.contact(client))
    client.expect("offer")
    wait_blocked(copy.pid)
    copy.send_signal(signal.SIGINT)
    assert copy.wait(20) == -signal.SIGINT
    client.accept()
    client.expect("failed")
    give(lab, mount, client, lab.random_file(5000))


@offering
def test_we_cancel_what_we_send(lab: Lab, programs: Programs, name: str) -> None:
    mount, client = lab.with_client(programs[name])
    client.accept()
    copy = spawn_cp(lab, endless_file(lab), mount.contact(client))
    client.expect("started")
    copy.send_signal(signal.SIGINT)
    assert copy.wait(20) == -signal.SIGINT
    client.expect("failed")
    give(lab, mount, client, lab.random_file(5000))


# ---- we receive ----


@pytest.mark.parametrize(
    "name, size",
    [
        (name, size)
        for name in (*OFFERING, "slix")
        for size in SIZES
        if size > 0 or name not in SEND_NO_EMPTY_FILE
    ],
)
def test_it_sends(lab: Lab, programs: Programs, name: str, size: int) -> None:
    mount, client = lab.with_client(programs[name])
    take(mount, client, lab.random_file(size))


@offering
def test_it_offers_name_and_size(lab: Lab, programs: Programs, name: str) -> None:
    mount, client = lab.with_client(programs[name])
    source = lab.random_file(12345, "Größe ☃ 漢字.txt")
    client.send(source, mount.jid)
    path = arrived(mount)
    assert path == mount.incoming(client, source.name)
    assert path.stat().st_size == 12345  # the offer is not accepted yet
    assert os.getxattr(path, "user.ibb.state") == b"offered"
    assert digest(path) == digest(source)
    client.expect("sent")


@every
def test_next_takes_what_it_sends(lab: Lab, programs: Programs, name: str) -> None:
    mount, client = lab.with_client(programs[name])
    source = lab.random_file(5000)
    read = lab.background(digest, mount.incoming(client))
    client.send(source, mount.jid)
    assert read.result(30) == digest(source)
    client.expect("sent")


@every
def test_it_sends_two_in_a_row(lab: Lab, programs: Programs, name: str) -> None:
    mount, client = lab.with_client(programs[name])
    first = take(mount, client, lab.random_file(10000, "first"))
    assert take(mount, client, lab.random_file(10000, "second")) != first


@offering
def test_we_decline(lab: Lab, programs: Programs, name: str) -> None:
    mount, client = lab.with_client(programs[name])
    client.send(lab.random_file(5000), mount.jid)
    arrived(mount).unlink()
    client.expect("refused")
    take(mount, client, lab.random_file(5000))


@every
def test_it_cancels_what_it_sends(lab: Lab, programs: Programs, name: str) -> None:
    mount, client = lab.with_client(programs[name])
    client.send(endless_file(lab), mount.jid)
    reader = lab.spawn("cat", arrived(mount))
    client.expect("started")
    assert reader.stdout.read(1) == b"\0"
    client.cancel()
    client.expect("cancelled")
    out, err = reader.communicate(timeout=20)
    if name == "slix":  # which cannot tell that the file was longer
        assert (reader.returncode, err) == (0, b"")
    else:
        assert (reader.returncode, len(out) < ENDLESS) == (1, True)
        assert err
    take(mount, client, lab.random_file(5000))


@every
def test_we_leave_what_it_sends(lab: Lab, programs: Programs, name: str) -> None:
    mount, client = lab.with_client(programs[name])
    client.send(endless_file(lab), mount.jid)
    path = arrived(mount)
    head = lab.run("head", "-c", "5000", path)
    assert (head.returncode, head.stdout) == (0, "\0" * 5000)
    client.expect("failed")
    take(mount, client, lab.random_file(5000))


# ---- more than a few blocks ----


@every
@pytest.mark.large
def test_many_blocks(lab: Lab, programs: Programs, name: str) -> None:
    mount, client = lab.with_client(programs[name])
    client.accept()
    give(lab, mount, client, lab.random_file(LARGE, "there"))
    take(mount, client, lab.random_file(LARGE, "back"))
