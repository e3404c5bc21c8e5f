# SPDX-License-Identifier: MIT
"""No stanza waits for a delayed acknowledgement of TCP.

Prosody leaves Nagle's algorithm on: its next short write waits until the last one is acknowledged
(RFC 9293 section 3.7.4). A mount whose kernel delays that (section 3.8.6.3), by 40 ms, slows down
each answer. The server and the mounts have a network of their own, so that the kernel counts their
acknowledgements only. The count decides, and no clock.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from daemon import Mount
from lab import Lab
from prosody import Prosody
from test_bidirectional import dialogue
from test_limits import LimitedLab

ROUNDS = 100
# In 100 rounds, there are 0 or 1. If only the reads of our own reader are followed by TCP_QUICKACK,
# there are 77 to 99; 54 at the least when 19 processes share two CPUs.
MOST = ROUNDS // 5
# A process that gets no CPU for 40 ms adds one: 27 were seen once, with 13 processes. So the best
# attempt counts.
ATTEMPTS = 5
LISTENS = "0A"  # in /proc/net/tcp


class LonelyProsody(Prosody):
    """In a network of its own."""

    def command(self) -> list[str]:
        script = 'ip link set lo up; exec "$@"'
        return ["unshare", "--net", "sh", "-ec", script, "sh", *super().command()]

    def is_ready(self) -> bool:
        rows = [line.split() for line in self.network("tcp").splitlines()[1:]]
        ports = {row[1].split(":")[1] for row in rows if row[3] == LISTENS}
        return {f"{self.port:04X}", f"{self.direct_port:04X}"} <= ports

    def network(self, name: str) -> str:
        """A file of /proc/net, in that network."""
        assert self.process is not None
        return Path(f"/proc/{self.process.pid}/net/{name}").read_text()

    def delayed_acks(self) -> int:
        """How many acknowledgements a timer has sent, so far."""
        lines = self.network("netstat").splitlines()
        names, values = (line.split() for line in lines if line.startswith("TcpExt:"))
        return int(values[names.index("DelayedACKs")])


class LonelyMount(Mount):
    """In the network of its server."""

    def command(self) -> list[str]:
        assert self.server.process is not None
        network = f"--net=/proc/{self.server.process.pid}/ns/net"
        return ["nsenter", network, *super().command()]


def lonely_pair(lab: Lab) -> tuple[Mount, Mount]:
    """Two mounts that see each other."""
    alice, bob = (
        LonelyMount(lab.build, lab.server, account, "mount", lab.folder / account.user)
        for account in lab.accounts("alice", "bob")
    )
    for mount in (alice, bob):
        lab.watch(mount)
        mount.start()
    alice.wait_online(bob.jid)
    bob.wait_online(alice.jid)
    return alice, bob


def delayed_acks_of_rounds(lab: Lab, one: int, other: int) -> int:
    before = lab.server.delayed_acks()
    for _ in range(ROUNDS):
        for source, sink in ((one, other), (other, one)):
            assert os.write(source, b"x") == 1
            assert os.read(sink, 1) == b"x"
    return lab.server.delayed_acks() - before


@pytest.mark.large
def test_bytes_there_and_back(name_spaces: None, limited_lab: LimitedLab) -> None:
    lab = limited_lab(kind=LonelyProsody)
    alice, bob = lonely_pair(lab)
    counts: list[int] = []
    with dialogue(alice, bob) as (one, other):
        while len(counts) < ATTEMPTS and min(counts, default=ROUNDS) > MOST:
            counts.append(delayed_acks_of_rounds(lab, one, other))
    print(f"delayed acknowledgements in {ROUNDS} rounds: {counts}")
    assert min(counts) <= MOST
    for mount in (alice, bob):
        mount.stop()
