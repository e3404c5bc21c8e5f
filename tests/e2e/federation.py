# SPDX-License-Identifier: MIT
"""Two domains, one on Prosody and one on ejabberd, that talk to each other over loopback."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ejabberd import Ejabberd
from faultproxy import FaultProxy
from nameserver import NameServer
from prosody import Prosody
from server import Server, free_ports

HOSTS = ("prosody.example", "ejabberd.example")


@contextlib.contextmanager
def running_federation(folder: Path) -> Iterator[tuple[Server, Server]]:
    """Each trusts the other by its certificate, of the same CA, and by nothing else.

    Connections between the servers go through server.link of the target.
    """
    names = NameServer()
    one = Prosody(folder / "prosody", HOSTS[0], resolver=names.port)
    other = Ejabberd(folder / "ejabberd", HOSTS[1], folder / "prosody", names.port)
    (dead,) = free_ports(1)
    names.add_server("dead.example", dead)
    for server in (one, other):
        server.link = FaultProxy(server.s2s_port)
        names.add_server(server.host, server.link.port)
    try:
        one.start()
        other.start()
        yield one, other
    finally:
        for server in (one, other):
            server.stop()
            server.link.stop()
        names.stop()
