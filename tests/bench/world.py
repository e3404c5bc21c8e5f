# SPDX-License-Identifier: MIT
"""The world of a measurement: two servers, accounts, delays, and mounts, which all end with it."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon import Build, Mount
from ejabberd import Ejabberd
from lab import end_process
from server import HOST, Account
from prosody_server import Prosody

IBBFS = ["ibbfs", "ibbfsb", "ibbfsc"]  # mounts that are there at the same time
PAIRS = ["pump", *IBBFS, "slixmpp", "qxmpp", "gloox"]  # who has two accounts of its own
AUTO = 0  # a block size that ibbfs chooses
SERVERS = {"prosody": Prosody, "ejabberd": Ejabberd}
LARGEST = 64 * 2**20


@dataclass(frozen=True)
class Endpoint:
    """A server as its clients see it: directly, or with a delay."""

    port: int
    cafile: Path
    log: str = ""


class World:
    """One server and its clients."""

    def __init__(self, name: str, build: Path, folder: Path, stack: contextlib.ExitStack):
        self.name = name
        self.build = build
        self.folder = folder
        self._stack = stack
        self._relays: dict[int, int] = {}
        self._numbers = itertools.count()
        self._sources: dict[int, Path] = {}
        # On the disk that is measured: the folder may be in memory.
        self.disk = Path(tempfile.mkdtemp(prefix="disk.", dir=build))
        stack.callback(shutil.rmtree, self.disk, ignore_errors=True)
        self.errors = open(folder / "errors", "ab")
        stack.callback(self.errors.close)
        self.server = SERVERS[name](folder / "server")
        stack.callback(self.server.stop)
        self.server.start()
        self.accounts = {pair: self._account_pair(pair) for pair in PAIRS}

    def _account_pair(self, pair: str) -> tuple[Account, Account]:
        users = [f"{pair}1", f"{pair}2"]
        first, second = (
            self.server.add_account(user, tuple(f"{u}@{HOST}" for u in users if u != user))
            for user in users
        )
        return first, second

    def accounts_file(self, pair: str) -> Path:
        """Lines "FULL_JID PASSWORD", for the programs of this folder."""
        path = self.folder / f"{pair}.accounts"
        if not path.exists():
            path.touch(mode=0o600)
            lines = [f"{a.jid}/bench {a.password}\n" for a in self.accounts[pair]]
            path.write_text("".join(lines))
        return path

    def program(self, name: str) -> Path:
        return self.build / "tests" / "bench" / name

    @property
    def server_pid(self) -> int:
        assert self.server.process
        return self.server.process.pid

    # ---- processes ----

    def spawn(self, *command: str | Path, **arguments: object) -> subprocess.Popen:
        """In a session of its own: Ctrl-C is for this program, which ends the others in order."""
        arguments.setdefault("stdin", subprocess.DEVNULL)
        arguments.setdefault("stderr", self.errors)
        process = subprocess.Popen(command, start_new_session=True, text=True, **arguments)
        self._stack.callback(end_process, process)
        return process

    def run(self, *command: str | Path, timeout: float = 300) -> str:
        """Runs a program, which must exit with status 0; returns its output."""
        process = self.spawn(*command, stdout=subprocess.PIPE)
        try:
            output, _ = process.communicate(timeout=timeout)
        finally:
            end_process(process)
        self.check(process)
        return output

    def check(self, process: subprocess.Popen) -> None:
        if process.returncode != 0:
            words = " ".join(map(str, process.args))
            raise RuntimeError(f"status {process.returncode}: {words}\n{self.last_errors()}")

    def last_errors(self) -> str:
        return (self.folder / "errors").read_text(errors="replace")[-2000:]

    # ---- distance ----

    def endpoint(self, delay_ms: int) -> Endpoint:
        return Endpoint(self._port(delay_ms), self.server.cafile)

    def _port(self, delay_ms: int) -> int:
        if delay_ms == 0:
            return self.server.port
        if delay_ms not in self._relays:
            relay = self.spawn(
                *[self.program("delay"), str(self.server.port), str(delay_ms)],
                stdout=subprocess.PIPE,
            )
            assert relay.stdout
            self._relays[delay_ms] = int(relay.stdout.readline())
        return self._relays[delay_ms]

    # ---- files ----

    def source(self, size: int) -> Path:
        """Random bytes, always the same for the same size."""
        if size not in self._sources:
            path = self.folder / f"source-{size}"
            path.write_bytes(os.urandom(size))
            self._sources[size] = path
        return self._sources[size]

    # ---- mounts ----

    @contextlib.contextmanager
    def mounts(
        self, block: int, delay_ms: int, receiver: str = "", pair: str = IBBFS[0]
    ) -> Iterator[tuple[Mount, Mount]]:
        """Fresh mounts of both accounts, which see each other. `receiver`: options of one."""
        build = Build("bench", self.build / "mount" / "ibbfs")
        with contextlib.ExitStack() as stack:
            both = []
            for account, more in zip(self.accounts[pair], ("", receiver)):
                path = self.folder / f"{account.user}-{next(self._numbers)}"
                server = self.endpoint(delay_ms)
                # The unread bytes of one contact may be a quarter of all.
                options = f"block_size={block or 'auto'},max_streams=8192{more}"
                mount = Mount(build, server, account, "mount", path, options)
                stack.callback(mount.remove_left_over)
                stack.callback(mount.stop)
                both.append(mount.start())
            first, second = both
            first.wait_online(second.jid)
            second.wait_online(first.jid)
            yield first, second
