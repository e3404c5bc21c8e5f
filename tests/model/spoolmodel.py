# SPDX-License-Identifier: MIT
"""A file that will be offered to a receiver with an inbox: it is spooled until its last close.

What is demanded beyond the model of an inbox:

* Nothing is at the receiver before the last close, which alone says that the file is there.
* It can be written in any order, and truncated.
* Any close fails after a write that has failed and was not repeated.
* A sync of it is never successful while something of it is not delivered: EINVAL.
* A synchronous write fails with EINVAL, and then the file is not offered.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

from actor import content
from inboxmodel import InboxRun
from pipemodel import BARRIERS, REFUSED, Description, Wrong
from sequence import WRITES, Process, Step, sync_of


class SpoolRun(InboxRun):
    def _check_kept(self) -> None:
        pipe = self.stream.pipes[0]
        named = self._whole.exists()
        stored = self._stored()
        if (named or stored) and not self.stream.closed[0]:
            raise Wrong("the file has arrived before its last close")
        if not bytes(pipe.written).startswith(stored):
            raise Wrong(f"{len(stored)} bytes are in the inbox that were not written like that")
        if self._busy(0, BARRIERS):
            return
        if named and not pipe.closed:
            raise Wrong("the file has arrived, though its writer has not ended well")
        if named and len(stored) != len(pipe.written):
            raise Wrong(f"{len(stored)} bytes have the file's name, of {len(pipe.written)}")
        if self.stream.confirmed and self.stream.begun and not named:
            raise Wrong("the last close was successful, and the file has no name")

    def _closed_well(self, description: Description, end: int) -> None:
        """One that is not the last returns at once, and nothing is delivered."""
        super()._closed_well(description, 0)

    def _has_arrived(self) -> bool:
        """It need not: it is offered at the end."""
        return True

    # ---- bytes out ----

    def _out(self, actor: Process, step: Step, **more: Any) -> None:
        description = actor.slots.get(step.slot)
        pipe = self.stream.pipes[0]
        busy = self._busy(0, WRITES + BARRIERS)
        if not description or not description.writes or actor.side == 1 or busy or pipe.pending:
            return
        end = len(pipe.written)
        # For reading, too, and without waiting, it may have been opened as a stream.
        is_stream = description.reads and not description.waits
        at = more.get("at", end if is_stream else description.position)
        size = min(step.size, 4096) if step.call == "splice" else step.size
        syncs = description.syncs or step.call == "write_sync"
        pipe.pending = content(0, at, size)

        def finish(answer: dict[str, Any]) -> None:
            data, pipe.pending = pipe.pending, b""
            if "errno" in answer:
                self._refuse(step, description, answer["errno"], syncs)
                return
            if syncs:
                raise Wrong(f"a synchronous {step.call} is successful")
            count = answer["result"]
            description.refused = count < size
            pipe.written += bytes(max(0, at - end))
            pipe.written[at : at + count] = data[:count]
            if "at" not in more:
                description.position = at + count

        actor.begin(step, finish, slot=step.slot, direction=0, offset=at, size=size, **more)

    def _refuse(self, step: Step, description: Description, number: int, syncs: bool) -> None:
        by_kernel = number in REFUSED.get(step.call, ())
        if number == errno.EINVAL and syncs:
            self.stream.causes.append(f"a synchronous {step.call}")
        else:
            self.stream.check_error(step.call, description, number)
        description.refused |= not by_kernel

    def _ftruncate(self, actor: Process, step: Step) -> None:
        description = actor.slots.get(step.slot)
        busy = self._busy(0, WRITES + BARRIERS)
        if not description or not description.writes or actor.side == 1 or busy:
            return
        pipe = self.stream.pipes[0]
        end = len(pipe.written)
        size = max(0, end + (0, -1, -5000, 1, 5000, 100, 0, -end)[step.how])

        def finish(answer: dict[str, Any]) -> None:
            if answer.get("errno") in (errno.EINVAL, errno.ESPIPE) and not end:
                return  # it may not be spooled yet
            if "errno" in answer:
                self.stream.check_error("ftruncate", description, answer["errno"])
                return
            pipe.written = pipe.written[:size] + bytes(max(0, size - end))
            description.refused = False

        actor.begin(step, finish, slot=step.slot, size=size)

    def _pwrite(self, actor: Process, step: Step) -> None:
        description = actor.slots.get(step.slot)
        if description and not description.reads:
            end = len(self.stream.pipes[0].written)
            at = (end, 0, end // 2, end + 1, end + 5000, end + 100, end, max(0, end - 1))
            self._out(actor, step, at=at[step.how])

    def _unsynced(self, step: Step, description: Description) -> Callable[[Any], None]:
        pipe = self.stream.pipes[0]
        written, confirmed = bool(pipe.written), self.stream.confirmed

        def finish(answer: dict[str, Any]) -> None:
            if answer.get("errno") == errno.EINVAL and not confirmed:
                return
            if "errno" in answer:
                self.stream.check_error(step.call, description, answer["errno"])
            elif written and not self._whole.exists():
                raise Wrong(f"{step.call} is successful, and the file has no name")

        return finish

    def _fsync(self, actor: Process, step: Step) -> None:
        description = actor.slots.get(step.slot)
        if description and actor.side == 0 and not self._busy(0, WRITES):
            finish = self._unsynced(step, description)
            actor.begin(step, finish, slot=step.slot, how=sync_of(step))

    def _sync(self, actor: Process, step: Step) -> None:
        if actor.side == 0:
            flags = os.O_RDONLY | (os.O_NONBLOCK if step.how & 2 else 0)
            finish = self._unsynced(step, Description(0, flags))
            arguments = {"path": str(self.paths[0]), "flags": flags, "how": sync_of(step)}
            actor.begin(step, finish, **arguments)
