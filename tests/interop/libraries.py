# SPDX-License-Identifier: MIT
"""Clients that are a library and a driver: see tests/peers/peer.h."""

from __future__ import annotations

import contextlib
from pathlib import Path

from daemon import HasJid
from peers import Client
from server import Account
from world import World, holds

SOURCES = Path(__file__).parents[1] / "peers"


class Library:
    """One of them; its code comes from one of `packages`."""

    name = ""
    packages: tuple[str, ...] = ()

    def __init__(self, world: World, account: Account, stack: contextlib.ExitStack):
        program = world.programs / self.name
        if not program.exists():
            program = SOURCES / f"{self.name}.py"
        self._folder = world.folder / self.name
        self._client = Client(program, world.server, account, self._folder)
        stack.callback(self._client.stop)
        self.jid = self._client.jid
        self._client.accept()

    def meet(self, other: HasJid) -> None:
        pass

    def send(self, path: Path, to: HasJid) -> None:
        self._client.send(path, to.jid)

    def has_crashed(self) -> bool:
        return False

    def says_sent(self) -> bool | None:
        try:
            self._client.expect("sent", timeout=15)
        except AssertionError:
            return False
        return True

    def has(self, source: Path) -> bool:
        return holds(self._folder, source)


class QXmpp(Library):
    name, packages = "qxmpp", ("libqxmppqt6-dev", "libqxmpp-dev")


class Libpurple(Library):
    name, packages = "purple", ("libpurple-dev",)


class Gloox(Library):
    name, packages = "gloox", ("libgloox-dev",)


class Slixmpp(Library):
    name, packages = "slix", ("python3-slixmpp",)
