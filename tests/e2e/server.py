# SPDX-License-Identifier: MIT
"""The common part of all throw-away XMPP servers on loopback."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from certificates import make_certificates
from faultproxy import FaultProxy

HOST = "localhost"


@dataclass(frozen=True)
class Account:
    jid: str
    password: str

    @property
    def user(self) -> str:
        return self.jid.split("@")[0]

    @property
    def host(self) -> str:
        return self.jid.split("@")[1]


PORTS = range(20000, 32000)  # outside the kernel's range for clients


def is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def free_ports(count: int) -> list[int]:
    """Ports on which nobody listened a moment ago."""
    found: list[int] = []
    while len(found) < count:
        port = random.choice(PORTS)
        if port not in found and is_free(port):
            found.append(port)
    return found


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """The domain `host`, in a private folder, with a certificate of `authority` or a CA of its own.

    It listens at `port` (STARTTLS) and `direct_port` (TLS from the start), of 127.0.0.1 only. Other
    servers find it at `s2s_port`, and it finds them, if there is a `resolver`: the port of a name
    server.
    """

    def __init__(
        self,
        folder: Path,
        host: str = HOST,
        authority: Path | None = None,
        resolver: int | None = None,
    ):
        self.folder = folder
        self.host = host
        self.process: subprocess.Popen | None = None
        self.link: FaultProxy | None = None  # in front of s2s_port
        self.port, self.direct_port, self.s2s_port = free_ports(3)
        self.resolver = resolver
        folder.mkdir(parents=True, exist_ok=True)
        make_certificates(folder, host, authority)

    # ---- what each server does in its own way ----

    def command(self) -> list[str]:
        """Runs it in the foreground."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def is_ready(self) -> bool:
        """Whether users can log in."""
        return listens(self.port) and listens(self.direct_port)

    @property
    def log(self) -> str:
        raise NotImplementedError

    def add_account(self, user: str, contacts: tuple[str, ...] = ()) -> Account:
        """Makes an account whose roster holds the JIDs `contacts`; both sides need it."""
        raise NotImplementedError

    # ---- the same for all ----

    @property
    def cafile(self) -> Path:
        return self.folder / "ca.crt"

    def start(self) -> None:
        """Returns when users can log in. If they cannot, no process remains."""
        with open(self.folder / "server.out", "ab") as out:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self.environment(),
            )
        try:
            self.wait_ready()
        except BaseException:
            self.stop(signal.SIGKILL)
            raise

    def wait_ready(self) -> None:
        deadline = time.monotonic() + 60
        while not self.is_ready():
            assert self.process is not None
            assert self.process.poll() is None, f"the server has ended:\n{self.log}"
            assert time.monotonic() < deadline, f"the server is not ready:\n{self.log}"
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


def read_text(path: Path) -> str:
    """The text of a file that may not be there yet."""
    return path.read_text(errors="replace") if path.exists() else ""
