# SPDX-License-Identifier: MIT
"""The runs as a page of tables: docs/bench.md."""

from __future__ import annotations

from pathlib import Path

import plot
import tables
from figures import Runs
from page import LABELS, table
from targets import targets

HOW = """\
MB are 10^6 bytes of payload, before base64; GB are 10^9 bytes, and MiB are 2^20 bytes. Everything
was measured in one run, on one machine, over loopback, with TLS, in {rounds}. In each round the
implementations take turns, so that figures which are compared were measured back to back. A ratio
is the median of the ratios of all rounds. Absolute figures say more about the machine than about
ibbfs.

* **raw pump**: two sockets, prepared stanzas, a fixed window, no XML parser. It shows what the
  server can carry between two clients. Its window is the smallest one that reaches 95 % of its best
  throughput, for each server, block size and distance; windows of up to 32 MiB are tried. At a
  Prosody, the pump also tries TLS records of 4096 bytes that are padded with spaces ("pieces"), as
  ibbfs sends them there.
* **ibbfs**: two mounts, `cp` into one and `cat` from the other. The options are `server`, `cafile`,
  `password_file`, `block_size` and `max_streams`; all others have their defaults. Throughput over
  distance is that of later files to a peer, after some that are not counted.
* `auto` is `block_size=auto`. It is compared with the block size that is best at that distance, of
  the pump, of gloox and of ibbfs.
* **gloox, slixmpp, QXmpp**: the same library at both ends, a process each. gloox sends without
  waiting for acknowledgements. The other two wait for the acknowledgement of each block. QXmpp
  supports only blocks of 4096 bytes. Those two are measured in {waiting}, as their figures hardly
  vary.
* The time begins when the transfer is requested (`cp` starts, `<open/>` or an offer is sent), and
  ends with the last acknowledgement. The received bytes are compared every time, by SHA-256 or byte
  by byte.
* Distance is a relay between each client and the server, which delays every byte by D ms in each
  direction. So a block takes 2 D from client to client, and the round-trip time of a block and its
  acknowledgement is 4 D. With 0 ms there is no relay.
* The size of each transfer is chosen for about the same duration, and is at most 64 MiB. So a slow
  implementation sends fewer bytes. At an ejabberd far away, ibbfs, the pump and gloox send 64 MiB.
* The servers are those of Debian with the modules that Debian enables; limits on rates are off
  (`tests/bench/prosody_server.py`, `tests/e2e/ejabberd.py`). Every implementation has
  accounts of its own.
* CPU seconds and memory are those of the processes at both ends. Memory is the peak resident size
  of the larger process. From outside, 20 times a second: what `cp` has written and the sender has
  no acknowledgement for is in flight, and what the receiver has and `cat` has not read is unread.
  A daemon may use 10 MiB, and 1.25 times the most bytes that were in flight or unread.
"""

FAST = ("ibbfs", "pump")

SECTIONS = [
    ("distance", "Throughput over distance", tables.distance),
    ("first", "The first file to a peer", tables.first),
    ("streams", "Many streams", tables.streams),
    ("files", "Files of all sizes", tables.files),
    ("roundtrips", "Round trips", tables.round_trips),
    ("memory", "Memory", tables.memory),
    ("inbox", "Into an inbox", tables.inbox),
    ("cost", "What resumption costs", tables.cost),
]


def rounds(runs: Runs) -> str:
    count = len(runs.kinds("round"))
    return f"{count} rounds" if count > 1 else "one round"


def how(runs: Runs) -> str:
    counted = Runs(run for run in runs if run.section != "cost" and run.implementation in FAST)
    waiting = runs.where(section="distance", implementation="slixmpp")
    return HOW.format(rounds=rounds(counted), waiting=rounds(waiting))


def text(machine: dict[str, str], runs: Runs, failures: list[str], again: list[str]) -> str:
    page = "# How fast ibbfs is\n\n"
    page += "<!-- Written by scripts/bench: change the script, not this page. -->\n\n"
    page += "`scripts/bench` writes this page, and measures all of it again.\n\n"
    if {run.delay_ms for run in runs.where(section="distance")}:
        page += "![Throughput over distance](bench.svg)\n\n"
    page += "## What it must reach\n\n" + targets(runs) + "\n"
    page += "[profile.md](profile.md) explains the targets that are missed.\n\n"
    page += "## How it is measured\n\n" + how(runs)
    if again:
        page += f"* Measured again later, on the same machine: {'; '.join(again)}.\n"
    page += "\n"
    page += table(["machine", ""], machine.items()) + "\n"
    for name, title, section in SECTIONS:
        mine = runs.where(section=name)
        if mine:
            page += f"## {title}\n\n{section(mine)}\n"
    if failures:
        page += "## Not measured\n\n" + "".join(f"* {line}\n" for line in failures)
    return page.rstrip("\n") + "\n"


def write(
    folder: Path, machine: dict[str, str], runs: Runs, failures: list[str], again: list[str]
) -> None:
    (folder / "bench.md").write_text(text(machine, runs, failures, again))
    (folder / "bench.svg").write_text(plot.svg(runs.where(section="distance", block=4096), LABELS))
