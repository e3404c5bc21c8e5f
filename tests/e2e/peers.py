# SPDX-License-Identifier: MIT
"""Other clients, each a program of tests/peers; tests/peers/peer.h says which lines it obeys."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
import time
from pathlib import Path

from server import Account, Server

ON_THE_WAY = ("offer", "started")  # what comes before the event that one waits for


class Client:
    """An account that another client uses, online when the constructor returns."""

    def __init__(self, program: Path, server: Server, account: Account, folder: Path):
        """It writes to `folder` only, which is created."""
        self.jid = f"{account.jid}/{program.stem}"
        self.accepted = folder / "accepted"  # where accepted files go
        self.accepted.mkdir(parents=True)
        self.lines: list[str] = []  # said and heard
        self._heard: queue.Queue[str] = queue.Queue()
        # The server by the name in its certificate, as libpurple demands.
        arguments = (server.host, str(server.port), server.cafile, self.jid, account.password)
        with open(folder / "stderr", "wb") as err:
            self._process = subprocess.Popen(
                [program, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=err,
                cwd=folder,
                env=os.environ | {"LC_ALL": "C.UTF-8"},
            )
        threading.Thread(target=self._hear, daemon=True).start()
        try:
            self.expect("ready")
        except BaseException:
            self.stop()
            raise

    def _hear(self) -> None:
        for line in self._process.stdout:
            self._heard.put(line.decode().rstrip("\n"))
        self._heard.put("(ended)")

    # ---- commands ----

    def say(self, command: str) -> None:
        self.lines.append(f"< {command}")
        self._process.stdin.write(f"{command}\n".encode())
        self._process.stdin.flush()

    def send(self, path: Path, to: str) -> None:
        self.say(f"send {to} {path}")

    def accept(self) -> None:
        self.say(f"accept {self.accepted}")

    def refuse(self) -> None:
        self.say("refuse")

    def cancel(self) -> None:
        self.say("cancel")

    # ---- events ----

    def expect(self, event: str, timeout: float = 30) -> str:
        """Waits for the event, and returns the rest of its line."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                line = self._heard.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                line = "(nothing)"
            self.lines.append(f"> {line}")
            word, _, rest = line.partition(" ")
            if word == event:
                return rest
            assert word in ON_THE_WAY, f"not {event}:\n" + "\n".join(self.lines)

    def received(self) -> Path:
        """Waits for a complete file."""
        return Path(self.expect("received"))

    def stop(self) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
