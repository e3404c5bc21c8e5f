# SPDX-License-Identifier: MIT
"""The environment of other clients: a network, a mount table and a folder of their own.

The domain localhost is here, at the default port of clients, with a certificate that they trust.
There is a screen, and a session bus for each client.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import signal
import subprocess
import time
from pathlib import Path

from daemon import Build, Mount, poll_until
from lab import end_process
from nameserver import NameServer
from prosody import OWN_MODULES, Prosody
from server import HOST, Account

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
DISPLAY = ":99"
SCREEN = "1280x800x24"
PATH = "/usr/bin:/bin:/usr/sbin:/sbin"


class World:
    """Ended with `stack`."""

    def __init__(self, build: Path, folder: Path, stack: contextlib.ExitStack):
        self.folder = folder
        folder.chmod(0o755)
        self.programs = build / "tests" / "peers"
        self._build = Build("plain", build / "mount" / "ibbfs")
        self._stack = stack
        self._numbers = itertools.count(1)
        self._connect()
        self._name()
        self.server = Prosody(
            folder / "server", port=5222, modules=("told_features",), settings=OWN_MODULES
        )
        self._trust()
        stack.callback(self.server.stop)
        self.server.start()
        self._start_screen()

    def _connect(self) -> None:
        """A default route that leads nowhere: some clients do not even try without one."""
        for words in (
            "link set lo up",
            "link add out type veth peer name nowhere",
            "address add 192.0.2.2/24 dev out",
            "link set nowhere up",
            "link set out up",
            "route add default via 192.0.2.1",
        ):
            subprocess.run(["ip", *words.split()], check=True)

    def _name(self) -> None:
        """A name server that knows no names, and answers at once; every client knows localhost."""
        names = NameServer(53)
        self._stack.callback(names.stop)
        resolver = self.folder / "resolv.conf"
        resolver.write_text("nameserver 127.0.0.1\n")
        subprocess.run(["mount", "--bind", resolver, "/etc/resolv.conf"], check=True)

    def _trust(self) -> None:
        bundle = self.folder / "ca-certificates.crt"
        bundle.write_text(CERTIFICATES.read_text() + self.server.cafile.read_text())
        subprocess.run(["mount", "--bind", bundle, CERTIFICATES], check=True)

    def _start_screen(self) -> None:
        """With nothing in /tmp: its socket is abstract, and so this network's own."""
        nolisten = ("-nolisten", "tcp", "-nolisten", "unix", "-nolock")
        with open(self.folder / "screen.log", "wb") as log:
            screen = subprocess.Popen(
                ["Xvfb", DISPLAY, "-screen", "0", SCREEN, "-ac", *nolisten], stdout=log, stderr=log
            )
        self._stack.callback(end_process, screen)
        sockets = Path("/proc/net/unix")
        poll_until(lambda: f"X11-unix/X{DISPLAY[1:]}" in sockets.read_text(), what="a screen")

    # ---- accounts and mounts ----

    def has_told_features(self, mount: Mount, jid: str) -> bool:
        """Whether a client at that address, be it bare or full, has got the mount's."""
        return f"features of {mount.jid} told to {jid}" in self.server.log


    def accounts(self, *names: str) -> list[Account]:
        """New ones, each on the roster of all others."""
        number = next(self._numbers)
        users = [f"{name}{number}" for name in names]
        return [
            self.server.add_account(user, tuple(f"{u}@{HOST}" for u in users if u != user))
            for user in users
        ]

    def mount(self, account: Account, stack: contextlib.ExitStack, options: str) -> Mount:
        path = self.folder / account.user
        options = f"spool={self.folder}/spool,{options}"
        mount = Mount(self._build, self.server, account, "mount", path, options)
        stack.callback(mount.remove_left_over)
        stack.callback(mount.stop)
        return mount.start()

    def random_file(self, name: str, size: int) -> Path:
        """A copy that every user here may read."""
        path = self.folder / name
        path.write_bytes(os.urandom(size))
        path.chmod(0o644)
        return path


class Home:
    """The environment of one client: a folder, a session bus, and processes that are ended with
    it."""

    def __init__(self, path: Path, stack: contextlib.ExitStack, user: int = 0):
        self.path = path
        self._stack = stack
        self._user = user
        path.mkdir(mode=0o700)
        os.chown(path, user, user)
        bus = path / "bus"
        self.environment = {
            "HOME": str(path),
            "XDG_RUNTIME_DIR": str(path),
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}",
            "PATH": PATH,
            "DISPLAY": DISPLAY,
            "GDK_BACKEND": "x11",
            "GSETTINGS_BACKEND": "memory",
            "LC_ALL": "C.UTF-8",
            "SSL_CERT_FILE": str(CERTIFICATES),
        }
        self.spawn(
            *("dbus-daemon", "--session", "--nofork", "--nopidfile"), f"--address=unix:path={bus}"
        )
        poll_until(bus.exists, what="a session bus")

    def _words(self, command: tuple[str | Path, ...]) -> list[str]:
        words = [str(word) for word in command]
        if self._user:
            ids = (f"--reuid={self._user}", f"--regid={self._user}", "--clear-groups")
            words = ["setpriv", *ids, *words]
        return words

    def spawn(self, *command: str | Path, stdin: int = subprocess.DEVNULL) -> subprocess.Popen:
        """A process in a session of its own, ended as a whole; its output is in `log` beside the
        folder."""
        with open(self.log, "ab") as log:
            process = subprocess.Popen(
                self._words(command),
                stdin=stdin,
                stdout=log,
                stderr=log,
                env=self.environment,
                cwd=self.path,
                start_new_session=True,
            )
        self._stack.callback(end_group, process)
        return process

    def run(self, *command: str | Path, timeout: float = 30) -> bool:
        """Whether it exited with status 0, in time."""
        process = self.spawn(*command)
        try:
            return process.wait(timeout) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            end_group(process)

    @property
    def log(self) -> Path:
        return self.path.with_suffix(".log")


def end_group(process: subprocess.Popen) -> None:
    """A process and all its descendants."""
    for number, patience_s in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            process.poll()
            try:
                os.killpg(process.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.05)


def holds(folder: Path, source: Path) -> bool:
    """Whether a file with that content is somewhere in the folder."""
    size, wanted = source.stat().st_size, digest(source)
    found = (p for p in folder.rglob("*") if p.is_file() and p.stat().st_size == size)
    return any(digest(p) == wanted for p in found)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
