# SPDX-License-Identifier: MIT
"""Servers that limit the rate of their users, or the size of stanzas."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from daemon import KIBIBYTE, Mount
from faultproxy import FaultProxy
from lab import Lab
from prosody import LARGEST_STANZA, OWN_MODULES, SAYS_SO, SHORT_STANZAS
from rawpeer import is_kind
from test_faults import Transfer, answers_quickly

SLOW = 'limits = { c2s = { rate = "10kb/s" } }'  # as Debian configures it
ENVELOPE = 400  # what a block's stanza is longer than its base64, or a little less

LimitedLab = Callable[..., Lab]


@pytest.mark.timeout(200)
def test_ten_kilobytes_a_second(limited_lab: LimitedLab) -> None:
    lab = limited_lab(modules=("limits",), settings=SLOW)
    alice, bob = lab.pair("timeout=10", "timeout=10")
    transfer = Transfer(lab, alice, bob, 80 * KIBIBYTE)
    transfer.wait_progress(20 * KIBIBYTE)
    for mount in (alice, bob):
        answers_quickly(lab, mount)
    transfer.expect_success(100)


def test_stanzas_that_are_just_short_enough(limited_lab: LimitedLab) -> None:
    lab = limited_lab(**SHORT_STANZAS)
    options = f"block_size={(LARGEST_STANZA - ENVELOPE) // 4 * 3}"
    alice, bob = lab.pair(options, options)
    Transfer(lab, alice, bob, 200 * KIBIBYTE).expect_success(60)
    assert os.getxattr(alice.contact(bob) / "source", "user.ibb.block_size") == b"7200"


def via_proxy(lab: Lab, options: str) -> tuple[Mount, FaultProxy, Mount]:
    first, second = lab.accounts("alice", "bob")
    proxy = lab.proxy(first)
    alice, bob = lab.mount(first, options, via=proxy), lab.mount(second, options)
    alice.wait_online(bob.jid)
    return alice, proxy, bob


def test_stanzas_that_are_too_long(limited_lab: LimitedLab) -> None:
    """The server ends the connection. Blocks get shorter until they pass, and stay so."""
    lab = limited_lab(**SHORT_STANZAS)
    alice, proxy, bob = via_proxy(lab, "block_size=65535")
    Transfer(lab, alice, bob, 200 * KIBIBYTE).expect_success(60)
    connections = proxy.connections
    assert 3 <= connections <= 4, "two breaks are a proof, and the third is of the next size"
    small = lab.random_file(100 * KIBIBYTE, "small")
    assert lab.run("cp", small, alice.contact(bob)).returncode == 0
    assert bob.incoming(alice, "small").read_bytes() == small.read_bytes()
    assert os.getxattr(alice.contact(bob) / "small", "user.ibb.block_size") == b"4096"
    assert proxy.connections == connections, "it has forgotten what the server takes"


@pytest.mark.once
@pytest.mark.parametrize("how", ["silence", "error"])
def test_stanzas_that_are_not_carried(limited_lab: LimitedLab, how: str) -> None:
    """The server goes on without these stanzas. Blocks get shorter until they pass, and stay so."""
    lab = limited_lab(
        modules=("long_stanzas",),
        settings=f'long_stanzas = "{how}"\nlong_stanzas_limit = {LARGEST_STANZA}\n' + OWN_MODULES,
    )
    alice, proxy, bob = via_proxy(lab, "block_size=65535")
    Transfer(lab, alice, bob, 200 * KIBIBYTE).expect_success(25)
    small = lab.random_file(100 * KIBIBYTE, "small")
    assert lab.run("cp", small, alice.contact(bob)).returncode == 0
    assert bob.incoming(alice, "small").read_bytes() == small.read_bytes()
    assert os.getxattr(alice.contact(bob) / "small", "user.ibb.block_size") == b"4096"
    assert proxy.connections == 1


@pytest.mark.parametrize("block_size", ["65535", "auto"])
def test_a_server_that_says_so(limited_lab: LimitedLab, block_size: str) -> None:
    """The server ends the connection of a client that sends longer stanzas than XEP-0478 allows."""
    lab = limited_lab(**SAYS_SO)
    alice, proxy, bob = via_proxy(lab, f"block_size={block_size}")
    Transfer(lab, alice, bob, 200 * KIBIBYTE).expect_success(60)
    agreed = int(os.getxattr(alice.contact(bob) / "source", "user.ibb.block_size"))
    assert (LARGEST_STANZA - 600) // 4 * 3 - 200 < agreed < LARGEST_STANZA // 4 * 3
    assert proxy.connections == 1


@pytest.mark.parametrize("block_size", ["65535", "auto"])
def test_what_the_server_takes_is_less_than_what_was_agreed_on(
    limited_lab: LimitedLab, block_size: str
) -> None:
    """The peer opens; our bytes to it still pass through our server."""
    lab = limited_lab(**SAYS_SO)
    mount, peer = lab.with_raw(f"block_size={block_size}")
    assert peer.open(mount.jid, "s", block_size=65535).get("type") == "result"
    content = os.urandom(100 * KIBIBYTE)
    with open(mount.incoming(peer, "s"), "r+b", buffering=0) as back:
        assert back.write(content) == len(content)
    assert peer.received("s") == content
    blocks = peer.find(is_kind("data", sid="s"))
    assert max(len(ET.tostring(block)) for block in blocks) <= LARGEST_STANZA
