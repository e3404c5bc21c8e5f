# SPDX-License-Identifier: MIT
"""A receiver with an inbox: a file is complete under its name there, or is not there at all.

What is demanded beyond the model of two pipes:

* The disk takes all bytes, so that no call waits for a reader.
* What fsync has reported as delivered is in the file, which is `.part` until it is complete.
* The file has its name after the last close without an error, and not if its writer was killed.
* Whoever reads it gets what is written there: never zeros, never other bytes.
* All of this also if connections break, and the receiver is killed and starts anew.
"""

from __future__ import annotations

import select
import time
from dataclasses import replace
from pathlib import Path

from pair import Pair
from pipemodel import BARRIERS, READS, Description, Stream, Wrong
from sequence import LIMIT_S, Process, Run, Step


class InboxStream(Stream):
    def __init__(self, resumes: bool) -> None:
        super().__init__(None, resumes)
        self.begun = False  # without waiting, a stream begins with its first byte

    def released(self, description: Description, killed: bool) -> None:
        """Readers come and go."""
        if description.side == 0:
            self.begun = description.waits or bool(self.pipes[0].written)
            super().released(description, killed)

    def began_write(self, side: int) -> None:
        pass

    def may_wait(self, call: str, side: int) -> bool:
        return False

    def is_ready(self, description: Description, events: int) -> bool:
        return description.side == 1 or bool(events & select.POLLOUT)


class InboxRun(Run):
    """`part` and `whole`: the file in the inbox, until it is complete and afterwards."""

    def __init__(
        self, pair: Pair, paths: tuple[Path, Path], part: Path, whole: Path, resumes: bool
    ):
        super().__init__(pair, paths, None)
        self.stream = InboxStream(resumes)
        self._part, self._whole = part, whole

    def _make(self, step: Step) -> None:
        if step.actor % 2 and step.call == "open":
            step = replace(step, how=step.how & 2)  # nothing goes back
        super()._make(step)
        self._check_kept()

    def _check_kept(self) -> None:
        pipe = self.stream.pipes[0]
        named = self._whole.exists()
        stored = self._stored()
        if not (bytes(pipe.written) + pipe.pending).startswith(stored):
            raise Wrong(f"{len(stored)} bytes are in the inbox that were not written like that")
        if self._busy(0, BARRIERS):
            return
        if named and (not self.stream.closed[0] or self.stream.over):
            raise Wrong("the file has its name, though its writer writes on, or was killed")
        if named and len(stored) != len(pipe.written):
            raise Wrong(f"{len(stored)} bytes have the file's name, of {len(pipe.written)}")
        if len(stored) < pipe.delivered:
            raise Wrong(f"{len(stored)} bytes are in the inbox, of {pipe.delivered} delivered")
        if self.stream.confirmed and self.stream.begun and not named:
            raise Wrong("the last close was successful, and the file has no name")

    def _stored(self) -> bytes:
        for path in (self._part, self._whole):  # which it may become at any time
            try:
                return path.read_bytes()
            except FileNotFoundError:
                pass
        return b""

    # ---- bytes in ----

    def _read(self, actor: Process, step: Step) -> None:
        description = actor.slots.get(step.slot)
        if actor.side == 0 or not description or self._busy(1, READS):
            return

        def success(data: str) -> None:
            self.stream.pipes[0].check_at(description.position, bytes.fromhex(data))
            description.position += len(data) // 2

        finish = self._checked(step, description, success)
        actor.begin(step, finish, slot=step.slot, size=step.size)

    _splice_out = _read

    def _pread(self, actor: Process, step: Step) -> None:
        if actor.side == 1:
            super()._pread(actor, step)

    def _map(self, actor: Process, step: Step) -> None:
        """The rest of the last page is zeros, as mmap(2) has it."""
        description = actor.slots.get(step.slot)
        if actor.side == 0 or not description:
            return
        pipe = self.stream.pipes[0]
        known = pipe.delivered  # at least

        def success(data: str) -> None:
            got = bytes.fromhex(data)
            pipe.check_at(0, got[: max(known, len(got.rstrip(b"\0")))])

        finish = self._checked(step, description, success)
        actor.begin(step, finish, slot=step.slot, size=min(step.size, 4096))

    # ---- faults ----

    def _restart(self, actor: Process, step: Step) -> None:
        """Of the receiver, in the middle of whatever it does. Its readers end before it."""
        if self._may_break():
            for number, reader in enumerate(self.actors):
                if reader.side == 1:
                    self._kill(number)
            actor.log("the receiver restarts")
            self.stream.cut()
            self.pair.restart(1)

    # ---- the end ----

    def _unmount(self, actor: Process, step: Step) -> None:
        """A stream into an inbox would go on at the next start, and its writer waits for that."""
        if actor.side == 0:
            super()._unmount(actor, step)

    def _finish(self) -> None:
        while any(actor.call or actor.slots or actor.children for actor in self.actors):
            for actor in self.actors:
                self._settle(actor)
                if actor.children:
                    self._end(actor, Step(0, "end"))
                elif actor.slots:
                    self._close(actor, Step(0, "close", next(iter(actor.slots))))
        self._check_kept()
        if self.stream.unseen and self.stream.pipes[0].ended and self.stream.begun:
            self._wait_named()

    def _wait_named(self) -> None:
        """After execve, no call waits for the end."""
        deadline = time.monotonic() + LIMIT_S
        while not (self._whole.exists() or self.stream.causes):
            if time.monotonic() > deadline:
                raise Wrong("the stream has ended well, and the file has no name")
            time.sleep(0.02)
        self._check_kept()
