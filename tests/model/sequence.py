# SPDX-License-Identifier: MIT
"""Random sequences of calls on one stream between two mounts, checked by the model (pipemodel.py).

A step is plain data, and a step that cannot be made in the state of the moment is left out. So any
part of a sequence is a sequence, and a failing one can be shrunk.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from actor import SYNCS, WAITS
from pair import Pair
from pipemodel import BARRIERS, BREAKS, READS, REFUSED, Description, Pipe, Stream, Wrong

# Only what is wrong takes as long as these; a busy machine must not.
LIMIT_S = 45  # until a call that need not wait has returned
POLL_S = 30  # until poll must have seen what is there
DEADLOCK_S = 3
# If it has taken longer until it was known who has the file open, as of a process in execve, a
# close does not wait for the end (ibbfs.1). That may be a process of another search.
JUDGED_S = 1
ACTORS = 4  # the even ones use the mount that opens the stream, the odd ones the other
SLOTS = 3
HOME = 0  # the slot that open uses

WRITES = ("write", "write_sync", "pwrite", "sendfile", "splice", "copy_file_range", "ftruncate")


@dataclass(frozen=True)
class Step:
    actor: int
    call: str
    slot: int = HOME
    size: int = 0
    how: int = 0  # of the flags, the events, the offset: as the call has it

    def text(self) -> str:
        words = [f"{self.actor}, {self.call!r}"]
        words += [f"{k}={v}" for k, v in asdict(self).items() if k not in ("actor", "call") and v]
        return f"Step({', '.join(words)})"


# ---- generating ----

WEIGHTS = {
    "open": 6,
    "mknod": 1,
    "write": 12,
    "write_sync": 3,
    "pwrite": 2,
    "sendfile": 2,
    "splice": 2,
    "copy_file_range": 2,
    "ftruncate": 1,
    "fallocate": 1,
    "fsync": 3,
    "sync": 2,
    "read": 16,
    "pread": 1,
    "splice_out": 2,
    "map": 1,
    "poll": 5,
    "watch": 4,
    "watched": 5,
    "unwatch": 1,
    "dup": 2,
    "fork": 1.5,
    "execve": 0.5,
    "end": 1,
    "close": 3,
    "kill": 0.3,
}


HOWS = 8


WAITING = ("poll", "watch", "watched")
# Who waits for both events of a file has company, and is seldom held up.
TALK = {call: weight * (3 if call in WAITING else 1) for call, weight in WEIGHTS.items()}
LITTLE_SIZES = (1, 100, 4096)
SYNC_FLAGS = (0, os.O_SYNC, os.O_DSYNC, 0, 0, 0, 0, 0)  # by the higher bits of `how`
UNMOUNTS = 0.03  # of the sequences: then other mounts are needed
FAULTS = ("cut", "cut", "restart")  # of a connection, of a daemon
MOST_CUT = 20000  # bytes before a cut


def generate(seed: int, faults: bool = False, length: int = 40) -> list[Step]:
    """The stream is opened at both sides at first, mostly; by one in three in both directions.
    `faults`: connections break, and the receiver restarts."""
    rng = random.Random(seed)
    steps = generate_talk(rng, length) if rng.random() < 0.33 else generate_any(rng, length)
    if rng.random() < UNMOUNTS:
        at = rng.randrange(length // 2, len(steps) + 1)
        steps.insert(at, Step(rng.choice((0, 0, 1)), "unmount", how=rng.randrange(HOWS)))
    for _ in range(rng.randint(1, 3) if faults else 0):
        add_fault(rng, steps)
    return steps


def add_fault(rng: random.Random, steps: list[Step]) -> None:
    """Mostly while something is sent."""
    sends = [at for at, step in enumerate(steps, 1) if step.call in WRITES + BARRIERS]
    at = rng.choice(sends) if sends and rng.random() < 0.7 else rng.randrange(3, len(steps) + 1)
    size, how = rng.randint(1, MOST_CUT), rng.randrange(HOWS)
    steps.insert(at, Step(rng.randrange(2), rng.choice(FAULTS), size=size, how=how))


def generate_any(rng: random.Random, length: int) -> list[Step]:
    calls, weights = zip(*WEIGHTS.items())
    steps = [Step(0, "open", how=how_of(rng, "open"))]
    if rng.random() < 0.8:
        steps += [Step(0, "write", size=size_of(rng)), Step(1, "open", how=how_of(rng, "open"))]
    for call in rng.choices(calls, weights, k=length):
        actor = rng.choice((0, 0, 0, 1, 1, 1, 2, 3))
        slot = rng.choice((HOME, HOME, HOME, 1, 2))
        steps.append(Step(actor, call, slot, size_of(rng), how_of(rng, call)))
    return steps


def generate_talk(rng: random.Random, length: int) -> list[Step]:
    calls, weights = zip(*TALK.items())
    steps = [Step(0, "open", how=rng.choice((1, 3))), Step(0, "write", size=1)]
    steps.append(Step(1, "open", how=7))
    for call in rng.choices(calls, weights, k=length):
        actor, size = rng.randrange(2), rng.choice(LITTLE_SIZES)
        steps.append(Step(actor, call, HOME, size, how_of(rng, call)))
    return steps


def how_of(rng: random.Random, call: str) -> int:
    kinds = {"poll": WAITS, "watch": WAITS, "fork": WAITS, "open": SYNC_FLAGS}
    return rng.randrange(HOWS * len(kinds.get(call, "1")))


def size_of(rng: random.Random) -> int:
    """Mostly about a block or a few; also more than fits into windows and buffers."""
    return rng.choice((1, 100, 4095, 4096, 4097, 10000, 40000, 150000))


# ---- the processes ----


@dataclass
class Watch:
    """A thread or a child that polls."""

    description: Description
    events: int
    slot: int
    child: bool


class Process:
    """An actor, and the call that it is in."""

    def __init__(self, side: int, log: Callable[[str], None]):
        self.side = side
        self.slots: dict[int, Description] = {}
        self.children: dict[int, dict[int, Description]] = {}
        self.watches: dict[int, Watch] = {}
        self.log = log
        self.call: str = ""  # that has not returned
        self.step: Step | None = None
        self.finish: Callable[[Any], None] = lambda answer: None
        self.answer: dict[str, Any] | None = None
        self.answered = 0.0
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("actor.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._arrived = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout:
            self.answered = time.monotonic()
            self.answer = json.loads(line)
            self._arrived.set()
        self._arrived.set()  # it has died

    def begin(self, step: Step, finish: Callable[[Any], None], **arguments: Any) -> None:
        self.call, self.step, self.finish, self.answer = step.call, step, finish, None
        self._arrived.clear()
        self.log(f"{step.call} {arguments}")
        self._process.stdin.write(json.dumps({"call": step.call, **arguments}) + "\n")
        self._process.stdin.flush()

    def wait(self, seconds: float) -> bool:
        """Whether the call has returned; then its result has been checked."""
        if not self.call:
            return True
        if not self._arrived.wait(seconds):
            return False
        if self.answer is None:
            raise Wrong(f"the actor has died in {self.call}: {self._process.wait()}")
        self.log(f"{self.call}: {brief(self.answer)}")
        self.call = ""
        self.finish(self.answer)
        return True

    def kill(self) -> None:
        """With all its children, also one that is ending."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self.call = ""

    def close(self) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            pipe.close()


def sync_of(step: Step) -> str:
    return list(SYNCS)[step.how & 1]


def brief(answer: dict[str, Any]) -> str:
    """Without the bytes."""
    if "errno" in answer:
        return errno.errorcode[answer["errno"]]
    result = answer["result"]
    return f"{len(result) // 2} bytes" if isinstance(result, str) else str(result)


# ---- running ----


class Run:
    """One sequence, at `paths`: the file that one side opens, and that which the other sees."""

    def __init__(self, pair: Pair, paths: tuple[Path, Path], overflow: int | None):
        self.pair = pair
        self.paths = paths
        self.stream = Stream(overflow, overflow is None)
        self.log: list[str] = []
        self._began = time.monotonic()
        self.actors = [self._process(number) for number in range(ACTORS)]
        self._numbers = itertools.count(-1, -1)  # of threads that poll; children have their own
        self._at_end = False

    def _process(self, number: int) -> Process:
        def log(text: str) -> None:
            self.log.append(f"{time.monotonic() - self._began:7.3f} actor {number}: {text}")

        return Process(number % 2, log)

    def close(self) -> None:
        for actor in self.actors:
            actor.close()

    def run(self, steps: list[Step]) -> None:
        self.stream.faults = self.pair.can_break
        try:
            for step in steps:
                self._make(step)
            self._finish()
        finally:
            self.close()

    # ---- steps ----

    def _make(self, step: Step) -> None:
        actor = self.actors[step.actor]
        if step.call == "kill":
            self._kill(step.actor)
            return
        if step.call in FAULTS:
            getattr(self, f"_{step.call}")(actor, step)
            return
        if not self._settle(actor):
            return  # it rightly waits
        self._take_answers()  # what another call waits for, this step may bring
        getattr(self, f"_{step.call}")(actor, step)
        actor.wait(0.02)

    def _take_answers(self) -> None:
        for actor in self.actors:
            actor.wait(0)

    def _settle(self, actor: Process) -> bool:
        """Waits for a call that must return; whether the actor is free."""
        began = time.monotonic()
        while not actor.wait(0.05):
            self._take_answers()  # a write that was refused leaves nothing to read
            if self.stream.may_wait(actor.call, actor.side):
                return False
            if time.monotonic() - began > LIMIT_S:
                raise Wrong(f"{actor.call} of actor {self.actors.index(actor)} hangs")
        return True

    def _busy(self, side: int, calls: tuple[str, ...]) -> bool:
        return any(a.side == side and a.call in calls for a in self.actors)

    def _checked(
        self, step: Step, description: Description, success: Callable[[Any], None]
    ) -> Callable[[Any], None]:
        def finish(answer: dict[str, Any]) -> None:
            if "errno" in answer:
                self.stream.check_error(step.call, description, answer["errno"])
            else:
                success(answer["result"])

        return finish

    def _open(self, actor: Process, step: Step) -> None:
        if HOME in actor.slots or self.stream.closed[actor.side]:
            return
        if actor.side == 0:
            flags = (os.O_WRONLY, os.O_RDWR)[step.how & 1] | os.O_CREAT
        else:
            flags = (os.O_RDONLY, os.O_RDWR)[step.how % HOWS == 7]
        flags |= os.O_NONBLOCK if step.how & 2 else 0
        flags |= SYNC_FLAGS[step.how // HOWS]

        def success(_: int) -> None:
            actor.slots[HOME] = self.stream.opened(actor.side, flags)

        finish = self._checked(step, Description(actor.side, flags), success)
        actor.begin(step, finish, slot=HOME, path=str(self.paths[actor.side]), flags=flags)
        self._wait_long(actor)

    def _mknod(self, actor: Process, step: Step) -> None:
        if actor.side == 0 and not self.stream.descriptions and not self.stream.closed[0]:
            actor.begin(
                step,
                self._checked(step, Description(0, os.O_WRONLY), lambda _: None),
                path=str(self.paths[0]),
            )
            self._wait_long(actor)

    def _wait_long(self, actor: Process) -> None:
        began = time.monotonic()
        while not actor.wait(0.05):
            self._take_answers()
            if time.monotonic() - began > LIMIT_S:
                raise Wrong(f"{actor.call} of actor {self.actors.index(actor)} hangs")

    def _dup(self, actor: Process, step: Step) -> None:
        other = 1 + step.how % (SLOTS - 1)
        if step.slot in actor.slots and other not in actor.slots:
            actor.slots[other] = actor.slots[step.slot]
            actor.slots[other].holders += 1
            actor.begin(step, lambda _: None, slot=step.slot, other=other)
            self._wait_long(actor)

    def _fork(self, actor: Process, step: Step) -> None:
        if step.slot not in actor.slots or actor.children:
            return
        watch, arguments = self._to_watch(actor, step, child=True)

        def success(answer: dict[str, Any]) -> None:
            for description in actor.slots.values():
                description.holders += 1
            actor.children[answer["result"]] = dict(actor.slots)
            actor.watches[answer["result"]] = watch

        actor.begin(step, success, **arguments)
        self._wait_long(actor)

    def _execve(self, actor: Process, step: Step) -> None:
        """It waits as close does, and nobody sees whether that was successful."""
        if not actor.slots or actor.children or self._busy(actor.side, WRITES):
            return
        kept = {s: d for s, d in actor.slots.items() if step.how >> s & 1}
        dropped = [d for s, d in actor.slots.items() if s not in kept]
        actor.slots, actor.watches = kept, {}
        for description in dropped:
            self.stream.released(description, False)
            self.stream.unseen |= not description.holders
        actor.begin(step, lambda _: None, kept=list(kept))

    def _end(self, actor: Process, step: Step) -> None:
        """Of a child. Its exit closes its files, and waits as close does."""
        if not actor.children:
            return
        child, slots = actor.children.popitem()
        actor.watches.pop(child, None)
        # If it closed a file, nobody would see whether its close was successful.
        killed = step.how == 7 or any(d.holders == 1 for d in slots.values())
        for description in slots.values():
            self.stream.released(description, killed)
        actor.begin(step, lambda _: None, child=child, how="kill" if killed else "exit")

    def _kill(self, number: int) -> None:
        actor = self.actors[number]
        if not actor.slots and not actor.call:
            return
        if actor.call in BARRIERS:
            self.stream.causes.append(f"killed in {actor.call}")
        if actor.side == 1 and actor.call in WRITES and actor.call in REFUSED:
            self.stream.unsure = self.stream.uses == 1  # nobody sees whether it was refused
        self.stream.pipes[actor.side].abandoned |= actor.call in WRITES
        actor.close()
        held = [d for slots in (actor.slots, *actor.children.values()) for d in slots.values()]
        for description in held:
            self.stream.released(description, True)
        actor.log("killed")
        self.actors[number] = self._process(number)

    def _close(self, actor: Process, step: Step) -> None:
        if step.slot not in actor.slots or self._busy(actor.side, WRITES):
            return
        description = actor.slots.pop(step.slot)
        actor.watches = {
            n: watch for n, watch in actor.watches.items() if watch.child or watch.slot != step.slot
        }
        end = len(self.stream.pipes[actor.side].written)
        began = time.monotonic()

        def finish(answer: dict[str, Any]) -> None:
            if "errno" in answer:
                self.stream.check_error("close", description, answer["errno"])
                if last or not description.refused:
                    self.stream.causes.append("close has failed")
            elif description.writes:
                self._closed_well(description, end)
                judged = actor.answered < began + JUDGED_S
                if last and actor.side == 0:
                    self.stream.confirmed, self.stream.unseen = judged, not judged

        # From now on the other side may see the end.
        self.stream.released(description, False)
        last = not description.holders
        actor.begin(step, finish, slot=step.slot)

    def _closed_well(self, description: Description, end: int) -> None:
        if description.refused:
            raise Wrong("close is successful after a write that was not")
        self.stream.pipes[description.side].deliver(end)

    # ---- bytes out ----

    def _out(self, actor: Process, step: Step, **more: Any) -> None:
        """A write at the position of the open file, or at more["at"]."""
        description = actor.slots.get(step.slot)
        if not description or not description.writes or self._busy(actor.side, WRITES + BARRIERS):
            return
        pipe = self.stream.pipes[actor.side]
        if pipe.pending:
            return  # of a process that was killed
        end = len(pipe.written)
        at = more.get("at", end if description.reads else description.position)
        size = min(step.size, 4096) if step.call == "splice" else step.size
        gap = at - end
        if gap < 0:
            pipe.begin_write(0, 0)
        else:
            pipe.begin_write(gap, size)
        self.stream.began_write(actor.side)
        self.stream.uses += actor.side == 1

        def finish(answer: dict[str, Any]) -> None:
            if "errno" in answer:
                by_kernel = answer["errno"] in REFUSED.get(step.call, ())
                if by_kernel:
                    self.stream.uses -= actor.side == 1
                if gap < 0 and answer["errno"] in BREAKS:
                    self.stream.causes.append(f"{step.call} backward")
                else:
                    self.stream.check_error(step.call, description, answer["errno"])
                description.refused |= not by_kernel
                self._failed_write(pipe, answer["errno"])
                return
            count = answer["result"]
            description.refused = count < size
            if gap < 0:
                raise Wrong(f"{step.call} at {at}, before the end at {end}, is successful")
            all_fits = step.call in ("write", "write_sync") and description.waits
            if all_fits and not self.stream.causes and count < size:
                raise Wrong(f"write has taken {count} bytes of {size}")
            pipe.end_write(gap + count)
            if description.syncs or step.call == "write_sync":
                pipe.deliver(len(pipe.written))
            if "at" not in more:
                description.position = len(pipe.written)

        offset = end + max(gap, 0)
        actor.begin(
            step, finish, slot=step.slot, direction=actor.side, offset=offset, size=size, **more
        )

    def _failed_write(self, pipe: Pipe, number: int) -> None:
        """Where the stream breaks, a part may have been sent: it stays pending."""
        if number in {errno.EAGAIN} | set(BREAKS) | set().union(*REFUSED.values()):
            pipe.end_write(0)

    def _write(self, actor: Process, step: Step) -> None:
        self._out(actor, step)

    _write_sync = _sendfile = _splice = _copy_file_range = _write

    def _pwrite(self, actor: Process, step: Step) -> None:
        description = actor.slots.get(step.slot)
        if description and description.writes and not description.reads:
            end = len(self.stream.pipes[actor.side].written)
            at = (end, end, end, end + 1, end + 5000, end + 5000, end + 100, max(0, end - 1))
            self._out(actor, step, at=at[step.how])

    def _ftruncate(self, actor: Process, step: Step) -> None:
        description = actor.slots.get(step.slot)
        if not description or description.reads or self._busy(actor.side, WRITES + BARRIERS):
            return
        pipe = self.stream.pipes[actor.side]
        if pipe.pending or actor.side != 0:
            return
        end = len(pipe.written)
        size = (end, end, end, end + 1, end + 5000, end + 100, end, max(0, end - 1))[step.how]
        pipe.begin_write(max(0, size - end), 0)
        self.stream.began_write(actor.side)
        self.stream.uses += actor.side == 1

        def finish(answer: dict[str, Any]) -> None:
            if "errno" in answer:
                if size < end and answer["errno"] in BREAKS:
                    self.stream.causes.append("ftruncate backward")
                else:
                    self.stream.check_error("ftruncate", description, answer["errno"])
                    description.refused = True
                self._failed_write(pipe, answer["errno"])
                return
            if size < end:
                raise Wrong(f"ftruncate to {size}, before the end at {end}, is successful")
            description.refused &= size == end  # it is a write of zeros
            pipe.end_write(size - end)

        actor.begin(step, finish, slot=step.slot, size=size)

    def _fallocate(self, actor: Process, step: Step) -> None:
        description = actor.slots.get(step.slot)
        if description and description.writes and not self._busy(actor.side, WRITES + BARRIERS):
            end = len(self.stream.pipes[actor.side].written)
            finish = self._checked(step, description, lambda _: None)
            actor.begin(step, finish, slot=step.slot, at=end, size=1 + step.size)

    def _fsync(self, actor: Process, step: Step) -> None:
        description = actor.slots.get(step.slot)
        if not description or self._busy(actor.side, WRITES):
            return
        pipe = self.stream.pipes[actor.side]
        end = len(pipe.written) if description.writes else 0
        finish = self._checked(step, description, lambda _: pipe.deliver(end))
        actor.begin(step, finish, slot=step.slot, how=sync_of(step))

    def _sync(self, actor: Process, step: Step) -> None:
        """Of the file that is sent, by whatever process. It may be written meanwhile."""
        if actor.side != 0:
            return
        pipe = self.stream.pipes[0]
        end = len(pipe.written)
        flags = os.O_RDONLY | (os.O_NONBLOCK if step.how & 2 else 0)
        finish = self._checked(step, Description(0, flags), lambda _: pipe.deliver(end))
        actor.begin(step, finish, path=str(self.paths[0]), flags=flags, how=sync_of(step))

    # ---- bytes in ----

    def _read(self, actor: Process, step: Step) -> None:
        description = actor.slots.get(step.slot)
        if not description or not description.reads or self._busy(actor.side, READS + ("close",)):
            return
        pipe = self.stream.pipes[1 - actor.side]
        known = pipe.delivered
        self.stream.uses += actor.side == 1 and step.call == "read"

        def finish(answer: dict[str, Any]) -> None:
            if answer.get("errno") == errno.EAGAIN and pipe.read < known:
                raise Wrong(f"EAGAIN at {pipe.read}, though {known} bytes were delivered")
            if "errno" in answer:
                self.stream.check_error(step.call, description, answer["errno"])
            elif answer["result"]:
                pipe.take(bytes.fromhex(answer["result"]))
            elif step.call == "read":
                pipe.take_end(not self.stream.causes)
            # Linux (6.5 and later) answers splice(2) by itself up to the size of stat(2), which is
            # 0: that is no end.

        actor.begin(step, finish, slot=step.slot, size=step.size)

    _splice_out = _read

    def _pread(self, actor: Process, step: Step) -> None:
        """Not where the next byte is."""
        description = actor.slots.get(step.slot)
        pipe = self.stream.pipes[1 - actor.side]
        at = pipe.read + (0, 1, -1, 5000, -pipe.read)[step.how % 5]
        if (
            not description
            or not description.reads
            or at < 0
            or at == pipe.read
            or self._busy(actor.side, READS)
        ):
            return

        def success(data: str) -> None:
            pipe.check_at(at, bytes.fromhex(data))

        finish = self._checked(step, description, success)
        actor.begin(step, finish, slot=step.slot, size=step.size, at=at)

    def _map(self, actor: Process, step: Step) -> None:
        description = actor.slots.get(step.slot)
        if not description or description.writes or self._busy(actor.side, READS):
            return
        pipe = self.stream.pipes[1 - actor.side]

        def success(data: str) -> None:
            pipe.check_at(0, bytes.fromhex(data))

        finish = self._checked(step, description, success)
        actor.begin(step, finish, slot=step.slot, size=min(step.size, 4096))

    # ---- waiting ----

    def _to_watch(self, actor: Process, step: Step, child: bool) -> tuple[Watch, dict[str, Any]]:
        """One event, or those that the open file can have; and what the actor is told."""
        description = actor.slots[step.slot]
        events = (select.POLLIN if description.reads else 0) | (
            select.POLLOUT if description.writes else 0
        )
        if description.reads and description.writes and step.how & 1:
            events = (select.POLLIN, select.POLLOUT)[step.how >> 1 & 1]
        arguments = {"slot": step.slot, "events": events, "how": list(WAITS)[step.how // HOWS]}
        return Watch(description, events, step.slot, child), arguments

    def _look(
        self, actor: Process, step: Step, watch: Watch, seen: Callable[[int], None], **more: Any
    ) -> None:
        """Waits long if there is something to be seen. Then it must be, if it is still there."""
        ready = self.stream.is_ready(watch.description, watch.events)

        def success(found: int) -> None:
            if ready:
                self.stream.check_poll(watch.description, watch.events, found)
            seen(found)

        finish = self._checked(step, watch.description, success)
        actor.begin(step, finish, timeout=POLL_S * 1000 if ready else 20, **more)
        self._wait_long(actor)

    def _may_look(self, actor: Process) -> bool:
        """Whether it is known what is to be seen."""
        return not self._busy(actor.side, READS + WRITES + BARRIERS)

    def _poll(self, actor: Process, step: Step) -> None:
        if step.slot not in actor.slots or not self._may_look(actor):
            return
        watch, arguments = self._to_watch(actor, step, child=False)
        self._look(actor, step, watch, lambda _: None, **arguments)

    def _watch(self, actor: Process, step: Step) -> None:
        """By a thread."""
        if step.slot not in actor.slots:
            return
        watch, arguments = self._to_watch(actor, step, child=False)
        number = next(self._numbers)
        actor.watches[number] = watch
        actor.begin(step, lambda _: None, number=number, **arguments)

    def _watched(self, actor: Process, step: Step) -> None:
        """Of several that wait, each gets its own events."""
        if not actor.watches or not self._may_look(actor):
            return
        number = list(actor.watches)[step.how % len(actor.watches)]

        def seen(found: int) -> None:
            if found:
                del actor.watches[number]

        self._look(actor, step, actor.watches[number], seen, number=number)

    def _unwatch(self, actor: Process, step: Step) -> None:
        """A thread goes away that waits, or that has seen something."""
        threads = [number for number, watch in actor.watches.items() if not watch.child]
        if threads:
            number = threads[step.how % len(threads)]
            del actor.watches[number]
            actor.begin(step, lambda _: None, number=number)

    # ---- faults ----

    def _has_arrived(self) -> bool:
        return self.stream.arrived or self.paths[1].exists()

    def _may_break(self) -> bool:
        return self.pair.can_break and self._has_arrived() and not any(self.stream.gone)

    def _cut(self, actor: Process, step: Step) -> None:
        """The stream goes on as soon as the connection is back."""
        if self._may_break():
            after = step.size if step.how & 1 else 0
            actor.log(f"its connection breaks after {after} bytes")
            self.stream.cut()
            self.pair.cut(actor.side, after)

    def _restart(self, actor: Process, step: Step) -> None:
        """Only a stream into an inbox goes on."""

    # ---- the end ----

    def _unmount(self, actor: Process, step: Step) -> None:
        """What is open on that side does not end well. Its unread bytes are lost."""
        if not any(self.stream.gone):
            if self.pair.can_break:
                self.pair.settle()  # who is not online is not told of the end
            self.stream.gone[actor.side] = True
            self.stream.causes.append(f"the mount of side {actor.side} has ended")
            self.pair.end(actor.side, bool(step.how & 1))

    def _finish(self) -> None:
        """All files are closed, while the side that did not open the stream reads what there is."""
        self._find_reader()
        reads = bool(self._reading())
        moved, progress = time.monotonic(), -1
        while any(actor.call or actor.slots or actor.children for actor in self.actors):
            for actor in list(self.actors):
                if self._settle(actor):
                    self._go_on(actor)
            if self._progress() != progress:
                moved, progress = time.monotonic(), self._progress()
            elif time.monotonic() > moved + DEADLOCK_S:
                self._break_deadlock()
                moved = time.monotonic()
        if reads and self._at_end and not self.stream.gone[1]:
            self.stream.check_delivered(1)

    def _find_reader(self) -> None:
        """Without waiting, a stream begins with its first write, and arrives later."""
        deadline = time.monotonic() + LIMIT_S
        while not self._reading() and not self.stream.closed[1]:
            self._make(Step(1, "open"))
            if self.stream.causes or not self.stream.pipes[0].written:
                return
            if time.monotonic() > deadline:
                raise Wrong("the stream does not arrive")

    def _reading(self) -> list[Description]:
        return [d for d in self.stream.descriptions if d.side == 1 and d.reads]

    def _progress(self) -> int:
        held = sum(len(actor.slots) + len(actor.children) for actor in self.actors)
        return sum(pipe.read + len(pipe.written) for pipe in self.stream.pipes) - held

    def _go_on(self, actor: Process) -> None:
        slot = next((s for s, d in actor.slots.items() if d.reads), None)
        if actor.side == 1 and slot is not None and not self._at_end:
            if not self._busy(1, READS):
                self._read_on(actor, slot)
        elif actor.children:
            self._end(actor, Step(0, "end"))
        elif actor.slots:
            self._close(actor, Step(0, "close", next(iter(actor.slots))))

    def _read_on(self, actor: Process, slot: int) -> None:
        description = actor.slots[slot]
        pipe = self.stream.pipes[0]
        self.stream.uses += 1

        def finish(answer: dict[str, Any]) -> None:
            if answer.get("result"):
                pipe.take(bytes.fromhex(answer["result"]))
            elif "result" in answer:
                pipe.take_end(not self.stream.causes)
                self._at_end = True
            else:
                self.stream.check_error("read", description, answer["errno"])
                self._at_end = answer["errno"] != errno.EAGAIN

        actor.begin(Step(1, "read", slot), finish, slot=slot, size=65536)
        actor.wait(0.05)

    def _break_deadlock(self) -> None:
        """Both sides wait for the other, as two processes with two pipes may do."""
        for number, actor in enumerate(self.actors):
            if actor.call:
                self._kill(number)
                return


# ---- shrinking ----


def shrink(steps: list[Step], fails: Callable[[list[Step]], bool]) -> list[Step]:
    """A part that fails as well, of which no quarter can be left out."""
    size = len(steps) // 2
    while size:
        at = 0
        while at < len(steps):
            part = steps[:at] + steps[at + size :]
            if fails(part):
                steps = part
            else:
                at += size
        size //= 2
    return steps


def as_test(name: str, options: str, steps: list[Step], why: str) -> str:
    lines = "".join(f"            {step.text()},\n" for step in steps)
    return (
        f"def test_{name}(model: Model) -> None:\n"
        f'    """{why}."""\n'
        f"    model.run(\n        {options!r},\n        [\n{lines}        ],\n    )\n"
    )
