# SPDX-License-Identifier: MIT
"""The measurements and their order: runs to be compared are back to back, round after round."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from subprocess import SubprocessError
from typing import Any

from figures import Run, Runs
from disk import Disk
from implementations import Figures, Ibbfs, Peer, Pump, fit_size
from plan import Plan
from world import AUTO, IBBFS, LARGEST, World

HELD_STREAMS, HELD_BYTES = 1000, 16 * 1024
WAITING = ["slixmpp", "qxmpp"]  # for each acknowledgement
QXMPP_BLOCK = 4096  # it knows no other
UNIT = 64 * 1024
FAST_UNIT = 2**20  # for those that do not wait
BESIDE_WINDOW = 16
MOST_IN_FLIGHT = 32 * 2**20
# Sizes of the pump's writes; src/xmpp/write_buffer.h says why they matter to a Prosody.
PIECES = {"prosody": (0, 4096), "ejabberd": (0,)}


@dataclass
class Bench:
    plan: Plan
    runs: Runs = field(default_factory=Runs)
    failures: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def note(self, text: str) -> None:
        print(f"{time.monotonic() - self.started:6.0f} s  {text}", file=sys.stderr, flush=True)

    def measure(self, what: Callable[[], Figures], **where: Any) -> None:
        run = Run(figures=what(), **where)
        self.runs.append(run)
        shown = {name: f"{value:.4g}" for name, value in run.figures.items()}
        place = f"{run.server} {run.section} B={run.block} d={run.delay_ms} s={run.streams}"
        self.note(f"{place} #{run.round} {run.implementation}: " + str(shown).replace("'", ""))

    def attempt(self, name: str, cell: Callable[..., None], *arguments: Any) -> None:
        """A cell that fails is reported, and does not take the others with it."""
        try:
            cell(self, *arguments)
        except (AssertionError, OSError, RuntimeError, SubprocessError, ValueError) as error:
            self.failures.append(f"{name}: {error}")
            self.note(f"FAILED {name}: {error}")


@dataclass
class Trial:
    pump: Pump
    size: int
    mb_s: float = 0  # the best so far

    def run(self) -> None:
        self.mb_s = max(self.mb_s, self.pump.transfer(self.size)["mb_s"])


def best_pump(bench: Bench, world: World, block: int, delay_ms: int) -> Pump:
    """The smallest window with which it is within 5 % of its best, over all sizes of writes."""
    plan = bench.plan
    windows = plan.near_windows if delay_ms == 0 else plan.far_windows
    windows = tuple(w for w in windows if w * block <= MOST_IN_FLIGHT)
    seconds = plan.trial_seconds + 4 * 4 * delay_ms / 1000
    trials = []
    for window, piece in itertools.product(windows, PIECES[world.name]):
        pump = Pump(world, block, delay_ms, window, piece)
        trials.append(Trial(pump, fit_size(pump.transfer, seconds, delay_ms, FAST_UNIT, LARGEST)))
    for trial in trials:
        trial.run()
    fastest = max(trial.mb_s for trial in trials)
    for trial in trials:
        if trial.mb_s > 0.8 * fastest:
            trial.run()  # one run alone may be bad luck
    fastest = max(trial.mb_s for trial in trials)
    best = next(trial.pump for trial in trials if trial.mb_s >= 0.95 * fastest)
    shown = ", ".join(f"{t.pump.window}/{t.pump.piece}: {t.mb_s:.3g}" for t in trials)
    place = f"{world.name} B={block} d={delay_ms}"
    bench.note(f"{place} window {best.window}, pieces {best.piece} of {shown} MB/s")
    return best


# ---- throughput over distance ----


def fast_contestants(
    bench: Bench, world: World, delay_ms: int, stack: ExitStack
) -> list[tuple[int, Pump | Ibbfs | Peer]]:
    """With their block sizes: who does not wait, the best pump and the mounts side by side."""
    found: list[tuple[int, Pump | Ibbfs | Peer]] = []
    for block, pair in zip((*bench.plan.blocks, AUTO), IBBFS):
        if block != AUTO:
            found.append((block, best_pump(bench, world, block, delay_ms)))
        mounts = stack.enter_context(world.mounts(block, delay_ms, pair=pair))
        found.append((block, Ibbfs(world, *mounts)))
    return found + [(block, Peer(world, "gloox", block, delay_ms)) for block in bench.plan.blocks]


def distance_cell(bench: Bench, world: World, delay_ms: int) -> None:
    """All block sizes, so that the sizes can be compared as well."""
    plan = bench.plan
    with ExitStack() as stack:
        fast = fast_contestants(bench, world, delay_ms, stack)
        waiting: list[tuple[int, Pump | Ibbfs | Peer]] = [
            (block, Peer(world, name, block, delay_ms))
            for block in plan.blocks
            for name in WAITING
            if name != "qxmpp" or block == QXMPP_BLOCK
        ]
        whole = delay_ms > 0 and world.name in plan.whole_when_far
        sizes: dict[int, int] = {}
        for _, one in fast:
            # Also where it does not count: the files that are measured are later ones to the peer.
            size = fit_size(one.transfer, plan.seconds_at(delay_ms), delay_ms, FAST_UNIT, LARGEST)
            sizes[id(one)] = plan.large_file if whole else size
        for _, one in waiting:
            sizes[id(one)] = fit_size(one.transfer, plan.seconds, delay_ms, UNIT, LARGEST)
        for number in range(plan.rounds):
            for block, one in fast + (waiting if number < plan.waiting_rounds else []):
                bench.measure(
                    lambda: one.transfer(sizes[id(one)]),
                    **dict(section="distance", server=world.name, implementation=one.name),
                    **dict(round=number, block=block, delay_ms=delay_ms),
                )


def distance(bench: Bench, world: World) -> None:
    for delay_ms in bench.plan.delays_ms:
        bench.attempt(f"{world.name}, distance, {delay_ms} ms", distance_cell, world, delay_ms)


# ---- the first file to a peer ----


def first_cell(bench: Bench, world: World, block: int) -> None:
    delay_ms = bench.plan.first_delay_ms
    for number in range(bench.plan.rounds):
        with world.mounts(block, delay_ms) as both:
            bench.measure(
                lambda: Ibbfs(world, *both).first_file(bench.plan.first_bytes, 4 * delay_ms / 1000),
                **dict(section="first", server=world.name, implementation="ibbfs"),
                **dict(round=number, block=block, delay_ms=delay_ms),
            )


def first(bench: Bench, world: World) -> None:
    block = bench.plan.blocks[-1]  # the largest window
    bench.attempt(f"{world.name}, the first file, blocks of {block}", first_cell, world, block)


# ---- many streams ----


def streams_cell(bench: Bench, world: World, block: int) -> None:
    plan = bench.plan
    size = plan.large_file - plan.large_file % (max(plan.streams) * block)  # whole blocks
    pump = best_pump(bench, world, block, 0)
    with world.mounts(block, 0) as (first, second):
        ibbfs = Ibbfs(world, first, second)
        for number in range(plan.rounds):
            for count in plan.streams:
                where = dict(section="streams", server=world.name, round=number)
                where |= dict(block=block, streams=count)
                bench.measure(lambda: pump.streams(size, count), implementation="pump", **where)
                bench.measure(lambda: ibbfs.streams(size, count), implementation="ibbfs", **where)


def streams(bench: Bench, world: World) -> None:
    for block in bench.plan.blocks:
        bench.attempt(f"{world.name}, streams, blocks of {block}", streams_cell, world, block)


# ---- files of all sizes ----


def small_files_cell(bench: Bench, world: World, size: int, delay_ms: int, count: int) -> None:
    with world.mounts(4096, delay_ms) as (first, second):
        ibbfs = Ibbfs(world, first, second)
        pump = Pump(world, size, delay_ms)
        copies = bench.plan.copies if size == 4096 and delay_ms == 0 else (1,)
        for number, at_once in itertools.product(range(bench.plan.rounds), copies):
            where = dict(section="files", server=world.name, round=number, streams=at_once)
            where |= dict(delay_ms=delay_ms, file_bytes=size)
            bench.measure(lambda: pump.files(count, at_once), implementation="pump", **where)
            bench.measure(
                lambda: ibbfs.files(count, size, at_once), implementation="ibbfs", **where
            )


def large_file_cell(bench: Bench, world: World) -> None:
    size = bench.plan.large_file
    pump = best_pump(bench, world, 4096, 0)
    with world.mounts(4096, 0) as (first, second):
        for number in range(bench.plan.rounds):
            for one in (pump, Ibbfs(world, first, second)):
                where = dict(section="files", server=world.name, round=number, file_bytes=size)
                bench.measure(lambda: one.transfer(size), implementation=one.name, **where)


def files(bench: Bench, world: World) -> None:
    for size, delay_ms, count in bench.plan.small_files:
        name = f"{world.name}, {count} files of {size}, {delay_ms} ms"
        bench.attempt(name, small_files_cell, world, size, delay_ms, count)
    bench.attempt(f"{world.name}, a large file", large_file_cell, world)


# ---- round trips ----


def round_trips_cell(bench: Bench, world: World) -> None:
    plan = bench.plan
    # Not with its best window: a lucky trial would then decide the length of the queue.
    pump = Pump(world, window=BESIDE_WINDOW)
    for number in range(plan.rounds):
        for beside in (False, True):
            with world.mounts(4096, 0) as (first, second):
                ibbfs = Ibbfs(world, first, second)
                where = dict(section="roundtrips", server=world.name, round=number, beside=beside)
                bench.measure(
                    lambda: pump.round_trips(plan.round_trips // (5 if beside else 1), beside),
                    **where,
                    implementation="pump",
                )
                bench.measure(
                    lambda: ibbfs.round_trips(plan.round_trips, plan.round_trip_seconds, beside),
                    **where,
                    implementation="ibbfs",
                )


def roundtrips(bench: Bench, world: World) -> None:
    bench.attempt(f"{world.name}, round trips", round_trips_cell, world)


# ---- memory ----


def memory_cell(bench: Bench, world: World) -> None:
    with world.mounts(4096, 0) as (first, second):
        ibbfs = Ibbfs(world, first, second)
        where = dict(section="memory", server=world.name, implementation="ibbfs", round=0)
        bench.measure(lambda: ibbfs.transfer(UNIT), file_bytes=UNIT, **where)
        bench.measure(lambda: ibbfs.hold(HELD_STREAMS, HELD_BYTES), streams=HELD_STREAMS, **where)


def stalled_cell(bench: Bench, world: World) -> None:
    seconds = bench.plan.stalled_seconds
    where = dict(section="memory", server=world.name, round=0)
    with world.mounts(4096, 0) as (first, second):
        ibbfs = Ibbfs(world, first, second)
        bench.measure(lambda: ibbfs.stalled(LARGEST, seconds), **where, implementation="ibbfs")
    gloox = Peer(world, "gloox")
    bench.measure(lambda: gloox.stalled(LARGEST, seconds), **where, implementation="gloox")


def memory(bench: Bench, world: World) -> None:
    bench.attempt(f"{world.name}, {HELD_STREAMS} streams that nobody reads", memory_cell, world)
    bench.attempt(f"{world.name}, a reader that has stopped", stalled_cell, world)


# ---- the inbox ----

# Options of the receiver.
INBOXES = {"synced": "inbox={0}", "unsynced": "inbox={0},inbox_sync=no", "ibbfs": ""}


def inbox_cell(bench: Bench, world: World, number: int, name: str) -> None:
    plan, folder = bench.plan, world.disk / f"{name}-{number}"
    options = "," + INBOXES[name].format(folder) if INBOXES[name] else ""
    where = dict(section="inbox", server=world.name, implementation=name, round=number)
    with world.mounts(4096, 0, options) as (first, second):
        ibbfs = Ibbfs(world, first, second)
        kept = folder / first.account.jid if options else None
        for at_once in plan.copies:
            bench.measure(
                lambda: ibbfs.files(plan.inbox_files, 4096, at_once, kept),
                **where,
                **dict(file_bytes=4096, streams=at_once),
            )
        size = plan.large_file
        bench.measure(
            lambda: ibbfs.store(size, kept) if kept else ibbfs.transfer(size),
            **where,
            file_bytes=size,
        )


def dd_cell(bench: Bench, world: World, number: int) -> None:
    plan, disk = bench.plan, Disk(world, world.disk / "dd")
    with world.mounts(4096, 0) as (first, second):
        small = Ibbfs(world, first, second).small_files(plan.inbox_files, 4096)
    for sources, size in ((small, 4096), ([world.source(plan.large_file)], plan.large_file)):
        where = dict(section="inbox", server=world.name, implementation="dd", round=number)
        bench.measure(lambda: disk.store(sources), **where, file_bytes=size)


def inbox(bench: Bench, world: World) -> None:
    for number in range(bench.plan.rounds):
        for name in INBOXES:
            bench.attempt(f"{world.name}, inbox: {name}", inbox_cell, world, number, name)
        bench.attempt(f"{world.name}, inbox: dd", dd_cell, world, number)


# ---- what it costs that a file can be resumed ----

# Without a journal, and without digests of pieces: reconnect=0.
COSTS = {"resumable": "", "unresumable": ",reconnect=0"}


def cost_cell(bench: Bench, world: World) -> None:
    plan = bench.plan
    with ExitStack() as stack:
        both = []
        for (name, option), pair in zip(COSTS.items(), IBBFS):
            options = f",inbox={world.disk / name},inbox_sync=no{option}"
            mounts = stack.enter_context(world.mounts(4096, 0, options, pair))
            both.append((name, Ibbfs(world, *mounts), mounts[0].account.jid))
        for number in range(plan.rounds * plan.cost_pairs):
            for name, ibbfs, jid in both if number % 2 else reversed(both):
                bench.measure(
                    lambda: ibbfs.store(plan.large_file, world.disk / name / jid),
                    **dict(section="cost", server=world.name, implementation=name, round=number),
                )


def cost(bench: Bench, world: World) -> None:
    bench.attempt(f"{world.name}, the cost of resumption", cost_cell, world)


SECTIONS: dict[str, Callable[[Bench, World], None]] = {
    "distance": distance,
    "first": first,
    "streams": streams,
    "files": files,
    "roundtrips": roundtrips,
    "memory": memory,
    "inbox": inbox,
    "cost": cost,
}
