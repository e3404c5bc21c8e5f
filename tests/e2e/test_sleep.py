# SPDX-License-Identifier: MIT
"""A machine that sleeps: the clocks of one mount say so (tests/clock/asleep.c)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon import Mount
from lab import Lab

ASLEEP = Path(__file__).resolve().parents[2] / "build" / "check" / "tests" / "clock" / "libasleep.so"

# What is preloaded has to be a sanitizer's own.
pytestmark = pytest.mark.large

# The server is given up after so many seconds, if the machine has not slept (src/xmpp/keepalive.c).
SILENCE_S = 20


class Sleeper:
    """What the environment of one mount says about its machine's sleep."""

    def __init__(self, folder: Path) -> None:
        assert ASLEEP.exists(), f"{ASLEEP} was not built"
        folder.mkdir()
        self.environment = {"IBBFS_ASLEEP": str(folder), "LD_PRELOAD": str(ASLEEP)}
        self.slept = folder / "slept"
        self.slept.write_text("0")
        os.mkfifo(folder / "woken")
        self.woken = os.open(folder / "woken", os.O_RDWR)

    def wake(self, slept_s: int) -> None:
        self.slept.write_text(str(slept_s))
        os.write(self.woken, b"12345678")


@pytest.fixture
def sleeper(lab: Lab) -> Iterator[Sleeper]:
    sleeper = Sleeper(lab.folder / "asleep")
    yield sleeper
    os.close(sleeper.woken)


def pair(lab: Lab, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch) -> tuple[Mount, Mount]:
    """The machine of the first one sleeps."""
    first, second = lab.accounts("alice", "bob")
    bob = lab.mount(second)
    with monkeypatch.context() as environment:
        for name, value in sleeper.environment.items():
            environment.setenv(name, value)
        alice = lab.mount(first, via=lab.proxy(first))
    alice.wait_online(bob.jid)
    bob.wait_online(alice.jid)
    return alice, bob


def test_the_connection_is_checked_at_once(
    lab: Lab, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A router has forgotten the connection meanwhile. Written bytes wait for the next one."""
    alice, bob = pair(lab, sleeper, monkeypatch)
    alice.via.strand()
    before, started = alice.via.connections, time.monotonic()
    sleeper.wake(600)
    (alice.contact(bob) / "a").write_bytes(b"after ten minutes")
    assert alice.via.connections > before
    assert time.monotonic() - started < SILENCE_S
    assert bob.incoming(alice, "a").read_bytes() == b"after ten minutes"


def test_a_clock_that_is_set_is_no_sleep(
    lab: Lab, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = pair(lab, sleeper, monkeypatch)
    before = alice.via.connections
    sleeper.wake(0)
    (alice.contact(bob) / "a").write_bytes(b"bytes")
    assert bob.incoming(alice, "a").read_bytes() == b"bytes"
    assert alice.via.connections == before
