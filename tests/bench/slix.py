#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""slixmpp to slixmpp, with its XEP-0047 plugin. Arguments and output as described in peer.hpp."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "peers"))
from slixclient import connect, slixmpp  # noqa: E402


def peak_kib() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


class Stopwatch:
    def __init__(self) -> None:
        self.started, self.cpu_started = time.monotonic(), time.process_time()

    def report(self, size: int, sha256: str = "") -> None:
        figures = {
            "bytes": size,
            "seconds": time.monotonic() - self.started,
            "cpu_s": time.process_time() - self.cpu_started,
            "rss_kib": peak_kib(),
            "sha256": sha256,
        }
        print(json.dumps(figures), flush=True)


async def send(client: slixmpp.ClientXMPP, to: str, source: Path, block: int) -> None:
    clock = Stopwatch()
    stream = await client["xep_0047"].open_stream(to, block_size=block)
    with source.open("rb") as file:
        await stream.sendfile(file)
    clock.report(source.stat().st_size)
    await stream.close()


async def receive(client: slixmpp.ClientXMPP, size: int) -> None:
    received, sha256 = 0, hashlib.sha256()
    ended = asyncio.Event()
    clock = Stopwatch()

    def take(stream: Any) -> None:
        nonlocal received
        data = stream.read()
        sha256.update(data)
        received += len(data)
        if received == size:
            clock.report(received, sha256.hexdigest())

    client.add_event_handler("ibb_stream_data", take)
    client.add_event_handler("ibb_stream_end", lambda _stream: ended.set())
    print("ready", flush=True)
    await ended.wait()


async def run(role: str, accounts: str, port: str, cafile: str, source: str, block: str) -> None:
    sender, receiver = (line.split() for line in Path(accounts).read_text().splitlines())
    jid, password = sender if role == "send" else receiver
    client = slixmpp.ClientXMPP(jid, password)
    client.ca_certs = cafile
    client.register_plugin("xep_0030")
    client.register_plugin("xep_0047", {"auto_accept": True, "max_block_size": 65535})
    online = asyncio.Event()
    client.add_event_handler("session_start", lambda _event: online.set())
    connect(client, "127.0.0.1", int(port))
    await online.wait()
    client.send_presence()
    if role == "send":
        await send(client, receiver[0], Path(source), int(block))
    else:
        await receive(client, Path(source).stat().st_size)
    await client.disconnect()


def main() -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(run(*sys.argv[1:]))
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


main()
