# SPDX-License-Identifier: MIT
"""What the figures must reach: a row for each goal."""

from __future__ import annotations

from dataclasses import dataclass

from figures import Run, Runs
from page import LABELS, NEVER, block_name, number, table
from sections import HELD_BYTES, HELD_STREAMS, UNIT
from world import AUTO

DAEMON_MIB = 10  # the memory limit of a daemon, without the bytes that it holds
HELD_FACTOR = 1.25  # and for each of those
LEAST_TO_PUMP = {"prosody": 1.0, "ejabberd": 0.9}

Measured = list[tuple[str, float]]


@dataclass
class Target:
    """A row: the goal, and each figure that counts towards it."""

    what: str
    wanted: float
    measured: Measured
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


def some(pairs: list[tuple[str, float | None]]) -> Measured:
    """Those that were measured."""
    return [(where, value) for where, value in pairs if value is not None]


# ---- throughput ----


def best_block(runs: Runs, implementation: str) -> Runs:
    """Those with the block size of the highest throughput."""
    mine = runs.where(implementation=implementation)
    sizes = [block for block in mine.kinds("block") if block != AUTO]
    cells = [mine.where(block=block) for block in sizes]
    return max(cells, key=lambda cell: cell.median("mb_s") or 0, default=Runs())


def rival(runs: Runs, implementation: str, block: int) -> Runs:
    """What ibbfs with these blocks is compared with, of the runs at one distance."""
    if block == AUTO:
        return best_block(runs, implementation)
    return runs.where(implementation=implementation, block=block)


def throughput(mine: Runs, name: str, other: str, wanted: float) -> list[Target]:
    found = []
    distance = mine.where(section="distance")
    for delay_ms in distance.kinds("delay_ms"):
        here = distance.where(delay_ms=delay_ms)
        ibbfs = here.where(implementation="ibbfs")
        ratios = [
            (f"({block_name(b)})", ibbfs.where(block=b).over(rival(here, other, b), "mb_s"))
            for b in ibbfs.kinds("block")
        ]
        what = f"{name}: ibbfs / {LABELS[other]}, {delay_ms} ms (block size)"
        found.append(Target(what, wanted, some(ratios)))
    return found


def auto(mine: Runs, name: str) -> Target:
    ibbfs = mine.where(section="distance", implementation="ibbfs")
    ratios = []
    for delay_ms in ibbfs.kinds("delay_ms"):
        here = ibbfs.where(delay_ms=delay_ms)
        ratio = here.where(block=AUTO).over(best_block(here, "ibbfs"), "mb_s")
        ratios.append((f"({delay_ms} ms)", ratio))
    return Target(f"{name}: `block_size=auto` / the best size", 0.95, some(ratios))


def first_file(mine: Runs, name: str) -> Target:
    here = mine.where(section="first")
    counts = [
        (f"({block_name(b)})", here.where(block=b).median("round_trips"))
        for b in here.kinds("block")
    ]
    delays = ", ".join(f"{delay_ms} ms" for delay_ms in here.kinds("delay_ms"))
    what = f"{name}: round trips until the first file's window is full, {delays}".rstrip(", ")
    return Target(what, 4, some(counts), True)


def more_streams(mine: Runs, name: str, count: int) -> Target:
    """Throughput of `count` streams to that of one, in the same round."""
    ibbfs = mine.where(section="streams", implementation="ibbfs")
    ratios = []
    for block in ibbfs.kinds("block"):
        here = ibbfs.where(block=block)
        one = here.where(streams=1)
        ratios.append((f"({block})", here.where(streams=count).over(one, "mb_s")))
    return Target(f"{name}: {count} streams / 1 stream, in all", 0.9, some(ratios))


# ---- memory ----


def own_mib(run: Run) -> float:
    """Of the larger daemon: its peak, without what the bytes that it holds may cost."""
    ends = (("sender_peak_kib", "in_flight"), ("receiver_peak_kib", "unread"))
    return max(
        run.figures[peak] / 1024 - HELD_FACTOR * run.figures[held] / 2**20 for peak, held in ends
    )


def memory(mine: Runs, name: str) -> list[Target]:
    ibbfs = mine.where(implementation="ibbfs")
    memory = ibbfs.where(section="memory")
    little = memory.where(file_bytes=UNIT).highest("peak_kib")
    held = memory.where(streams=HELD_STREAMS).highest("peak_kib")
    held_mib = HELD_FACTOR * HELD_STREAMS * HELD_BYTES / 2**20
    distance = ibbfs.where(section="distance")
    own = [
        (f"({delay_ms} ms)", max(own_mib(run) for run in distance.where(delay_ms=delay_ms)))
        for delay_ms in distance.kinds("delay_ms")
    ]
    streams = f"{HELD_STREAMS} streams of {HELD_BYTES} bytes unread"
    what = f"{name}: MiB of a daemon"
    return [
        Target(f"{what}, little in flight", DAEMON_MIB, in_mib(little), True),
        Target(f"{what}, less 1.25 x in flight or unread", DAEMON_MIB, own, True),
        Target(f"{what}, {streams}", DAEMON_MIB + held_mib, in_mib(held), True),
    ]


def in_mib(kib: float | None) -> Measured:
    return [] if kib is None else [("", kib / 1024)]


def stalled(mine: Runs, name: str) -> Target:
    here = mine.where(section="memory", streams=1, file_bytes=0)
    ratio = here.ratio("server_peak_kib", "ibbfs", "gloox")
    what = f"{name}: memory of the server when a reader stops, ibbfs / gloox"
    return Target(what, 1, some([("", ratio)]), True)


# ---- the others ----


def cpu(mine: Runs, name: str) -> Target:
    here = mine.where(section="distance", implementation="ibbfs", block=16384, delay_ms=0)
    what = f"{name}: CPU s/GB of both daemons, blocks of 16384, 0 ms"
    return Target(what, 4, some([("", here.median("cpu_s_per_gb"))]), True)


def round_trips(mine: Runs, name: str) -> list[Target]:
    found = []
    for beside, when in ((False, "idle"), (True, "beside a bulk copy")):
        ratio = mine.ratio("p50_us", "ibbfs", "pump", section="roundtrips", beside=beside)
        what = f"{name}: round trip of a byte / pump's, {when}"
        found.append(Target(what, 1.5, some([("", ratio)]), True))
    return found


def small_files(mine: Runs, name: str) -> list[Target]:
    here = mine.where(section="files", delay_ms=0, file_bytes=4096)
    found = []
    for at_once, how in ((1, "one after the other"), (16, "16 at once")):
        ratio = here.ratio("files_s", "ibbfs", "pump", streams=at_once)
        what = f"{name}: files of 4 KiB a second / pump's, {how}"
        found.append(Target(what, 0.9, some([("", ratio)])))
    return found


def inbox(mine: Runs, name: str) -> list[Target]:
    mine = mine.where(section="inbox")
    small, large = mine.where(file_bytes=4096), Runs(r for r in mine if r.file_bytes > 4096)
    pairs = [
        (f"({count} `cp`)", small.ratio("files_s", "synced", "unsynced", streams=count))
        for count in small.kinds("streams")
    ]
    ratio = large.ratio("mb_s", "synced", "unsynced")
    what = f"{name}: into an inbox, synced / not"
    return [
        Target(f"{what}, files of 4 KiB a second", 0.5, some(pairs)),
        Target(f"{what}, a large file", 0.95, some([("", ratio)])),
    ]


def cost(mine: Runs, name: str) -> list[Target]:
    here = mine.where(section="cost")
    speed, spent = (
        here.ratio(figure, "resumable", "unresumable") for figure in ("mb_s", "cpu_s_per_gb")
    )
    what = f"{name}: into an inbox, resumable / `reconnect=0`"
    return [
        Target(f"{what}, throughput", 0.98, some([("", speed)])),
        Target(f"{what}, CPU", 1.05, some([("", spent)]), True),
    ]


def server_targets(mine: Runs, server: str) -> list[Target]:
    name = LABELS[server]
    return [
        *throughput(mine, name, "pump", LEAST_TO_PUMP[server]),
        *throughput(mine, name, "gloox", 1.2),
        auto(mine, name),
        first_file(mine, name),
        *(more_streams(mine, name, count) for count in (10, 100, 1000)),
        *memory(mine, name),
        stalled(mine, name),
        *([cpu(mine, name)] if server == "ejabberd" else []),
        *small_files(mine, name),
        *round_trips(mine, name),
        *inbox(mine, name),
        *cost(mine, name),
    ]


def targets(runs: Runs) -> str:
    rows = [
        target.row()
        for server in runs.kinds("server")
        for target in server_targets(runs.where(server=server), server)
    ]
    return table(["figure", "wanted", "measured", "reached"], rows)
