# SPDX-License-Identifier: MIT
"""Peers that send more than anybody can use: each limit is exceeded, and others do not notice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from daemon import Mount
from lab import Lab
from rawpeer import NS_PING
from test_hostile import still_serves

MIBIBYTE = 1024 * 1024


def most_memory(mount: Mount) -> int:
    """The most that the daemon has ever had resident, in bytes."""
    for line in Path(f"/proc/{mount.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def processor_seconds(mount: Mount) -> float:
    fields = Path(f"/proc/{mount.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_sanitized(mount: Mount) -> bool:
    """Sanitizers need memory and time of their own."""
    return mount.build.name != "plain"


# ---- stanzas ----

# As large as Prosody and ejabberd let through: 256 KiB.
LARGE_STANZAS = {
    "deep": "<a>" * 36_000 + "</a>" * 36_000,
    "wide": "<a/>" * 60_000,
    "mixed": "x<a/>" * 50_000,
    "attributes": "<a " + " ".join(f"b{i}=''" for i in range(9_000)) + "/>",
    "text": "x" * 250_000,
    "name": f"<{'a' * 250_000}/>",
}


@pytest.mark.parametrize("shape", LARGE_STANZAS)
def test_a_stanza_of_many_elements(lab: Lab, shape: str) -> None:
    """Unpruned, one takes libstrophe 10 s and 15 MiB."""
    mount, peer = lab.with_raw()
    memory, seconds = most_memory(mount), processor_seconds(mount)
    child = f"<query xmlns='none'>{LARGE_STANZAS[shape]}</query>"
    for _ in range(3):
        peer.request(mount.jid, child, type_="get", wait=False)
    peer.request(mount.jid, f"<ping xmlns='{NS_PING}'/>", type_="get")
    if not is_sanitized(mount):
        assert most_memory(mount) - memory < 6 * MIBIBYTE
        assert processor_seconds(mount) - seconds < 1
    still_serves(lab, mount, peer)
