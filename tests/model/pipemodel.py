# SPDX-License-Identifier: MIT
"""The model: a stream is two pipes, of which either end may break.

It follows what calls have returned, and says what is wrong with a result. It knows nothing of the
daemons. What it demands:

* Bytes are read in the order of their writing: none lost, doubled or invented.
* The end of a file is read only behind all its bytes, and only if the writer has ended well.
* What fsync, close or a synchronous write has reported as delivered can be read, at once.
* No close is successful after a write that has failed, unless a later one is.
* After an error the end of a file may be read, but not if its writer was killed, has a write that
  failed, or was open when its mount ended.
* An error has a cause: an end that was closed or killed, or a call that cannot be done.
* A call waits only for the other side.
"""

from __future__ import annotations

import errno
import os
import select
from dataclasses import dataclass, field

from actor import content

# However small the windows and buffers, a writer goes on and a barrier is passed while no more is
# unread than this.
LITTLE = 8 * 1024

# How a call that cannot be done is refused, without an effect.
REFUSED = {
    "pread": {errno.ESPIPE, errno.EINVAL, errno.EOPNOTSUPP},
    "map": {errno.ENODEV, errno.EINVAL, errno.EACCES},
    "copy_file_range": {errno.EXDEV, errno.EINVAL, errno.ESPIPE, errno.EOPNOTSUPP},
    "fallocate": {errno.EOPNOTSUPP, errno.ESPIPE, errno.EINVAL, errno.ENODEV},
    "splice": {errno.EINVAL, errno.ESPIPE},
    "splice_out": {errno.EINVAL, errno.ESPIPE},
    "open": {errno.ENOENT, errno.EBUSY},
    "mknod": {errno.EEXIST},
    "sync": {errno.ENOENT},
}

# How it fails that a stream begins while the other side is away.
AWAY = {errno.EHOSTDOWN, errno.ENETDOWN, errno.EHOSTUNREACH, errno.ECONNRESET, errno.ETIMEDOUT}

# The session fails of these.
BREAKS = {errno.ESPIPE, errno.EINVAL}

READS = ("read", "splice_out")
BARRIERS = ("fsync", "close", "end", "execve")


class Wrong(AssertionError):
    """A result that the model does not allow."""


@dataclass(eq=False)
class Description:
    """An open file, which several descriptors of several processes may share."""

    side: int
    flags: int
    position: int = 0
    holders: int = 1
    refused: bool = False  # the last write, or a part of it
    lost_holder: bool = False  # one was killed: the end need not be good

    @property
    def reads(self) -> bool:
        return self.flags & os.O_ACCMODE != os.O_WRONLY

    @property
    def writes(self) -> bool:
        return self.flags & os.O_ACCMODE != os.O_RDONLY

    @property
    def waits(self) -> bool:
        return not self.flags & os.O_NONBLOCK

    @property
    def syncs(self) -> bool:
        return bool(self.flags & os.O_DSYNC)  # O_SYNC has that bit, too


@dataclass
class Pipe:
    """One direction."""

    direction: int
    written: bytearray = field(default_factory=bytearray)
    pending: bytes = b""  # of a write that has not returned: any part may have left
    abandoned: bool = False  # its process was killed: they may never leave
    read: int = 0
    delivered: int = 0
    ended: bool = False  # the writer has ended well
    closed: bool = False  # it may have ended well, but there are causes of errors

    @property
    def unread(self) -> int:
        return len(self.written) + len(self.pending) - self.read

    @property
    def arrives(self) -> bool:
        """Whether there are bytes that can be read now, or soon."""
        pending = 0 if self.abandoned else len(self.pending)
        return len(self.written) + pending > self.read

    def begin_write(self, gap: int, size: int) -> None:
        self.pending = bytes(gap) + content(self.direction, len(self.written) + gap, size)

    def end_write(self, count: int) -> None:
        """`count` of the pending bytes were accepted, zeros of a gap included."""
        if self.read > len(self.written) + count:
            raise Wrong(f"{self.read} bytes were read, of {len(self.written) + count} written")
        self.written += self.pending[:count]
        self.pending = b""

    def take(self, data: bytes) -> None:
        """They have been read."""
        sent = max(0, self.read - len(self.written))  # of the pending ones
        known = bytes(self.written[self.read :]) + self.pending[sent:]
        if not known.startswith(data):
            raise Wrong(f"{len(data)} bytes, read at {self.read}, were not written like that")
        self.read += len(data)

    def check_at(self, at: int, data: bytes) -> None:
        """They were read at an offset, and can be read once more."""
        known = bytes(self.written) + self.pending
        if known[at : at + len(data)] != data:
            raise Wrong(f"{len(data)} bytes, read at offset {at}, were not written like that")

    def deliver(self, end: int) -> None:
        """A call has said so."""
        self.delivered = max(self.delivered, end)

    def take_end(self, certain: bool) -> None:
        """`certain`: there are no causes of errors."""
        if not (self.ended if certain else self.closed):
            raise Wrong(f"an end of the file, at {self.read}, though its writer has not ended well")
        if self.unread if certain else self.read < len(self.written):
            raise Wrong(f"an end of the file, {self.unread} bytes too early")


class Stream:
    def __init__(self, overflow: int | None, resumes: bool = True):
        """`overflow`: more unread bytes may break it; messages cannot wait. `resumes`: when a
        connection has broken."""
        self._overflow = overflow
        self._resumes = resumes
        self.faults = False  # there may be some, of an earlier stream as well
        self.arrived = False  # the other side knows of it
        self.pipes = (Pipe(0), Pipe(1))  # 0: from the side that opens
        self.descriptions: set[Description] = set()
        self.closed = [False, False]  # that side has opened it, and ended it
        self.gone = [False, False]  # the mount of that side has ended
        self.uses = 0  # reads and writes by side 1
        self.unsure = False  # whether there was one of them
        self.causes: list[str] = []  # why any call may fail from now on
        self.over = False  # nothing is waited for any more
        self.unseen = False  # nobody has seen whether the last close was successful
        self.confirmed = False  # the last close of the side that opened it was

    # ---- descriptors ----

    def opened(self, side: int, flags: int) -> Description:
        description = Description(side, flags)
        self.descriptions.add(description)
        return description

    def released(self, description: Description, killed: bool) -> None:
        """By close, or by the end of a process that held it."""
        description.holders -= 1
        killed = killed or self.gone[description.side]
        if killed:
            description.lost_holder = True
        if description.holders:
            return
        self.descriptions.remove(description)
        if any(d.side == description.side for d in self.descriptions):
            return
        side = description.side
        if side == 1 and not self.uses:
            return  # as by file(1): the next open is the first
        self.closed[side] = True
        self.pipes[side].closed = not killed and not description.refused
        if killed:
            self.causes.append(f"side {side} was killed")
            self.over = not self.unsure
        elif description.refused:
            self.causes.append(f"side {side} has not written all that it wanted to")
        elif self.pipes[1 - side].unread or self.pipes[1 - side].pending:
            self.causes.append(f"side {side} has ended with bytes unread")
            self.over = side == 1  # the closing side still waits for what it has written
        elif not description.writes and not self.pipes[1 - side].ended:
            self.causes.append(f"side {side} has stopped reading")
            self.over = True
        else:
            self.pipes[side].ended = True
            if description.lost_holder:
                self.causes.append(f"a process of side {side} was killed")

    def cut(self) -> None:
        """A connection breaks. The stream does not, if it resumes."""
        self.arrived = True
        if not self._resumes:
            self.causes.append("a connection breaks")

    # ---- results ----

    def began_write(self, side: int) -> None:
        pipe = self.pipes[side]
        others = [d for d in self.descriptions if d.side != side]
        if self.closed[1 - side] or (others and not any(d.reads for d in others)):
            self.causes.append("nobody reads")
        if self._overflow is not None and pipe.unread > self._overflow:
            self.causes.append("overflow")

    def check_error(self, call: str, description: Description | None, number: int) -> None:
        if number in REFUSED.get(call, ()):
            return
        is_barrier = call in BARRIERS or call == "sync"
        if number == errno.EAGAIN and description and not description.waits and not is_barrier:
            return
        if self.causes:
            return
        if call == "close" and description and description.refused:
            return
        if self.faults and not self.arrived and number in AWAY:
            self.causes.append("the other side was away")
            return
        if description and self.closed[1 - description.side] and call not in READS:
            return  # the other side has ended
        raise Wrong(f"{call}: {errno.errorcode[number]}, without a cause")

    def may_wait(self, call: str, side: int) -> bool:
        """Whether a call of that side may wait for the other side, for however long."""
        there, back = self.pipes[side], self.pipes[1 - side]
        if self.over or any(self.gone):
            return False
        if call in READS:
            return not back.arrives and not back.ended
        return there.unread > LITTLE

    def is_ready(self, description: Description, events: int) -> bool:
        """Whether one of the events is there, or comes without the other side."""
        there, back = self.pipes[description.side], self.pipes[1 - description.side]
        readable = bool(events & select.POLLIN) and (back.arrives or back.ended)
        writable = bool(events & select.POLLOUT) and there.unread <= LITTLE
        return readable or writable

    def check_poll(self, description: Description, events: int, found: int) -> None:
        """After a wait that was long enough for bytes to arrive."""
        if found or self.causes or not self.is_ready(description, events):
            return  # one event is enough
        there, back = self.pipes[description.side], self.pipes[1 - description.side]
        raise Wrong(
            f"poll for {events:#x} has seen nothing: {back.unread} bytes are there"
            f"{' and the end' * back.ended}, {there.unread} are unread at the other side"
        )

    def check_delivered(self, side: int) -> None:
        """All that this side can read was read."""
        pipe = self.pipes[1 - side]
        if pipe.read < pipe.delivered:
            raise Wrong(f"{pipe.delivered} bytes were delivered, and {pipe.read} could be read")
