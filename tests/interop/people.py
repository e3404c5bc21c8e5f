# SPDX-License-Identifier: MIT
"""Clients for people: each logs in by itself, takes what is offered, and sends files when told.

Their names are those of the Debian packages whose versions the table has.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from daemon import HasJid, bare, poll_until
from server import Account
from world import Home, World, end_group, holds

DRIVER = Path(__file__).with_name("gajim_driver.py")
NOBODY = 65534


class Person:
    """The common part of all clients: a home."""

    home: Home
    packages: tuple[str, ...] = ()  # one of them has it

    def meet(self, other: HasJid) -> None:
        """`other` is its peer."""

    def has(self, source: Path) -> bool:
        return holds(self.home.path, source)

    def has_crashed(self) -> bool:
        """Whether it has ended by itself; False: we do not look."""
        return False

    def says_sent(self) -> bool | None:
        """Whether its user is told that the file has been sent; None: we do not look."""
        return None


class Windows(Person):
    """Used as a person would, by keys and the mouse. Windows are named by regular expressions."""

    def xdotool(self, *words: str) -> list[str]:
        """The texts that it shows. A closed window, or one that takes no focus, is no error."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            done = subprocess.run(
                ["xdotool", *words],
                env=self.home.environment,
                capture_output=True,
                text=True,
                timeout=20,
            )
            return done.stdout.split()
        return []

    def windows(self, title: str) -> list[str]:
        return self.xdotool("search", "--onlyvisible", "--name", f"^({title})$")

    def press(self, title: str, *keys: str) -> bool:
        """Whether there is such a window; it has the focus then."""
        found = self.windows(title)
        for window in found:
            self.xdotool("windowfocus", "--sync", window, *(("key", *keys) if keys else ()))
        return bool(found)

    def insist(self, act: Callable[[], object], question: Callable[[], object], what: str) -> None:
        """Acts until the client obeys: it may not be ready, and an answer can take seconds."""

        def answer() -> object:
            if not question():
                act()
                with contextlib.suppress(AssertionError):
                    poll_until(question, 4)
            return question()

        poll_until(answer, 60, what)

    def click(self, title: str, x: int, y: int, button: int = 1) -> None:
        for window in self.windows(title):
            at = ("mousemove", "--window", window, str(x), str(y))
            self.xdotool("windowraise", window, *at, "click", str(button))


class Libervia(Person):
    """Run from the command line."""

    packages = ("libervia-backend",)

    def __init__(self, world: World, account: Account, stack: contextlib.ExitStack):
        self.jid = f"{account.jid}/interop"
        self.home = Home(world.folder / "libervia", stack)
        self.home.spawn("/usr/bin/python3", "/usr/bin/libervia-backend", "fg")
        poll_until(lambda: self._run("profile", "list"), 180, "Libervia running")
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


class Dino(Windows):
    packages = ("dino-im",)

    def __init__(self, world: World, account: Account, stack: contextlib.ExitStack):
        self.jid = f"{account.jid}/interop"
        self.home = Home(world.folder / "dino", stack)
        self._database = self.home.path / ".local/share/dino/dino.db"
        self._account = account

    def meet(self, other: HasJid) -> None:
        """Online, with a chat with `other` open: files of others it ignores."""
        first = self.home.spawn("dino-im")  # makes the tables
        poll_until(self._has_tables, 60, "a database")
        end_group(first)
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
        # A name of one letter: nothing of it can be completed, which would race with the keys.
        shutil.copy(path, self.home.path / "x")
        question = "Select file"
        poll_until(lambda: self.windows("Dino"), 60, "a window")
        self.click("Dino", 100, 80)  # the chat
        self.insist(
            lambda: self.press("Dino", "ctrl+u"),
            lambda: self.windows(question),
            "a question for the file",
        )
        self.press(question)
        self.xdotool("type", "--delay", "300", "~/x")
        self.insist(
            lambda: self.press(question, "Return"),
            lambda: not self.windows(question),
            "the file taken",
        )
        self.insist(
            lambda: self.press("Dino|Send a file", "Return"), self._transfers, "the file sent"
        )

    def _has_tables(self) -> bool:
        """The last thing that it writes into a new database is the version."""
        if not self._database.exists():
            return False
        with contextlib.closing(sqlite3.connect(self._database)) as database:
            try:
                return bool(database.execute("SELECT int_val FROM _meta").fetchall())
            except sqlite3.OperationalError:
                return False

    def _transfers(self) -> list[int]:
        """The states of the files that it has sent or received, from its database."""
        with contextlib.closing(sqlite3.connect(self._database)) as database:
            rows = database.execute("SELECT state FROM file_transfer ORDER BY id").fetchall()
        return [state for (state,) in rows]

    def says_sent(self) -> bool | None:
        return self._transfers()[0] == COMPLETE


COMPLETE = 0  # in Dino's database


class PsiPlus(Windows):
    packages = ("psi-plus",)

    def __init__(self, world: World, account: Account, stack: contextlib.ExitStack):
        self.jid = f"{account.jid}/interop"
        self.home = Home(world.folder / "psi-plus", stack)
        profile = self.home.path / ".config/psi+/profiles/default"
        profile.mkdir(parents=True)
        (profile / "accounts.xml").write_text(psi_options("accounts", psi_account(account)))
        (profile / "options.xml").write_text(psi_options("options", PSI_OPTIONS))
        self._process = self.home.spawn("psi-plus", "--profile=default")
        self._sending = threading.Lock()
        over = threading.Event()
        hand = threading.Thread(target=self._accept_all, args=(over,))
        stack.callback(hand.join)
        stack.callback(over.set)
        hand.start()

    def has_crashed(self) -> bool:
        with contextlib.suppress(AssertionError):
            poll_until(lambda: self._process.poll() is not None, 5)
        return self._process.poll() is not None

    def _accept_all(self, over: threading.Event) -> None:
        """Presses Accept, or by Jingle Receive, and Save."""
        while not over.wait(0.5):
            if not self.press("Save As", "Return") and not self.press("Receive File", "Return"):
                with self._sending:
                    self.click("File Transfer", 350, 277)

    def send(self, path: Path, to: HasJid) -> None:
        """By Jingle there is one window for both directions; by SI there are two."""
        del to  # the only one on its roster
        # It saves files in the folder from which it sent the last one.
        path = Path(shutil.copy(path, self.home.path))
        with self._sending:
            before = self.windows("")  # a menu is a window without a name
            self.insist(
                lambda: self.click("Psi\\+", 96, 153, button=3),
                lambda: self.windows("") != before,
                "the contact's menu",
            )
            self.xdotool("key", "f")  # Send File
            poll_until(
                lambda: self.windows("File Transfer") or self.windows("Send File"),
                30,
                "a window to send from",
            )
            self.click("File Transfer", 200, 90)  # Add
            question = "Choose a file|Open Files"
            poll_until(lambda: self.press(question, "Home"), 30, "a question for the file")
            self.xdotool("type", "--delay", "20", str(path))
            self.press(question, "Return")
            poll_until(lambda: not self.windows(question), 30, "the file taken")
            self.click("File Transfer", 350, 277)  # Send
            self.press("Send File", "alt+s")


def psi_options(name: str, values: dict[str, bool | int | str]) -> str:
    """A file of Psi's, with one element for each part of an option's name."""
    text = []
    for path, value in values.items():
        kind = {bool: "bool", int: "int", str: "QString"}[type(value)]
        *folders, last = path.split(".")
        text += [f"<{folder}>" for folder in folders]
        shown = str(value).lower() if kind == "bool" else value
        text += [f'<{last} type="{kind}">{shown}</{last}>']
        text += [f"</{folder}>" for folder in reversed(folders)]
    return f'<{name} xmlns="http://psi-im.org/options">{"".join(text)}</{name}>'


def psi_account(account: Account) -> dict[str, bool | int | str]:
    hidden = "".join(
        f"{ord(a) ^ ord(b):04x}" for a, b in zip(account.password, itertools.cycle(account.jid))
    )
    values = {
        "enabled": True,
        "auto": True,
        "name": "interop",
        "jid": account.jid,
        "password": hidden,
        "automatic-resource": False,
        "resource": "interop",
        "use-host": True,
        "host": "127.0.0.1",  # its resolver does not know localhost
        "port": 5222,
        "ssl": "auto",
    }
    return {f"accounts.a0.{name}": value for name, value in values.items()}


PSI_OPTIONS = {
    "options.keychain.enabled": False,
    "options.ui.file-transfer.auto-popup": True,
    "options.ui.tip.show": False,
}


class Gajim(Person):
    """Does not run as root, and has no command to send a file, so gajim_driver.py does it."""

    packages = ("gajim",)

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
