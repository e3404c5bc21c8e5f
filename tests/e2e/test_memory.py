# SPDX-License-Identifier: MIT
"""Memory that bytes were held in goes back to the system."""

from __future__ import annotations

import pytest

from daemon import MEBIBYTE, Mount, poll_until, status_kib
from lab import Lab

HELD = 16 * MEBIBYTE


def memory(mount: Mount) -> int:
    """The resident memory of the daemon, in bytes."""
    return status_kib(mount.pid, "VmRSS") * 1024


@pytest.mark.once
def test_memory_of_unread_bytes_is_returned(lab: Lab) -> None:
    """The build is the plain one: sanitizers keep what is freed."""
    alice, bob = lab.pair(bob_options=f"buffer={HELD}")
    before = memory(bob)
    file = lab.random_file(HELD)
    lab.run("cp", file, alice.contact(bob) / "file")
    assert memory(bob) > before + HELD
    assert bob.incoming(alice, "file").read_bytes() == file.read_bytes()
    poll_until(
        lambda: memory(bob) < before + 2 * MEBIBYTE, timeout=30, what="the memory is returned"
    )
