# SPDX-License-Identifier: MIT
"""Figures, names and tables as the page shows them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from figures import Runs
from world import AUTO

NEVER = "not measured"
LABELS = {
    "pump": "raw pump",
    "ibbfs": "ibbfs",
    "gloox": "gloox",
    "slixmpp": "slixmpp",
    "qxmpp": "QXmpp",
    "prosody": "Prosody",
    "ejabberd": "ejabberd",
    "resumable": "default",
    "unresumable": "`reconnect=0`",
    "synced": "inbox",
    "unsynced": "inbox, `inbox_sync=no`",
    "dd": "`dd conv=fsync`",
}


def number(value: float | None) -> str:
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.2g}" if abs(value) < 1 else f"{value:.3g}"


def size_name(size: int) -> str:
    for unit, name in ((2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{size // unit} {name}"
    return f"{size} B"


def mib(kib: float | None) -> str:
    return "-" if kib is None else f"{kib / 1024:.1f}"


def both_peaks(runs: Runs) -> str:
    sender, receiver = runs.highest("sender_peak_kib"), runs.highest("receiver_peak_kib")
    return "-" if sender is None else f"{mib(sender)} / {mib(receiver)}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def spread(runs: Runs, figure: str) -> str:
    values = runs.values(figure)
    if not values:
        return "-"
    middle = number(statistics.median(values))
    return middle if len(values) == 1 else f"{middle} ({number(min(values))}-{number(max(values))})"


def rate_figure(file_bytes: int) -> tuple[str, str]:
    """The figure that counts for files of that size, and its unit."""
    return ("files_s", "files/s") if file_bytes <= 4096 else ("mb_s", "MB/s")


def block_name(block: int) -> str:
    return "auto" if block == AUTO else str(block)


def label(name: str, runs: Runs) -> str:
    """With the window that was used, and whether in pieces, where that is known."""
    window, piece = runs.median("window"), runs.median("piece")
    words = [LABELS[name], f"W={window:.0f}" if window else "", "pieces" if piece else ""]
    return ", ".join(word for word in words if word)
