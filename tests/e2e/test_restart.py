# SPDX-License-Identifier: MIT
"""A receiver with an inbox that restarts in the middle of a stream."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon import MEBIBYTE, Mount, bare, poll_until
from lab import Lab, wait_blocked
from rawpeer import NS_IBB, NS_IBBFS, RawPeer, Stanza, condition, payload
from server import Account
from test_faults import ended
from test_resume import NS_RESUME

SIZE = 3 * MEBIBYTE
TEBIBYTE = MEBIBYTE**2
RESET = "Connection reset by peer\n"


@dataclass
class Copy:
    """A cp from Alice to Bob's inbox, whose daemon restarts meanwhile."""

    lab: Lab
    alice: Mount
    bob: Mount
    source: Path
    process: subprocess.Popen

    @property
    def folder(self) -> Path:
        return self.lab.folder / "inbox" / self.alice.account.jid

    @property
    def part(self) -> Path:
        return self.folder / "source.part"

    def journals(self) -> list[Path]:
        return sorted((self.lab.folder / "inbox" / ".ibbfs").glob("*"))

    def wait_part(self, least: int) -> None:
        """Waits until that many bytes have arrived."""
        assert self.bob.via
        poll_until(
            lambda: self.part.exists() and self.part.stat().st_size >= least,
            60,
            f"{least} bytes of the file",
        )

    def wait_frozen(self) -> None:
        assert self.bob.via
        poll_until(lambda: self.bob.via.is_frozen, 60, "half of the file")

    def end_receiver(self, how: str) -> None:
        if how == "unmount":
            self.bob.unmount()
        elif how == "SIGKILL":
            self.bob.kill()
        else:
            self.bob.stop(signal.Signals[how])

    def restart_receiver(self) -> None:
        assert self.bob.via
        self.bob.via.thaw()
        self.bob.start()

    def expect_success(self) -> None:
        assert ended(self.process, 90) == (0, "")
        poll_until((self.folder / "source").exists, what="the file has its name")
        assert (self.folder / "source").read_bytes() == self.source.read_bytes()
        assert [path.name for path in self.folder.iterdir()] == ["source"]

    def expect_reset(self) -> None:
        status, message = ended(self.process, 60)
        assert status == 1 and message.endswith(RESET), message
        assert not (self.folder / "source").exists()
        assert self.part.exists()


Pair = Callable[..., Copy]


@pytest.fixture
def copy(lab: Lab) -> Pair:
    """Begins the copy. The receiver's connection is frozen in the middle."""

    def begin(size: int = SIZE, freeze: int = 1 * MEBIBYTE, options: str = "") -> Copy:
        first, second = lab.accounts("alice", "bob")
        alice = lab.mount(first)
        bob = lab.mount(second, f"inbox={lab.folder}/inbox{options}", via=lab.proxy(second))
        alice.wait_online(bob.jid)
        bob.wait_online(alice.jid)
        source = lab.random_file(size, "source")
        assert bob.via
        if freeze:
            bob.via.freeze_after(freeze)
        process = lab.spawn("cp", source, alice.contact(bob), text=True)
        copy = Copy(lab, alice, bob, source, process)
        if freeze:
            copy.wait_frozen()
            copy.wait_part(freeze // 4)
        return copy

    return begin


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL", "unmount"])
def test_the_copy_just_takes_longer(copy: Pair, how: str) -> None:
    """The part grows from where it was. No journal is left."""
    it = copy()
    it.end_receiver(how)
    came = it.part.stat().st_size
    assert 0 < came < SIZE
    wait_blocked(it.process.pid)
    it.restart_receiver()
    it.expect_success()
    it.bob.stop()
    assert it.journals() == []


@pytest.mark.large
def test_again_and_again(copy: Pair) -> None:
    it = copy(freeze=0, size=6 * MEBIBYTE)
    it.bob.via.rate = 3 * MEBIBYTE
    for number, how in enumerate(("SIGKILL", "SIGTERM", "SIGKILL", "SIGKILL")):
        it.wait_part((number + 1) * MEBIBYTE // 2)
        it.end_receiver(how)
        it.bob.start()
    it.expect_success()


def flip(path: Path, offset: int) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))


def damage_part(it: Copy) -> None:
    flip(it.part, 1000)


def cut_part(it: Copy) -> None:
    os.truncate(it.part, it.part.stat().st_size - 1)


def damage_record(it: Copy) -> None:
    flip(it.journals()[0], 3)


def cut_journal(it: Copy) -> None:
    os.truncate(it.journals()[0], 200)


@pytest.mark.parametrize("spoil", [damage_part, cut_part, damage_record, cut_journal])
def test_what_was_damaged_meanwhile(copy: Pair, spoil: Callable[[Copy], None]) -> None:
    """There is never a wrong file: the copy fails, and the part stays."""
    it = copy()
    it.bob.kill()
    spoil(it)
    it.restart_receiver()
    it.expect_reset()

def test_a_longer_part_is_cut(copy: Pair) -> None:
    """A piece may have been written without its record."""
    it = copy()
    it.bob.kill()
    with open(it.part, "ab") as part:
        part.write(b"no byte of the file" * 1000)
    it.restart_receiver()
    it.expect_success()


def test_a_part_that_was_removed(copy: Pair) -> None:
    it = copy()
    it.bob.kill()
    it.part.unlink()
    it.restart_receiver()
    status, message = ended(it.process, 60)
    assert status == 1 and message.endswith(RESET)
    it.bob.stop()
    assert it.journals() == []


WORD = 2**64 - 1


def mix(sums: list[int], words: tuple[int, ...]) -> None:
    for lane, word in enumerate(words):
        number = (sums[lane] ^ word) * 0x9E3779B97F4A7C15 & WORD
        sums[lane] = (number << 31 | number >> 33) & WORD


def checksum(content: bytes) -> int:
    """checksum_of in mount/disk/checksum.c."""
    lanes = [0x243F6A8885A308D3 + lane for lane in range(4)]
    padded = content + bytes(32 - len(content) % 32)
    for words in struct.iter_unpack("4Q", padded):
        mix(lanes, words)
    result = [len(content)]
    for lane in lanes:
        mix(result, (lane,))
    return result[0]


def pretend(journal: Path, size: int) -> None:
    """As if so much of the stream had come. The record has blocks, skipped, length; its checksum
    is the last word of it that is not 0."""
    with open(journal, "r+b") as file:
        words = list(struct.unpack("16Q", file.read(128)))
        last = max(index for index, word in enumerate(words) if word)
        assert words[last] == checksum(struct.pack(f"{last}Q", *words[:last]))
        words[0], words[2] = size, size
        words[last] = checksum(struct.pack(f"{last}Q", *words[:last]))
        file.seek(0)
        file.write(struct.pack("16Q", *words))


def test_a_dead_stream_is_not_verified(copy: Pair) -> None:
    """The sender has restarted, too, and sends the file again: that does not wait until the part,
    which takes minutes to read, is compared with the journal."""
    it = copy()
    it.bob.kill()
    it.alice.kill()
    assert it.process.wait(20) != 0
    os.truncate(it.part, TEBIBYTE)
    pretend(it.journals()[0], TEBIBYTE)
    it.restart_receiver()
    it.alice.start()
    it.alice.wait_online(it.bob.jid)
    it.bob.wait_online(it.alice.jid)
    it.process = it.lab.spawn("cp", it.source, it.alice.contact(it.bob), text=True)
    it.expect_success()


class BareMount(Mount):
    """A mount that asks for no resource."""

    def command(self) -> list[str]:
        command = super().command()
        command[-2] = self.account.jid
        return command


def bare_mount(lab: Lab, account: Account, name: str) -> BareMount:
    mount = BareMount(
        lab.build, lab.server, account, "", lab.folder / name, f"inbox={lab.folder}/inbox"
    )
    lab.watch(mount)
    lab.mounts.append(mount)
    return mount


def resources(sender: Mount, receiver: Mount) -> list[str]:
    """The random ones of `receiver`'s account."""
    return [p.name for p in sender.contact(receiver).iterdir() if p.name.startswith("ibbfs-")]


def test_two_mounts_of_an_account(lab: Lab) -> None:
    """The second has a resource of its own, although the first has received files."""
    first, second = lab.accounts("alice", "bob")
    alice = lab.mount(first)
    bob, again = (bare_mount(lab, second, name) for name in ("bob", "again"))
    bob.start()
    poll_until(lambda: resources(alice, bob), what="the resource")
    assert lab.run("cp", lab.random_file(1000, "f"), alice.contact(bob)).returncode == 0
    again.start()
    poll_until(lambda: len(resources(alice, bob)) == 2, what="the other resource")
    assert all("\nconnection  online" in "\n" + mount.status() for mount in (bob, again))


@pytest.mark.once
def test_two_accounts_with_one_inbox(lab: Lab) -> None:
    """Each leaves the streams of the other."""
    first, second, third = lab.accounts("alice", "bob", "carol")
    alice = lab.mount(first)
    bob, carol = (lab.mount(account, f"inbox={lab.folder}/inbox") for account in (second, third))
    alice.wait_online(bob.jid)
    fd = os.open(alice.contact(bob) / "f", os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"one")
    os.fsync(fd)
    bob.kill()
    carol.stop()
    carol.start()
    bob.start()
    os.write(fd, b"two")
    os.close(fd)
    assert (lab.folder / "inbox" / alice.account.jid / "f").read_bytes() == b"onetwo"


def test_the_resource_stays(lab: Lab) -> None:
    """The resource is random. It stays the same while a peer has a stream with it."""
    first, second = lab.accounts("alice", "bob")
    alice = lab.mount(first)
    bob = bare_mount(lab, second, "bob")
    bob.start()
    (before,) = poll_until(lambda: resources(alice, bob), what="Bob is online")
    fd = os.open(alice.contact(bob) / "f", os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"one")
    os.fsync(fd)
    bob.kill()
    bob.start()
    os.write(fd, b"two")
    os.close(fd)
    received = lab.folder / "inbox" / alice.account.jid / "f"
    poll_until(received.exists, what="the file has its name")
    assert received.read_bytes() == b"onetwo"
    assert poll_until(lambda: resources(alice, bob)) == [before]
    bob.stop()
    bob.start()
    (after,) = poll_until(lambda: [name for name in resources(alice, bob) if name != before])
    assert after != before
    bob.stop()


# ---- raw peers ----


def restarted(lab: Lab, sid: str = "s") -> tuple[Mount, RawPeer, Path]:
    """A receiver that has one block of 16 bytes, and asks for the next; the sender's folder."""
    mount, peer = lab.with_raw(f"inbox={lab.folder}/inbox")
    opened = peer.request(
        mount.jid,
        f"<open xmlns='{NS_IBB}' sid='{sid}' block-size='16'><resume xmlns='{NS_RESUME}'/></open>",
    )
    assert opened.get("type") == "result"
    assert peer.data(mount.jid, sid, 0, b"a" * 16).get("type") == "result"
    mount.kill()
    mount.start()
    asked = peer.wait_for(lambda s: payload(s).tag == f"{{{NS_RESUME}}}resume", timeout=30)
    assert asked[0].get("seq") == "1"
    return mount, peer, lab.folder / "inbox" / bare(peer)


def resume(peer: RawPeer, mount: Mount, sid: str, seq: int) -> Stanza:
    return peer.request(mount.jid, f"<resume xmlns='{NS_RESUME}' sid='{sid}' seq='{seq}'/>")


def test_a_peer_that_goes_on(lab: Lab) -> None:
    """The peer retransmits a block, sends one too early, and ends in good order."""
    mount, peer, folder = restarted(lab)
    assert peer.data(mount.jid, "s", 0, b"a" * 16).get("type") == "result"
    assert condition(peer.data(mount.jid, "s", 2, b"c")) == "resource-constraint"
    answer = resume(peer, mount, "s", 0)
    assert answer.get("type") == "result" and answer[0].get("seq") == "1"
    assert peer.data(mount.jid, "s", 1, b"b").get("type") == "result"
    assert peer.close(mount.jid, "s").get("type") == "result"
    assert (folder / "s").read_bytes() == b"a" * 16 + b"b"


def test_a_peer_with_a_wrong_seq(lab: Lab) -> None:
    """The peer expects a block that was never sent."""
    mount, peer, folder = restarted(lab)
    assert condition(resume(peer, mount, "s", 7)) == "item-not-found"
    poll_until((folder / "s.part").exists, what="the part")
    assert (folder / "s.part").read_bytes() == b"a" * 16
    assert condition(peer.data(mount.jid, "s", 1, b"b")) == "item-not-found"


def test_a_peer_that_has_sent_more(lab: Lab) -> None:
    """The <close/> of the peer says that it has sent more bytes than have arrived, and these come
    later, or do not."""
    mount, peer, folder = restarted(lab)
    sent = f"<sent xmlns='{NS_IBBFS}' bytes='17'/>"
    assert condition(peer.close(mount.jid, "s", child=sent)) == "unexpected-request"
    assert not (folder / "s").exists()
    assert peer.data(mount.jid, "s", 1, b"b").get("type") == "result"
    assert peer.close(mount.jid, "s", child=sent).get("type") == "result"
    assert (folder / "s").read_bytes() == b"a" * 16 + b"b"


def test_a_peer_that_has_sent_less(lab: Lab) -> None:
    """The <close/> of the peer says that it has sent fewer bytes than have arrived."""
    mount, peer, folder = restarted(lab)
    sent = f"<sent xmlns='{NS_IBBFS}' bytes='15'/>"
    assert condition(peer.close(mount.jid, "s", child=sent)) == "not-acceptable"
    poll_until((folder / "s.part").exists, what="the part")
    assert not (folder / "s").exists()
