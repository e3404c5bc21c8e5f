# SPDX-License-Identifier: MIT
"""Streams that outlive a broken connection."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

import pytest

from daemon import KIBIBYTE, MEBIBYTE, KNOWN_LEAK, Mount, poll_until
from faultproxy import FaultProxy
from lab import Lab, wait_blocked
from server import free_ports
from test_disco import features, info
from test_faults import Transfer, answers_quickly, ended

NS_RESUME = "urn:ibbfs:resume:0"
WRITE = os.O_WRONLY | os.O_CREAT
# Of two servers, one stops: each way it can, or each server. The others take as long again.
EITHER_SERVER = [
    ("sender", signal.SIGTERM),
    ("receiver", signal.SIGKILL),
    pytest.param("sender", signal.SIGKILL, marks=pytest.mark.slow),
    pytest.param("receiver", signal.SIGTERM, marks=pytest.mark.slow),
]
STEADY = 6 * MEBIBYTE  # bytes a second that let a test do something meanwhile


@pytest.fixture(autouse=True)
def known_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KNOWN_LEAK.items():
        monkeypatch.setenv(name, value)


def slow_pair(lab: Lab, options: str = "", rate: int = STEADY) -> tuple[Mount, Mount]:
    """Two mounts, between which a few megabytes take a moment."""
    alice, bob = lab.pair_via_proxies(options, options)
    alice.via.rate = bob.via.rate = rate
    return alice, bob


def unfinished(lab: Lab, alice: Mount, bob: Mount) -> Transfer:
    """A transfer in its middle; it stays there until bob.via.thaw()."""
    bob.via.freeze_after(2 * MEBIBYTE)
    transfer = Transfer(lab, alice, bob, 4 * MEBIBYTE)
    poll_until(lambda: bob.via.is_frozen, 60, "half of the file")
    return transfer


def back_online(proxy: FaultProxy, before: int, timeout: float = 30) -> None:
    poll_until(lambda: proxy.connections > before, timeout, "a new connection")


# ---- what both say ----


def test_both_say_that_they_can(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    assert NS_RESUME in features(info(mount, peer))


# ---- cuts ----


class Cutter:
    """Cuts the connections of two mounts at random, now or in the middle of a stanza."""

    def __init__(self, proxies: tuple[FaultProxy, FaultProxy], seed: int):
        self.random = random.Random(seed)
        self.proxies = proxies
        self.cuts = 0

    def cut(self) -> None:
        proxy = self.random.choice(self.proxies)
        before = proxy.connections
        if self.random.random() < 0.5:
            poll_until(proxy.cut, what="a connection to cut")
        else:
            proxy.cut_after(self.random.randint(1, 30000))
            poll_until(lambda: not proxy.will_cut, what="the bytes before a cut")
        self.cuts += 1
        if self.random.random() < 0.3:  # once more, while it logs in again
            back_online(proxy, before)
            proxy.cut_after(self.random.randint(1, 4000))
            poll_until(lambda: not proxy.will_cut, what="a login's bytes before a cut")
            self.cuts += 1


def transfer_with_cuts(lab: Lab, size: int, cuts: int, seed: int, seconds: float) -> None:
    alice, bob = slow_pair(lab)
    transfer = Transfer(lab, alice, bob, size)
    cutter = Cutter((alice.via, bob.via), seed)
    at = sorted(cutter.random.randrange(size * 9 // 10) for _ in range(cuts))
    while cutter.cuts < cuts:
        transfer.wait_progress(at[cutter.cuts], seconds)
        cutter.cut()
    transfer.expect_success(seconds)
    assert alice.via.connections + bob.via.connections >= cuts + 2


@pytest.mark.timeout(200)
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_random_cuts(lab: Lab, seed: int) -> None:
    transfer_with_cuts(lab, 8 * MEBIBYTE, 15, seed, 150)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_a_hundred_random_cuts(lab: Lab, seed: int) -> None:
    transfer_with_cuts(lab, 64 * MEBIBYTE, 100, seed, 1000)


@pytest.mark.parametrize("side", ["sender", "receiver", "both"])
def test_one_cut(lab: Lab, side: str) -> None:
    alice, bob = slow_pair(lab)
    transfer = Transfer(lab, alice, bob, 4 * MEBIBYTE)
    transfer.wait_progress(MEBIBYTE)
    for mount, name in ((alice, "sender"), (bob, "receiver")):
        if side in (name, "both"):
            assert mount.via.cut() == 1
    transfer.expect_success(60)


@pytest.mark.parametrize("side", ["sender", "receiver"])
@pytest.mark.parametrize("seed", range(8))
def test_a_cut_anywhere_in_a_short_stream(lab: Lab, side: str, seed: int) -> None:
    """In its last block, its acknowledgement, <close/>, or the answer to that."""
    alice, bob = lab.pair_via_proxies()
    source = lab.random_file(3000)
    writer = os.open(alice.contact(bob) / "file", WRITE)
    os.write(writer, b"begin")
    os.fsync(writer)
    reader = lab.background(bob.incoming(alice, "file").read_bytes)
    proxy = (alice if side == "sender" else bob).via
    proxy.cut_after(random.Random(seed).randint(1, 5000))
    os.write(writer, source.read_bytes())
    os.close(writer)
    assert reader.result(60) == b"begin" + source.read_bytes()


@pytest.mark.parametrize("bytes_of_login", [0, 1, 300, 1500, 2500, 3500])
def test_a_cut_while_logging_in_again(lab: Lab, bytes_of_login: int) -> None:
    alice, bob = slow_pair(lab)
    transfer = Transfer(lab, alice, bob, 3 * MEBIBYTE)
    transfer.wait_progress(MEBIBYTE)
    alice.via.refuse()
    alice.via.cut()
    alice.via.cut_after(bytes_of_login or 1)
    alice.via.accept()
    poll_until(lambda: not alice.via.will_cut, what="the second cut")
    transfer.expect_success(60)


def test_both_directions(lab: Lab) -> None:
    alice, bob = lab.pair_via_proxies()
    talk = os.open(alice.contact(bob) / "talk", os.O_RDWR | os.O_CREAT)
    there = os.open(bob.incoming(alice, "talk"), os.O_RDWR)
    for number, proxy in enumerate((alice.via, bob.via, alice.via, bob.via)):
        for come, go in ((talk, there), (there, talk)):
            message = f"{number} from {come}\n".encode()
            os.write(come, message)
            proxy.cut()
            assert os.read(go, 100) == message
    os.close(talk)
    assert os.read(there, 100) == b""
    os.close(there)


def test_ten_streams_at_once(lab: Lab) -> None:
    alice, bob = slow_pair(lab)
    sources = [lab.random_file(300 * KIBIBYTE, f"file-{i}") for i in range(10)]
    copies = [lab.spawn("cp", path, alice.contact(bob), text=True) for path in sources]
    incoming = [bob.incoming(alice, path.name) for path in sources]
    poll_until(lambda: all(path.exists() for path in incoming), what="ten streams")
    readers = [lab.spawn("cat", path) for path in incoming]
    for proxy in (alice.via, bob.via):
        assert proxy.cut() == 1
    for path, copy, reader in zip(sources, copies, readers):
        assert ended(copy, 60) == (0, "")
        assert reader.communicate(timeout=60)[0] == path.read_bytes()
        assert reader.returncode == 0


def test_while_the_reader_pauses(lab: Lab) -> None:
    """A write that waited for room before the cut waits after it, and its bytes arrive once."""
    alice, bob = lab.pair_via_proxies("window=256K", "buffer=64K")
    source = lab.random_file(2 * MEBIBYTE)
    copy = lab.spawn("cp", source, alice.contact(bob), text=True)
    wait_blocked(copy.pid)
    for mount, other in ((alice, bob), (bob, alice)):
        before = mount.via.connections
        mount.via.cut()
        back_online(mount.via, before)
        mount.wait_connected()
        mount.wait_online(other.jid)
    wait_blocked(copy.pid)
    assert bob.incoming(alice).read_bytes() == source.read_bytes()
    assert ended(copy, 20) == (0, "")


@pytest.mark.large
@pytest.mark.timeout(400)
def test_seq_wraps_between_cuts(lab: Lab) -> None:
    alice, bob = lab.pair_via_proxies("block_size=7")
    transfer = Transfer(lab, alice, bob, 65600 * 7)
    for number, count in enumerate((65300, 65400, 65500)):
        transfer.wait_progress(count * 7, 300)
        (alice, bob)[number % 2].via.cut()
    transfer.expect_success(300)


def test_blocks_in_messages(lab: Lab) -> None:
    """With or without success, nothing is lost silently."""
    alice, bob = slow_pair(lab, "stanza=message")
    transfer = Transfer(lab, alice, bob, 3 * MEBIBYTE)
    transfer.wait_progress(MEBIBYTE)
    bob.via.cut()
    if transfer.copy.wait(90) == 0:
        transfer.expect_success(60)
    else:
        transfer.expect_reset(60)


# ---- meanwhile ----


def test_the_mount_answers(lab: Lab) -> None:
    """Without a connection, and with one that carries no bytes."""
    alice, bob = slow_pair(lab)
    transfer = Transfer(lab, alice, bob, 4 * MEBIBYTE)
    transfer.wait_progress(MEBIBYTE)
    alice.via.refuse()
    alice.via.cut()
    wait_blocked(transfer.copy.pid, transfer.cat.pid)
    for mount in (alice, bob):
        answers_quickly(lab, mount)
    alice.via.freeze()
    before = alice.via.connections
    alice.via.accept()
    back_online(alice.via, before)
    answers_quickly(lab, alice)
    alice.via.thaw()
    transfer.expect_success(60)


def test_the_mount_answers_while_the_line_is_frozen(lab: Lab) -> None:
    alice, bob = slow_pair(lab)
    transfer = Transfer(lab, alice, bob, 4 * MEBIBYTE)
    transfer.wait_progress(MEBIBYTE)
    alice.via.freeze()
    wait_blocked(transfer.copy.pid, transfer.cat.pid)
    answers_quickly(lab, alice)
    alice.via.thaw()
    transfer.expect_success(60)


@pytest.mark.parametrize("who", ["copy", "cat"])
def test_a_signal_ends_what_waits(lab: Lab, who: str) -> None:
    alice, bob = slow_pair(lab)
    transfer = Transfer(lab, alice, bob, 4 * MEBIBYTE)
    transfer.wait_progress(MEBIBYTE)
    (alice if who == "copy" else bob).via.refuse()
    (alice if who == "copy" else bob).via.cut()
    process: subprocess.Popen = getattr(transfer, who)
    wait_blocked(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.wait(1) == -signal.SIGINT


@pytest.mark.parametrize("how", ["stop", "unmount"])
def test_ending_while_streams_are_suspended(lab: Lab, how: str) -> None:
    alice, bob = slow_pair(lab)
    transfer = Transfer(lab, alice, bob, 4 * MEBIBYTE)
    transfer.wait_progress(MEBIBYTE)
    alice.via.refuse()
    alice.via.cut()
    wait_blocked(transfer.copy.pid)
    if how == "stop":
        alice.stop()
        assert ended(transfer.copy, 20)[0] == 1
    else:
        transfer.copy.kill()
        transfer.copy.wait(20)
        alice.unmount()


def test_attempts_are_not_too_many(lab: Lab) -> None:
    """A server that hangs up at once is tried again, with back-off."""
    alice, bob = slow_pair(lab)
    transfer = Transfer(lab, alice, bob, 4 * MEBIBYTE)
    transfer.wait_progress(MEBIBYTE)
    target, before = alice.via.target, alice.via.connections
    (alice.via.target,) = free_ports(1)
    alice.via.cut()
    began = time.monotonic()
    poll_until(lambda: alice.via.connections - before >= 4, 60, "the fourth attempt")
    took = time.monotonic() - began
    attempts = alice.via.connections - before
    alice.via.target = target
    assert attempts / took <= 20 / 8, f"{attempts} in {took:.1f} s"
    transfer.expect_success(60)


# ---- silent loss ----


@pytest.mark.parametrize("side", ["sender", "receiver", "both"])
def test_a_line_that_carries_nothing_any_more(lab: Lab, side: str) -> None:
    """The loss is silent: the mount notices it and connects again, and the server drops the old
    connection."""
    alice, bob = slow_pair(lab, "timeout=4")
    transfer = Transfer(lab, alice, bob, 4 * MEBIBYTE)
    transfer.wait_progress(MEBIBYTE)
    for mount, name in ((alice, "sender"), (bob, "receiver")):
        if side in (name, "both"):
            mount.via.strand()
    transfer.expect_success(90)


@pytest.mark.parametrize("side", ["sender", "receiver"])
def test_a_network_that_is_away_for_a_while(lab: Lab, side: str) -> None:
    alice, bob = slow_pair(lab, "timeout=4")
    transfer = Transfer(lab, alice, bob, 4 * MEBIBYTE)
    transfer.wait_progress(MEBIBYTE)
    proxy = (alice if side == "sender" else bob).via
    before = proxy.connections
    proxy.freeze()
    poll_until(lambda: proxy.connections > before, 60, "another attempt to connect")
    proxy.thaw()
    transfer.expect_success(90)


# ---- the server ----


@pytest.mark.federated
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_the_server_restarts(own_lab: Lab, how: signal.Signals) -> None:
    alice, bob = slow_pair(own_lab)
    transfer = unfinished(own_lab, alice, bob)
    own_lab.stop_servers(how)
    bob.via.thaw()
    wait_blocked(transfer.copy.pid, transfer.cat.pid)
    own_lab.start_servers()
    transfer.expect_success(90)


@pytest.mark.server("federation", "one of two servers restarts")
@pytest.mark.parametrize("which, how", EITHER_SERVER)
def test_one_of_two_servers_restarts(own_lab: Lab, how: signal.Signals, which: str) -> None:
    alice, bob = slow_pair(own_lab, "timeout=5")
    transfer = unfinished(own_lab, alice, bob)
    server = (alice if which == "sender" else bob).server
    server.stop(how)
    bob.via.thaw()
    wait_blocked(transfer.copy.pid, transfer.cat.pid)
    server.start()
    transfer.expect_success(90)
