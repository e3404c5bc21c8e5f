# SPDX-License-Identifier: MIT
"""The runs as a page of tables: docs/bench.md."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import plot
from figures import Runs
from sections import HELD_BYTES, HELD_STREAMS

LABELS = {
    "pump": "raw pump",
    "ibbfs": "ibbfs",
    "gloox": "gloox",
    "slixmpp": "slixmpp",
    "qxmpp": "QXmpp",
    "prosody": "Prosody",
    "ejabberd": "ejabberd",
    "synced": "inbox",
    "unsynced": "inbox, `inbox_sync=no`",
    "dd": "`dd conv=fsync`",
}
NEVER = "not measured"
DAEMON_MIB = 16  # the memory limit of a daemon

HOW = """\
MB are 10^6 bytes of payload, before base64; GB are 10^9 bytes, and MiB are 2^20 bytes. Everything
was measured in one run, on one machine, over loopback, with TLS, in {rounds}. In each round the
implementations take turns, so that figures which are compared were measured back to back. A ratio
is the median of the ratios of all rounds. Absolute figures say more about the machine than about
ibbfs.

* **raw pump**: two sockets, prepared stanzas, a fixed window, no XML parser. It shows what the
  server can carry between two clients. Its window is the smallest one that reaches 95 % of its best
  throughput, for each server, block size and distance. At a Prosody, the pump also tries TLS
  records of 4096 bytes that are padded with spaces ("pieces"), as ibbfs sends them there.
* **ibbfs**: two mounts, `cp` into one and `cat` from the other. The options are `server`, `cafile`,
  `password_file` and `block_size`; all others have their defaults.
* **gloox, slixmpp, QXmpp**: the same library at both ends, a process each. gloox sends without
  waiting for acknowledgements. The other two wait for the acknowledgement of each block. QXmpp
  supports only blocks of 4096 bytes.
* The time begins when the transfer is requested (`cp` starts, `<open/>` or an offer is sent), and
  ends with the last acknowledgement. The received bytes are compared every time, by SHA-256 or byte
  by byte.
* Distance is a relay between each client and the server, which delays every byte by D ms in each
  direction. So a block takes 2 D from client to client, and the round-trip time of a block and its
  acknowledgement is 4 D. With 0 ms there is no relay.
* The size of each transfer is chosen for about the same duration, and is at most 64 MiB. So a slow
  implementation sends fewer bytes.
* The servers are those of Debian with the modules that Debian enables; limits on rates are off
  (`tests/bench/prosody_server.py`, `tests/e2e/ejabberd.py`). Every implementation has
  accounts of its own.
* CPU seconds and memory are those of the processes at both ends. Memory is the peak resident size
  of the larger process.
"""


# ---- Markdown ----


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


def label(name: str, runs: Runs) -> str:
    """With the window that was used, and whether in pieces, where that is known."""
    window, piece = runs.median("window"), runs.median("piece")
    words = [LABELS[name], f"W={window:.0f}" if window else "", "pieces" if piece else ""]
    return ", ".join(word for word in words if word)


def kinds(runs: Runs, field: str) -> list:
    """The values of a field, in the order measured."""
    return list(dict.fromkeys(getattr(run, field) for run in runs))


# ---- the targets ----


@dataclass
class Target:
    """A row: the goal, and each figure that counts towards it."""

    what: str
    wanted: float
    measured: list[tuple[str, float]]
    at_most: bool = False

    def row(self) -> list[str]:
        sign = "at most" if self.at_most else "at least"
        if not self.measured:
            return [self.what, f"{sign} {number(self.wanted)}", NEVER, "-"]
        shown = ", ".join(f"{number(value)} {where}".strip() for where, value in self.measured)
        good = all(
            value <= self.wanted if self.at_most else value >= self.wanted
            for _, value in self.measured
        )
        return [self.what, f"{sign} {number(self.wanted)}", shown, "yes" if good else "**no**"]


def per_cell(runs: Runs, implementation: str, other: str, delay_ms: int) -> list[tuple[str, float]]:
    """The ratio of throughputs for each block size of the runs, all of one server."""
    found = []
    for block in kinds(runs.where(section="distance"), "block"):
        where = dict(section="distance", block=block, delay_ms=delay_ms)
        ratio = runs.ratio("mb_s", implementation, other, **where)
        if ratio is not None:
            found.append((f"({block})", ratio))
    return found


def more_streams(runs: Runs, count: int) -> list[tuple[str, float]]:
    """Throughput of `count` streams to that of one, in the same round."""
    found = []
    for block in kinds(runs.where(section="streams"), "block"):
        mine = runs.where(section="streams", implementation="ibbfs", block=block)
        one = {r.round: r.figures["mb_s"] for r in mine.where(streams=1)}
        ratios = [
            r.figures["mb_s"] / one[r.round] for r in mine.where(streams=count) if r.round in one
        ]
        if ratios:
            found.append((f"({block})", statistics.median(ratios)))
    return found


def one(name: str, value: float | None) -> list[tuple[str, float]]:
    return [] if value is None else [(name, value)]


def round_trip_ratio(runs: Runs, beside: bool) -> float | None:
    return runs.ratio("p50_us", "ibbfs", "pump", section="roundtrips", beside=beside)


def server_targets(runs: Runs, server: str) -> list[Target]:
    name = LABELS[server]
    mine = runs.where(server=server)
    ibbfs = mine.where(implementation="ibbfs")
    near = 0.9 if server == "prosody" else 0.8
    found = []
    for other, wanted in (
        ("pump", {0: near, 50: 0.9}),
        ("slixmpp", {0: 3, 10: 30, 50: 100}),
        ("qxmpp", {0: 3, 10: 30, 50: 100}),
        ("gloox", {0: 1.2, 10: 1.2, 50: 1.2}),
    ):
        for delay_ms, least in wanted.items():
            what = f"{name}: ibbfs / {LABELS[other]}, {delay_ms} ms (block size)"
            found.append(Target(what, least, per_cell(mine, "ibbfs", other, delay_ms)))
    cpu = ibbfs.where(section="distance", block=4096, delay_ms=0).median("cpu_s_per_gb")
    found.append(Target(f"{name}: CPU s/GB of both daemons, 4096", 30, one("", cpu), True))
    peak = ibbfs.where(section="distance").highest("peak_kib")
    value = one("", peak and peak / 1024)
    found.append(Target(f"{name}: MiB of a daemon, one stream", DAEMON_MIB, value, True))
    held = ibbfs.where(section="memory", streams=HELD_STREAMS).highest("peak_kib")
    limit = DAEMON_MIB + HELD_STREAMS * HELD_BYTES / 2**20
    what = f"{name}: MiB of a daemon, {HELD_STREAMS} streams of {HELD_BYTES} bytes unread"
    found.append(Target(what, limit, one("", held and held / 1024), True))
    what = f"{name}: {HELD_STREAMS} streams / 1 stream, in all"
    found.append(Target(what, 0.9, more_streams(mine, HELD_STREAMS)))
    for beside, wanted in ((False, 1.5), (True, 5)):
        when = "beside a bulk copy" if beside else "idle"
        what = f"{name}: round trip of a byte / pump's, {when}"
        found.append(Target(what, wanted, one("", round_trip_ratio(mine, beside)), True))
    stalled = mine.where(section="memory", streams=1)
    ratio = stalled.ratio("server_peak_kib", "ibbfs", "gloox")
    what = f"{name}: memory of the server when a reader stops, ibbfs / gloox"
    found.append(Target(what, 1, one("", ratio), True))
    small = dict(section="files", delay_ms=0, file_bytes=4096)
    ratio = mine.ratio("files_s", "ibbfs", "pump", **small)
    found.append(Target(f"{name}: files of 4 KiB a second / pump's", 0.8, one("", ratio)))
    return found + inbox_targets(mine, name)


def inbox_targets(runs: Runs, name: str) -> list[Target]:
    mine = runs.where(section="inbox")
    small, large = mine.where(file_bytes=4096), Runs(r for r in mine if r.file_bytes > 4096)
    pairs = [
        (f"({count} `cp`)", small.ratio("files_s", "synced", "unsynced", streams=count))
        for count in kinds(small, "streams")
    ]
    ratio = large.ratio("mb_s", "synced", "unsynced")
    measured = [(where, found) for where, found in pairs if found is not None]
    what = f"{name}: into an inbox, synced / not"
    return [
        Target(f"{what}, files of 4 KiB a second", 0.5, measured),
        Target(f"{what}, a large file", 0.95, one("", ratio)),
    ]


def targets(runs: Runs) -> str:
    rows = [t.row() for server in kinds(runs, "server") for t in server_targets(runs, server)]
    return table(["figure", "wanted", "measured", "reached"], rows)


# ---- the tables ----


def distance(runs: Runs) -> str:
    text = ""
    for server in kinds(runs, "server"):
        for block in kinds(runs.where(server=server), "block"):
            text += f"### {LABELS[server]}, blocks of {block}\n\n"
            text += distance_table(runs.where(server=server, block=block)) + "\n"
    return text


def distance_table(runs: Runs) -> str:
    rows = []
    for delay_ms in kinds(runs, "delay_ms"):
        here = runs.where(delay_ms=delay_ms)
        for name in kinds(here, "implementation"):
            mine = here.where(implementation=name)
            speed, cpu = mine.median("mb_s"), mine.median("cpu_s_per_gb")
            busy = cpu * speed / 1000 if cpu is not None and speed is not None else None
            rows.append(
                [
                    str(delay_ms),
                    label(name, mine),
                    spread(mine, "mb_s"),
                    number(here.ratio("mb_s", name, "pump")),
                    number((mine.median("bytes") or 0) / 2**20),
                    number(cpu),
                    number(mine.median("server_cpu_s_per_gb")),
                    f"{number(busy)} / {number(mine.median('server_busy'))}",
                    both_peaks(mine),
                    mib(mine.highest("server_peak_kib")),
                ]
            )
    head = ["D ms", "", "MB/s median (min-max)", "/ pump", "MiB sent", "CPU s/GB, ends"]
    head += ["server's", "cores busy, ends / server", "peak MiB, sender / receiver", "server's"]
    return table(head, rows)


def streams(runs: Runs) -> str:
    rows = []
    for server in kinds(runs, "server"):
        for block in kinds(runs, "block"):
            for count in kinds(runs, "streams"):
                where = dict(server=server, block=block, streams=count)
                pump = runs.where(implementation="pump", **where)
                ibbfs = runs.where(implementation="ibbfs", **where)
                if not ibbfs:
                    continue
                rows.append(
                    [LABELS[server], str(block), str(count)]
                    + [spread(pump, "mb_s"), spread(ibbfs, "mb_s")]
                    + [number(runs.ratio("mb_s", "ibbfs", "pump", **where))]
                    + [number(ibbfs.median("cpu_s_per_gb")), both_peaks(ibbfs)]
                )
    head = ["server", "block", "streams", "pump MB/s", "ibbfs MB/s", "ibbfs / pump"]
    head += ["ibbfs CPU s/GB", "ibbfs peak MiB, sender / receiver"]
    text = (
        "All streams are between two accounts and open at once. The time to open them is left\n"
        "out. The daemons stay from row to row, and keep the memory that the largest number of\n"
        "streams has needed.\n\n"
    )
    return text + table(head, rows)


def files(runs: Runs) -> str:
    rows = []
    for server in kinds(runs, "server"):
        for size in sorted(kinds(runs, "file_bytes")):
            for delay_ms in sorted(kinds(runs.where(file_bytes=size), "delay_ms")):
                where = dict(server=server, file_bytes=size, delay_ms=delay_ms)
                pump = runs.where(implementation="pump", **where)
                ibbfs = runs.where(implementation="ibbfs", **where)
                figure, unit = ("files_s", "files/s") if size <= 4096 else ("mb_s", "MB/s")
                if not ibbfs:
                    continue
                rows.append(
                    [LABELS[server], size_name(size), str(delay_ms)]
                    + [f"{ibbfs.median('files') or 1:.0f}"]
                    + [f"{spread(pump, figure)} {unit}", f"{spread(ibbfs, figure)} {unit}"]
                    + [number(runs.ratio(figure, "ibbfs", "pump", **where))]
                )
    text = (
        "One `cp` copies many files, one after the other, or one large file. For each small\n"
        "file, the pump opens, sends a block and closes, and waits each time. It sends the large\n"
        "file with its window.\n\n"
    )
    head = ["server", "size", "D ms", "files", "pump", "ibbfs", "ibbfs / pump"]
    return text + table(head, rows)


def round_trips(runs: Runs) -> str:
    rows = []
    for server in kinds(runs, "server"):
        idle = runs.where(server=server, implementation="pump", beside=False).median("p50_us")
        for beside in (False, True):
            where = dict(server=server, beside=beside)
            for name in ("pump", "ibbfs"):
                mine = runs.where(implementation=name, **where)
                middle = mine.median("p50_us")
                rows.append(
                    [LABELS[server], "yes" if beside else "no"]
                    + [label(name, mine if beside else Runs())]
                    + [number(middle), number(mine.median("p99_us"))]
                    + [number(runs.ratio("p50_us", name, "pump", **where))]
                    + [number(middle / idle if middle and idle else None)]
                    + [number(mine.median("bulk_mb_s"))]
                )
    text = (
        "A byte is sent to the other side, which sends a byte back on the same stream. Through\n"
        "the mounts, both ends use `open(O_RDWR)`, `write` and `read`. A bulk copy beside it\n"
        "uses the same two connections. The pump's has 16 blocks in flight. The one of ibbfs has\n"
        "as many as its window allows. The target is the ratio to the pump in the same\n"
        "situation. The next column has the stricter ratio, to the idle pump.\n\n"
    )
    head = ["server", "bulk copy", "", "p50 µs", "p99 µs", "p50 / pump's", "p50 / pump's when idle"]
    return text + table([*head, "bulk MB/s"], rows)


def memory(runs: Runs) -> str:
    rows = []
    for run in runs:
        if run.streams > 1:
            what = f"{run.streams} streams of {HELD_BYTES} bytes, nobody reads"
        else:
            what = "64 MiB, the reader has stopped"
        got = run.figures
        rows.append(
            [LABELS[run.server], LABELS[run.implementation], what]
            + [mib(got.get(f"{who}_peak_kib")) for who in ("sender", "receiver", "server")]
        )
    head = ["server", "", "what", "sender, peak MiB", "receiver", "server"]
    return table(head, rows)


def inbox(runs: Runs) -> str:
    rows = []
    for server in kinds(runs, "server"):
        for size in sorted(kinds(runs, "file_bytes")):
            figure, unit = ("files_s", "files/s") if size <= 4096 else ("mb_s", "MB/s")
            here = runs.where(server=server, file_bytes=size)
            for count in kinds(here, "streams"):
                for name in kinds(here.where(streams=count), "implementation"):
                    mine = here.where(implementation=name, streams=count)
                    ratios = [
                        here.ratio(figure, name, other, streams=count)
                        for other in ("unsynced", "ibbfs", "dd")
                    ]
                    rows.append(
                        [LABELS[server], size_name(size)]
                        + [f"{mine.median('files') or 1:.0f}", str(count)]
                        + ["no inbox" if name == "ibbfs" else LABELS[name]]
                        + [f"{spread(mine, figure)} {unit}", *map(number, ratios)]
                    )
    text = (
        "`cp` into a mount, and the receiver stores the file in its inbox, in the build\n"
        "directory (the file system is in the table above). When `cp` ends, the file is on disk\n"
        "or, with `inbox_sync=no`, in the page cache. Without an inbox, a large file is read, and\n"
        "small ones are not. `dd` writes the same files to the same disk, one process after the\n"
        "other.\n\n"
    )
    head = ["server", "size", "files", "`cp` at once", "", "median (min-max)"]
    return text + table([*head, "/ `inbox_sync=no`", "/ no inbox", "/ `dd`"], rows)


SECTIONS = [
    ("distance", "Throughput over distance", distance),
    ("streams", "Many streams", streams),
    ("files", "Files of all sizes", files),
    ("roundtrips", "Round trips", round_trips),
    ("memory", "Memory", memory),
    ("inbox", "Into an inbox", inbox),
]


def text(machine: dict[str, str], runs: Runs, failures: list[str], again: list[str]) -> str:
    rounds = len({run.round for run in runs})
    counted = f"{rounds} rounds" if rounds > 1 else "a single round"
    page = "# How fast ibbfs is\n\n"
    page += "<!-- Written by scripts/bench: change the script, not this page. -->\n\n"
    page += "`scripts/bench` writes this page, and measures all of it again.\n\n"
    if {run.delay_ms for run in runs.where(section="distance")}:
        page += "![Throughput over distance](bench.svg)\n\n"
    page += "## What it must reach\n\n" + targets(runs) + "\n"
    page += "[profile.md](profile.md) explains the targets that are missed.\n\n"
    page += "## How it is measured\n\n" + HOW.format(rounds=counted)
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
