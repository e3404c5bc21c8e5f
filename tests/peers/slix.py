#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""slixmpp's XEP-0047 plugin. Arguments, commands and events are described in peer.h.

A bytestream comes without an offer, a size or a name: it is accepted or refused at once, and called
by its sid. Until it is told to accept, this driver refuses.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

from slixclient import connect, slixmpp
from slixmpp.exceptions import IqError, IqTimeout


def tell(event: str) -> None:
    print(event, flush=True)


class Driver:
    def __init__(self, host: str, port: str, cafile: str, jid: str, password: str):
        self.client = slixmpp.ClientXMPP(jid, password)
        self.client.ca_certs = cafile
        self.client.register_plugin("xep_0030")
        self.client.register_plugin("xep_0047", {"auto_accept": False})
        self.bytestreams = self.client["xep_0047"]
        self.folder = Path()
        self.stream: Any = None  # the latest
        self.sends = False  # the next one will be ours
        self.cancelled = False
        self.tasks: set[asyncio.Task] = set()
        self.client.add_event_handler("session_start", self.session_started)
        self.client.add_event_handler("ibb_stream_start", self.stream_started)
        connect(self.client, socket.gethostbyname(host), int(port))

    def run(self, coroutine: Any) -> None:
        """In a task, which needs a reference."""
        task = asyncio.ensure_future(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def session_started(self, _event: object) -> None:
        self.client.send_presence()
        await self.client.get_roster()
        tell(f"ready {self.client.boundjid.full}")

    def stream_started(self, stream: Any) -> None:
        self.stream, self.cancelled = stream, False
        if not self.sends:
            tell(f"offer {stream.peer_jid} -1 {stream.sid}")
            self.run(self.receive(stream))
        tell("started")

    async def receive(self, stream: Any) -> None:
        content = await stream.gather()
        if self.cancelled:
            tell("cancelled")
            return
        path = self.folder / stream.sid
        path.write_bytes(content)
        tell(f"received {path}")

    async def send(self, to: str, path: Path) -> None:
        self.sends = True
        try:
            stream = await self.bytestreams.open_stream(to)
        except (IqError, IqTimeout):
            tell("refused")
            return
        finally:
            self.sends = False
        try:
            with path.open("rb") as file:
                await stream.sendfile(file)
            await stream.close()
            tell("sent")
        except (IqError, IqTimeout, OSError):  # the last when the stream is closed
            tell("cancelled" if self.cancelled else "failed closed too early")

    def obey(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        if verb == "send":
            to, _, path = rest.partition(" ")
            self.run(self.send(to, Path(path)))
        elif verb in ("accept", "refuse"):
            self.bytestreams.auto_accept = verb == "accept"
            self.folder = Path(rest)
        elif verb == "cancel":
            self.cancelled = True
            self.stream.close()
        else:
            sys.exit(f"no such command: {line}")


async def main() -> None:
    driver = Driver(*sys.argv[1:])
    commands = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(commands)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await commands.readline():
        driver.obey(line.decode().rstrip("\n"))


loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)  # slixmpp takes this one
loop.run_until_complete(main())
