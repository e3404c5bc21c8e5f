# SPDX-License-Identifier: MIT
"""Clients for people: each logs in by itself, takes what is offered, and sends files when told.

Their names are those of the Debian packages whose versions the table has.
"""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess

import time
from pathlib import Path

from daemon import HasJid, bare, poll_until
from server import Account
from world import Home, World, holds

DRIVER = Path(__file__).with_name("gajim_driver.py")
NOBODY = 65534


class Person:
    """What they have in common: a home."""

    home: Home

    def meet(self, other: HasJid) -> None:
        """`other` is who it will deal with."""

    def has(self, source: Path) -> bool:
        return holds(self.home.path, source)

    def says_sent(self) -> bool | None:
        """Whether its user is told that the file has been sent; None: we do not look."""
        return None


class Libervia(Person):
    """Run from the command line."""

    package = "libervia-backend"

    def __init__(self, world: World, account: Account, stack: contextlib.ExitStack):
        self.jid = f"{account.jid}/interop"
        self.home = Home(world.folder / "libervia", stack)
        self.home.spawn("/usr/bin/python3", "/usr/bin/libervia-backend", "fg")
        poll_until(lambda: self._run("profile", "list"), 60, "Libervia running")
        words = ["-p", "", "-j", self.jid, "-x", account.password, "interop"]
        assert self._run("profile", "create", *words), self.home.log
        profile = ["-p", "interop", "--pwd", ""]
        assert self._run("profile", "connect", "-c", *profile), self.home.log
        got = self.home.path / "got"
        got.mkdir()
        self.home.spawn(*CLI, "file", "receive", "-m", "-f", "--path", got, *profile)

    def _run(self, *words: str | Path) -> bool:
        return self.home.run(*CLI, *words)

    def send(self, path: Path, to: HasJid) -> None:
        self.home.spawn(*CLI, "file", "send", "-p", "interop", "--pwd", "", path, to.jid)


CLI = ("/usr/bin/python3", "/usr/bin/libervia-cli")


class Dino(Person):
    """Its window is used as a person would, by keys and the mouse."""

    package = "dino-im"

    def __init__(self, world: World, account: Account, stack: contextlib.ExitStack):
        self.jid = f"{account.jid}/interop"
        self.home = Home(world.folder / "dino", stack)
        self._database = self.home.path / ".local/share/dino/dino.db"
        self._account = account

    def meet(self, other: HasJid) -> None:
        """Online, with a chat with `other` open: files of others it ignores."""
        self.home.run("dino-im", timeout=6)  # makes the tables
        now = int(time.time())
        with contextlib.closing(sqlite3.connect(self._database)) as database, database:
            database.execute(
                "INSERT INTO account (id, bare_jid, resourcepart, password, alias, enabled)"
                " VALUES (1, ?, 'interop', ?, '', 1)",
                (self._account.jid, self._account.password),
            )
            database.execute("INSERT INTO jid (id, bare_jid) VALUES (1, ?)", (bare(other),))
            database.execute(
                "INSERT INTO conversation (account_id, jid_id, active, active_last_changed,"
                " last_active, type, encryption, notification, send_typing, send_marker)"
                " VALUES (1, 1, 1, ?, ?, 0, 0, 0, 0, 0)",
                (now, now),
            )
        self.home.spawn("dino-im")

    def send(self, path: Path, to: HasJid) -> None:
        del to  # who the chat is with
        time.sleep(2)  # the window has nothing that one could wait for
        for pause_s, words in (
            (1, "mousemove 100 80 click 1"),  # the chat
            (3, "key ctrl+u"),
            (3, f"type --delay 40 {path}"),
            (3, "key Return"),
            (0, "mousemove 709 430 click 1"),  # Send
        ):
            self.home.run("xdotool", *words.split())
            time.sleep(pause_s)


    def says_sent(self) -> bool | None:
        with contextlib.closing(sqlite3.connect(self._database)) as database:
            (state,) = database.execute("SELECT state FROM file_transfer ORDER BY id").fetchone()
        return state == COMPLETE


COMPLETE = 0  # in Dino's database


class Gajim(Person):
    """Does not let root run it; has no way to be told to send a file, so gajim_driver.py does."""

    package = "gajim"

    def __init__(self, world: World, account: Account, stack: contextlib.ExitStack):
        self.jid = f"{account.jid}/interop"
        self.home = Home(world.folder / "gajim", stack, NOBODY)
        driver = world.folder / "gajim_driver.py"
        driver.write_bytes(DRIVER.read_bytes())
        words = ("/usr/bin/python3", driver, self.home.path / "settings", self.jid)
        self._process = self.home.spawn(*words, account.password, stdin=subprocess.PIPE)

    def send(self, path: Path, to: HasJid) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"send {to.jid} {path}\n".encode())
        self._process.stdin.flush()
