# SPDX-License-Identifier: MIT
"""A machine whose name server gives the answers of a test, in name spaces of its own.

    unshare --mount --net python3 address_world.py FOLDER PATH_OF_IBBFS

There is an XMPP server of example.org, and alice@example.org is mounted there. Each line of
standard input is a call of a method of World, as JSON: its name, and its arguments by name. The
answer is a line: the result of the method, or {"error": ...}.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from daemon import Build, Mount, adopt_orphans, is_mounted, poll_until, processes_with_argument
import nameserver
from nameserver import NameServer
from prosody import Prosody
from readme_world import run

DOMAIN = "example.org"
COPY_BYTES = 300_000


def furnish_etc(folder: Path) -> None:
    """A copy of /etc, with our name server as the only source of names."""
    etc = folder / "etc"
    run("cp", "-a", "/etc", etc)
    texts = {
        "hosts": "127.0.0.1 localhost\n",
        "resolv.conf": "nameserver 127.0.0.1\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    }
    for name, text in texts.items():
        (etc / name).unlink(missing_ok=True)
        (etc / name).write_text(text)
    run("mount", "--bind", etc, "/etc")


class Relay:
    """A relay: a port of an address that leads to the server, which seems to answer each new
    connection after `delay` seconds."""

    def __init__(self, address: str, port: int, server_port: int, delay: float = 0):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._server_port = server_port
        self._delay = delay
        self._listener = socket.create_server((address, port), family=family)
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def is_used(self) -> bool:
        return bool(self._connections)

    def stop(self) -> None:
        """Resets the connections through it."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                ours, _ = self._listener.accept()
                time.sleep(self._delay)
                theirs = socket.create_connection(("127.0.0.1", self._server_port))
                for source, sink in ((ours, theirs), (theirs, ours)):
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._connections.append(source)
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


class Deaf:
    """A port that drops every SYN, as its queue is full. With `mute`, it accepts connections and
    says nothing."""

    def __init__(self, address: str, port: int, mute: bool):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.socket(family)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((address, port))
        self._listener.listen(100 if mute else 0)
        self._fillers: list[socket.socket] = []
        # The first one must have come in, on a slow machine as well: a timeout alone proves nothing.
        while not mute and self._takes(family, address, port, 0.2 if self._fillers else 20):
            pass

    def _takes(self, family: int, address: str, port: int, seconds: float) -> bool:
        filler = socket.socket(family)
        self._fillers.append(filler)
        filler.settimeout(seconds)
        try:
            filler.connect((address, port))
        except TimeoutError:
            return False
        return True

    def stop(self) -> None:
        for end in (self._listener, *self._fillers):
            end.close()


class World:
    def __init__(self, folder: Path, ibbfs: Path):
        run("mount", "--make-rprivate", "/")
        run("ip", "link", "set", "lo", "up")
        furnish_etc(folder)
        self.names = NameServer(53)
        self.server = Prosody(folder / "server", DOMAIN)
        self.server.start()
        self.build = Build("world", ibbfs)
        self.folder = folder
        self.relays: dict[str, Relay] = {}
        self.deaf: list[Deaf] = []
        me, alice = (
            self.server.add_account(user, (f"{other}@{DOMAIN}",))
            for user, other in (("me", "alice"), ("alice", "me"))
        )
        self.me = FoundMount(self.build, self.server, me, "mount", folder / "me")
        self.alice = Mount(self.build, self.server, alice, "mount", folder / "alice").start()

    # ---- the network ----

    def srv(self, kind: str, host: str, port: int, priority: int = 0, weight: int = 0) -> None:
        self.names.add_srv(f"_{kind}._tcp.{DOMAIN}", host, port, priority, weight)

    def address(self, name: str, address: str) -> None:
        self.names.add_address(name, address)

    def exists(self, name: str) -> None:
        self.names.add_name(name)

    def forget(self) -> None:
        self.names.forget()

    def reset(self) -> None:
        """No names, no listening ports, and no mount but alice's."""
        self.me.remove_left_over()
        self.names.forget()
        for relay in self.relays.values():
            relay.stop()
        for deaf in self.deaf:
            deaf.stop()
        self.relays, self.deaf = {}, []

    def silent(self, name: str = "", kinds: tuple[str, ...] = ("A", "AAAA", "SRV")) -> None:
        """Queries of these kinds for `name`, or all queries, get no answer."""
        if name:
            self.names.silent |= {(name, getattr(nameserver, kind)) for kind in kinds}
        else:
            self.names.is_silent = True

    def raw(self, kind: str, answer: str) -> None:
        self.names.raw[f"_{kind}._tcp.{DOMAIN}"] = bytes.fromhex(answer)

    def relay(self, address: str, port: int, direct: bool = False, delay: float = 0) -> None:
        target = self.server.direct_port if direct else self.server.port
        self.relays[f"{address} {port}"] = Relay(address, port, target, delay)

    def stop_relay(self, address: str, port: int) -> None:
        self.relays.pop(f"{address} {port}").stop()

    def replace_relay(self, address: str, port: int) -> None:
        """Drops the packets of its connections, and every SYN from then on."""
        self.stop_relay(address, port)
        self.deafen(address, port)

    def deafen(self, address: str, port: int, mute: bool = False) -> None:
        self.deaf.append(Deaf(address, port, mute))

    # ---- the user ----

    def mount(self, options: str = "", jid: str = "") -> dict[str, Any]:
        """The mount command."""
        self.me.options = options
        self.me.path.mkdir(exist_ok=True)
        began = time.monotonic()
        command = self.me.command()
        if jid:
            command[3] = jid
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=self.me.environment(),
            timeout=60,
        )
        seconds = time.monotonic() - began
        if done.returncode == 0:
            (self.me.pid,) = processes_with_argument(str(self.me.path))
            self.me.wait_online(self.alice.jid)
            self.alice.wait_online(self.me.jid)
        return {
            "status": done.returncode,
            "stderr": done.stderr,
            "seconds": seconds,
            "mounted": is_mounted(self.me.path),
            "reports": self.me.reports(),
        }

    def seconds_of_a_mount(self) -> float:
        """The time of a mount without look-ups: it says how fast the machine is at the moment."""
        done = self.mount(f"server=127.0.0.1:{self.server.port}")
        self.me.stop()
        return done["seconds"]

    def wait_connected_through(self, address: str, port: int) -> None:
        """Through a new relay."""
        relay = self.relays[f"{address} {port}"]
        poll_until(lambda: relay.is_used, what=f"a connection to {address} {port}")
        self.me.wait_connected()
        self.alice.wait_online(self.me.jid)
        self.me.wait_online(self.alice.jid)

    def wait_disconnected(self) -> None:
        poll_until(lambda: "connection  online" not in self.me.status(), what="the connection lost")

    def seconds_of_a_look(self) -> float:
        """The time for listing the mount and reading its status."""
        began = time.monotonic()
        os.listdir(self.me.path)
        self.me.status()
        return time.monotonic() - began

    def copy(self, back: bool = False) -> float:
        """Copies a file from us to alice, or from her to us. Returns seconds. The file must arrive
        complete."""
        source, target = (self.alice, self.me) if back else (self.me, self.alice)
        original = self.folder / "original"
        original.write_bytes(os.urandom(COPY_BYTES))
        got: list[str] = []

        def receive() -> None:
            content = target.incoming(source).read_bytes()
            got.append(hashlib.sha256(content).hexdigest())

        reader = threading.Thread(target=receive)
        reader.start()
        began = time.monotonic()
        subprocess.run(["cp", original, target_of(source, target)], check=True, timeout=100)
        seconds = time.monotonic() - began
        reader.join(20)
        assert got == [hashlib.sha256(original.read_bytes()).hexdigest()]
        return seconds

    def stop(self) -> float:
        """Ends our daemon; returns seconds."""
        began = time.monotonic()
        self.me.stop()
        return time.monotonic() - began

    def end(self) -> None:
        self.me.remove_left_over()
        self.alice.stop()
        self.server.stop()


def target_of(source: Mount, target: Mount) -> Path:
    return source.contact(target) / f"file{time.monotonic_ns()}"


class FoundMount(Mount):
    """A mount that has to find its server."""

    def command(self) -> list[str]:
        command = super().command()
        words = [word for word in command[2].split(",") if not word.startswith("server=127.")]
        command[2] = ",".join(words)
        return command


def main() -> None:
    adopt_orphans()
    world = World(Path(sys.argv[1]), Path(sys.argv[2]))
    try:
        print(json.dumps(None), flush=True)
        for line in sys.stdin:
            name, arguments = json.loads(line)
            try:
                answer = getattr(world, name)(**arguments)
            except Exception:
                answer = {"error": traceback.format_exc()}
            print(json.dumps(answer), flush=True)
    finally:
        world.end()


if __name__ == "__main__":
    main()
