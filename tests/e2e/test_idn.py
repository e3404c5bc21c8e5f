# SPDX-License-Identifier: MIT
"""A server of an internationalized domain: its certificate has A-labels, its addresses U-labels."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab import Lab

HOST = "plä.example"


@pytest.mark.server("prosody", "a server for each domain would take another second each")
def test_between_two_mounts(limited_lab: Callable[..., Lab]) -> None:
    lab = limited_lab(host=HOST)
    alice, bob = lab.pair()
    source = lab.random_file(10_000, "f")
    assert bob.account.host == HOST
    # The directory's name has U-labels, and any spelling of the address finds it.
    assert lab.run("cp", source, alice.contact(bob)).returncode == 0
    assert bob.incoming(alice, "f").read_bytes() == source.read_bytes()
    typed = alice.path / f"{bob.account.user.upper()}@XN--PL-WIA.example"
    assert lab.run("cp", source, typed / "g").returncode == 0
    assert bob.incoming(alice, "g").read_bytes() == source.read_bytes()
