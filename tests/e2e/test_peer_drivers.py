# SPDX-License-Identifier: MIT
"""The other clients among themselves: a test of the programs that drive them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab import Lab
from peers import Client

pytestmark = pytest.mark.once

# Not libpurple to gloox: libpurple thinks that gloox accepts no files.
PAIRS = [
    ("gloox", "purple"),
    ("gloox", "qxmpp"),
    ("purple", "qxmpp"),
    ("qxmpp", "gloox"),
    ("qxmpp", "purple"),
    ("slix", "slix"),
]
both = pytest.mark.parametrize("pair", PAIRS, ids="-to-".join)


def two_clients(lab: Lab, programs: dict[str, Path], pair: tuple[str, str]) -> list[Client]:
    accounts = lab.accounts("alice", "bob")
    return [lab.client(account, programs[name]) for account, name in zip(accounts, pair)]


@both
def test_files(lab: Lab, programs: dict[str, Path], pair: tuple[str, str]) -> None:
    sender, receiver = two_clients(lab, programs, pair)
    receiver.accept()
    for size in (1, 4096, 100000):
        source = lab.random_file(size, f"Größe {size}")
        sender.send(source, receiver.jid)
        if pair[0] != "slix":
            assert receiver.expect("offer") == f"{sender.jid} {size} Größe {size}"
        sender.expect("sent")
        assert receiver.received().read_bytes() == source.read_bytes()


@both
def test_refused(lab: Lab, programs: dict[str, Path], pair: tuple[str, str]) -> None:
    sender, receiver = two_clients(lab, programs, pair)
    receiver.refuse()
    sender.send(lab.random_file(1), receiver.jid)
    sender.expect("refused")


@both
@pytest.mark.parametrize("who", ["sender", "receiver"])
def test_cancelled(lab: Lab, programs: dict[str, Path], pair: tuple[str, str], who: str) -> None:
    sender, receiver = two_clients(lab, programs, pair)
    receiver.accept()
    large = lab.folder / "large"
    large.touch()
    os.truncate(large, 64 * 1024 * 1024)
    sender.send(large, receiver.jid)
    sender.expect("started")
    receiver.expect("started")
    one, other = (sender, receiver) if who == "sender" else (receiver, sender)
    one.cancel()
    one.expect("cancelled")
    if pair != ("slix", "slix") or who == "receiver":  # which cannot know how much is missing
        other.expect("failed")
