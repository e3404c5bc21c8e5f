# SPDX-License-Identifier: MIT
"""A TCP proxy that loses, delays and splits bytes, as a test tells it to.

It knows bytes only, so TLS does not matter. A setting applies at once, to existing and to new
connections:

    proxy.cut()              every connection is reset
    proxy.cut_after(1000)    the same after 1000 further bytes: somewhere in a stanza
    proxy.freeze()           nothing goes through, silently; until proxy.thaw()
    proxy.freeze_after(1000) the same after 1000 further bytes of the server
    proxy.mute()             only bytes of the server go through; until proxy.unmute()
    proxy.strand()           existing connections stay, and nothing goes through them any more
    proxy.refuse()           new connections are refused; until proxy.accept()
    proxy.delay = 0.1        seconds that each byte travels
    proxy.rate = 10_000      bytes a second, in each direction
    proxy.pieces = 3         bytes go in pieces of 1 to 3
    proxy.whole = True       but those to the server do not
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

CHUNK = 65536
QUEUE = 64  # pieces in flight, in each direction

Queue = asyncio.Queue[tuple[float, bytes]]  # the next bytes to write, and when


class FaultProxy:
    def __init__(self, target: int, seed: int = 0):
        """Connections go to port `target`. `seed` decides on the pieces."""
        self.target = target
        self.connections = 0  # so far
        self.sent = 0  # bytes that went to the server, so far
        self.received = 0  # bytes that came from it
        self.delay = 0.0
        self.rate = 0  # no limit
        self.pieces = 0  # as they come
        self.whole = False
        self._random = random.Random(seed)
        self._fuse: int | None = None
        self._freeze_at: int | None = None  # of `received`
        self._links: dict[asyncio.Task, Link] = {}
        self._holder = bound(0)  # the port stays ours while nobody listens
        self.port: int = self._holder.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._thawed = asyncio.Event()
        self._unmuted = asyncio.Event()
        self.thaw()
        self.unmute()
        self.accept()

    def stop(self) -> None:
        self.refuse()
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._holder.close()

    # ---- faults ----

    def cut(self) -> int:
        """Returns the count of connections."""
        return self._call(self._cut())

    def cut_after(self, count: int) -> None:
        async def light() -> None:
            self._fuse = count

        self._call(light())

    def spare(self) -> bool:
        """Nothing is cut any more. Returns whether a cut was still to come."""

        async def spare() -> bool:
            lit, self._fuse = self.will_cut, None
            return lit

        return self._call(spare())

    @property
    def will_cut(self) -> bool:
        """Whether the bytes before the cut have not gone through yet."""
        return self._fuse is not None

    def freeze(self) -> None:
        async def freeze() -> None:
            self._thawed.clear()

        self._call(freeze())

    def freeze_after(self, count: int) -> None:
        async def arm() -> None:
            self._freeze_at = self.received + count

        self._call(arm())

    @property
    def is_frozen(self) -> bool:
        return not self._thawed.is_set()

    def thaw(self) -> None:
        async def thaw() -> None:
            self._thawed.set()

        self._call(thaw())

    def mute(self) -> None:
        async def mute() -> None:
            self._unmuted.clear()

        self._call(mute())

    def unmute(self) -> None:
        async def unmute() -> None:
            self._unmuted.set()

        self._call(unmute())

    def strand(self) -> None:
        """Existing connections are forgotten, as by a router; only new ones work."""

        async def strand() -> None:
            for link in self._links.values():
                link.passable.clear()

        self._call(strand())

    def refuse(self) -> None:
        async def refuse() -> None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
            self._listener.close()

        self._call(refuse())

    def accept(self) -> None:
        async def accept() -> None:
            self._listener = bound(self.port)
            self._listener.listen(64)
            self._listening = asyncio.create_task(self._listen())

        self._call(accept())

    # ---- in the loop ----

    def _call(self, coroutine: Coroutine) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    async def _cut(self) -> int:
        tasks = list(self._links)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._fuse = None
        return len(tasks)

    async def _listen(self) -> None:
        while True:
            client, _ = await self._loop.sock_accept(self._listener)
            self.connections += 1
            link = Link(self, client)
            task = asyncio.create_task(link.run())
            self._links[task] = link
            task.add_done_callback(self._links.pop)

    async def forward(self, data: bytes, sink: socket.socket) -> int:
        """Sends the bytes that may go; returns their count."""
        if self._fuse is not None:
            data = data[: self._fuse]
            self._fuse -= len(data)
        await self._loop.sock_sendall(sink, data)
        if self._fuse == 0:
            self._cutting = asyncio.create_task(self._cut())
        if self.rate:
            await asyncio.sleep(len(data) / self.rate)
        elif self.pieces:
            await asyncio.sleep(0)  # others' turn, so that pieces do not leave together
        return len(data)

    def count_received(self, count: int) -> None:
        self.received += count
        if self._freeze_at is not None and self.received >= self._freeze_at:
            self._freeze_at = None
            self._thawed.clear()

    async def thawed(self) -> None:
        await self._thawed.wait()

    async def unmuted(self) -> None:
        await self._unmuted.wait()

    def split(self, data: bytes, to_server: bool) -> Iterator[bytes]:
        pieces = 0 if to_server and self.whole else self.pieces
        at = 0
        while at < len(data):
            size = self._random.randint(1, pieces) if pieces else CHUNK
            if self.rate:
                size = min(size, max(1, self.rate // 10))
            yield data[at : at + size]
            at += size


class Link:
    """A connection, and the one to the server that belongs to it."""

    def __init__(self, proxy: FaultProxy, client: socket.socket):
        self.proxy = proxy
        self.client = client
        self.server = socket.socket()
        self.passable = asyncio.Event()
        self.passable.set()

    async def run(self) -> None:
        """Until both directions have ended. A RST at one end, or being cancelled, is a RST at
        both."""
        ends = (self.client, self.server)
        for end in ends:
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop = asyncio.get_running_loop()
        directions: list[asyncio.Task] = []
        try:
            await loop.sock_connect(self.server, ("127.0.0.1", self.proxy.target))
            for source, sink in (ends, ends[::-1]):
                queue: Queue = asyncio.Queue(QUEUE)
                directions.append(asyncio.create_task(self._read(source, queue)))
                directions.append(asyncio.create_task(self._write(queue, sink)))
            await asyncio.gather(*directions)
        except OSError:
            await self._wait_passable()
            reset_when_closed(*ends)
        except asyncio.CancelledError:
            reset_when_closed(*ends)
        finally:
            for direction in directions:
                direction.cancel()
            if directions:
                await asyncio.wait(directions)  # a socket that is waited for must not be closed
            for end in ends:
                end.close()

    async def _wait_passable(self) -> None:
        await self.passable.wait()
        await self.proxy.thawed()

    async def _read(self, source: socket.socket, queue: Queue) -> None:
        loop = asyncio.get_running_loop()
        data = b"first"
        while data:
            data = await loop.sock_recv(source, CHUNK)
            await queue.put((loop.time() + self.proxy.delay, data))

    async def _write(self, queue: Queue, sink: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                await self._wait_passable()
                sink.shutdown(socket.SHUT_WR)
                return
            for piece in self.proxy.split(data, sink is self.server):
                await self._wait_passable()
                if sink is self.server:
                    await self.proxy.unmuted()
                count = await self.proxy.forward(piece, sink)
                if sink is self.server:
                    self.proxy.sent += count
                else:
                    self.proxy.count_received(count)


def reset_when_closed(*ends: socket.socket) -> None:
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def bound(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    made.setblocking(False)
    return made
