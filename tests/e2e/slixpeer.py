# SPDX-License-Identifier: MIT
"""slixmpp with its own XEP-0047 plugin: a peer that shares no line of code with ours."""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from server import Account

sys.path.append(str(Path(__file__).parents[1] / "peers"))
from slixclient import connect, slixmpp  # noqa: E402


class SlixPeer:
    """A client in a thread of its own, available when the constructor returns."""

    def __init__(
        self,
        account: Account,
        port: int,
        cafile: Path,
        resource: str = "slixmpp",
        *,
        ibb: bool = True,
        auto_accept: bool = True,
        max_block_size: int = 8192,
    ):
        self.jid = f"{account.jid}/{resource}"
        self.received: queue.Queue[bytes] = queue.Queue()  # whole streams, as they end
        self.opens: list[str] = []  # every <open/> that came, as XML
        self._sent: set[str] = set()
        self._partial: dict[str, bytes] = {}
        self._ready = threading.Event()
        settings = {"auto_accept": auto_accept, "max_block_size": max_block_size}
        self._arguments = (account, port, cafile, settings if ibb else None)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(30), "slixmpp could not log in"

    def _run(self) -> None:
        account, port, cafile, settings = self._arguments
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.client = slixmpp.ClientXMPP(self.jid, account.password)
        self.client.ca_certs = str(cafile)
        self.client.register_plugin("xep_0030")
        if settings:
            self.client.register_plugin("xep_0047", settings)
            self.client.add_event_handler("ibb_stream_data", self._data)
            self.client.add_event_handler("ibb_stream_end", self._end)
        self.client.add_filter("in", self._note_open)
        self.client.add_event_handler("session_start", self._session_started)
        connect(self.client, "127.0.0.1", port)
        self.loop.run_until_complete(self.client.disconnected)
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()

    async def _session_started(self, _event: object) -> None:
        self.client.send_presence()
        await self.client.get_roster()
        self._ready.set()

    def _note_open(self, stanza: Any) -> Any:
        if stanza.xml.find("{http://jabber.org/protocol/ibb}open") is not None:
            self.opens.append(str(stanza))
        return stanza

    def _data(self, stream: Any) -> None:
        self._partial[stream.sid] = self._partial.get(stream.sid, b"") + stream.read()

    def _end(self, stream: Any) -> None:
        if stream.sid not in self._sent:
            self.received.put(self._partial.pop(stream.sid, b""))

    def open_streams(self) -> int:
        return len(self.client["xep_0047"]._streams)

    def call(self, coroutine: Coroutine, timeout: float = 60) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    def send_file(self, to: str, content: bytes, *, block_size: int = 4096) -> str:
        """Opens a stream, sends and closes it; returns the sid."""

        async def send() -> str:
            stream = await self.client["xep_0047"].open_stream(to, block_size=block_size)
            self._sent.add(stream.sid)
            await stream.sendall(content)
            await stream.close()
            return stream.sid

        return self.call(send())

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.client.disconnect)
        self._thread.join(10)
