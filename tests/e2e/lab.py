# SPDX-License-Identifier: MIT
"""The processes of one test, started on demand and ended in the opposite order."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from daemon import Build, Mount, poll_until
from faultproxy import FaultProxy
from peers import Client
from rawpeer import RawPeer
from server import Account, Server
from slixpeer import SlixPeer

numbers = itertools.count(1)


class Lab:
    def __init__(self, build: Build, folder: Path, *servers: Server):
        self.build = build
        self.folder = folder
        self.servers = servers
        self.mounts: list[Mount] = []
        self._stack = contextlib.ExitStack()

    def close(self) -> None:
        self._stack.close()

    def kill_daemons(self) -> None:
        for mount in self.mounts:
            if mount.pid:
                os.kill(mount.pid, signal.SIGKILL)

    # ---- accounts ----

    @property
    def server(self) -> Server:
        """The only one, or the first."""
        return self.servers[0]

    def server_of(self, account: Account) -> Server:
        (home,) = [server for server in self.servers if server.host == account.host]
        return home

    def stop_servers(self, how: signal.Signals = signal.SIGTERM) -> None:
        for server in self.servers:
            server.stop(how)

    def start_servers(self) -> None:
        for server in self.servers:
            server.start()

    def accounts(self, *names: str) -> list[Account]:
        """New accounts, each on the roster of all others. With two servers, they take turns."""
        number = next(numbers)
        homes = list(zip((f"{name}{number}" for name in names), itertools.cycle(self.servers)))
        jids = [f"{user}@{home.host}" for user, home in homes]
        return [
            home.add_account(user, tuple(j for j in jids if j != f"{user}@{home.host}"))
            for user, home in homes
        ]

    # ---- who uses them ----

    def proxy(self, account: Account, seed: int = 0, *, direct: bool = False) -> FaultProxy:
        """A proxy in front of the account's server, or of its port for direct TLS. It does no harm
        yet."""
        home = self.server_of(account)
        proxy = FaultProxy(home.direct_port if direct else home.port, seed)
        self._stack.callback(proxy.stop)
        return proxy

    def mount(
        self,
        account: Account,
        options: str = "",
        *,
        resource: str = "mount",
        name: str = "",
        via: FaultProxy | None = None,
    ) -> Mount:
        path = self.folder / (name or account.user)
        mount = Mount(self.build, self.server_of(account), account, resource, path, options, via)
        self._stack.callback(mount.remove_left_over)
        self._stack.callback(mount.stop)
        self.mounts.append(mount)
        return mount.start()

    def pair(self, alice_options: str = "", bob_options: str = "") -> tuple[Mount, Mount]:
        """Two mounts that see each other."""
        first, second = self.accounts("alice", "bob")
        alice, bob = self.mount(first, alice_options), self.mount(second, bob_options)
        alice.wait_online(bob.jid)
        bob.wait_online(alice.jid)
        return alice, bob

    def pair_via_proxies(
        self, alice_options: str = "", bob_options: str = "", seed: int = 0
    ) -> tuple[Mount, Mount]:
        """The same; each has a proxy of its own, as `mount.via`."""
        first, second = self.accounts("alice", "bob")
        alice = self.mount(first, alice_options, via=self.proxy(first, seed))
        bob = self.mount(second, bob_options, via=self.proxy(second, seed + 1))
        alice.wait_online(bob.jid)
        bob.wait_online(alice.jid)
        return alice, bob

    def raw(self, account: Account, resource: str = "raw", **arguments: Any) -> RawPeer:
        home = self.server_of(account)
        peer = RawPeer(
            account, home.direct_port, home.cafile, resource, daemons=self._daemons, **arguments
        )
        self._stack.callback(peer.stop)
        return peer

    def _daemons(self) -> dict[str, bool]:
        """By JID: whether it runs, and nothing between it and its server can lose a stanza."""
        return {mount.jid: bool(mount.pid) and not mount.via for mount in self.mounts}

    def with_raw(self, options: str = "", **arguments: Any) -> tuple[Mount, RawPeer]:
        """A mount, and a raw peer that is on its roster and online."""
        first, second = self.accounts("alice", "bob")
        mount = self.mount(first, options)
        peer = self.raw(second, **arguments)
        mount.wait_online(peer.jid)
        return mount, peer

    def with_slixmpp(self, options: str = "", **arguments: Any) -> tuple[Mount, SlixPeer]:
        first, second = self.accounts("alice", "bob")
        mount = self.mount(first, options)
        home = self.server_of(second)
        peer = SlixPeer(second, home.port, home.cafile, **arguments)
        self._stack.callback(peer.stop)
        mount.wait_online(peer.jid)
        return mount, peer

    def client(self, account: Account, program: Path) -> Client:
        client = Client(program, self.server_of(account), account, self.folder / account.user)
        self._stack.callback(client.stop)
        return client

    def with_client(self, program: Path, options: str = "") -> tuple[Mount, Client]:
        """A mount, and another client that is on its roster and online."""
        first, second = self.accounts("alice", "bob")
        mount = self.mount(first, f"spool={self.folder}/spool,{options}".rstrip(","))
        client = self.client(second, program)
        mount.wait_online(client.jid)
        return mount, client

    # ---- processes and threads that use the mounts ----

    def spawn(self, *command: str | Path, **arguments: Any) -> subprocess.Popen:
        """A tool that dies of SIGINT and SIGQUIT even if these tests run in the background."""
        arguments.setdefault("stdout", subprocess.PIPE)
        arguments.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen(["env", "--default-signal=INT,QUIT", *command], **arguments)
        self._stack.callback(end_process, process)
        return process

    def run(self, *command: str | Path, timeout: float = 60) -> subprocess.CompletedProcess:
        """A tool, run to its end; its output as text, with the messages of the C locale."""
        process = self.spawn(*command, text=True, env=os.environ | {"LC_ALL": "C.UTF-8"})
        out, err = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def background(self, function: Callable, *arguments: Any) -> Future:
        """`function` in a daemon thread of its own."""
        future: Future = Future()

        def work() -> None:
            try:
                future.set_result(function(*arguments))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return future

    def public_folder(self) -> Path:
        """Not below the tests' own folder, which other users may not enter."""
        folder = Path(tempfile.mkdtemp(prefix="ibbfs-test-"))
        self._stack.callback(shutil.rmtree, folder)
        folder.chmod(0o755)
        return folder

    def shared_folder(self) -> Path:
        """Also public. A mount in it is seen here even if another name space has made it. For
        root."""
        folder = self.public_folder()
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        self._stack.callback(subprocess.run, ["umount", "--lazy", folder], check=True)
        subprocess.run(["mount", "--make-shared", folder], check=True)
        return folder

    def watch(self, mount: Mount) -> None:
        """Cleans up after a mount that a test starts by itself."""
        self._stack.callback(mount.remove_left_over)

    def random_file(self, size: int, name: str = "random") -> Path:
        path = self.folder / name
        path.write_bytes(os.urandom(size))
        return path


def end_process(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.kill()
    process.wait(20)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe:
            with contextlib.suppress(BrokenPipeError):  # nobody reads the rest
                pipe.close()


def fuse_call(pid: int) -> str:
    """The system call in which the process waits for a FUSE daemon; empty while it does not."""
    process = Path(f"/proc/{pid}")
    try:
        waits = (process / "wchan").read_text() == "request_wait_answer"
        return (process / "syscall").read_text() if waits else ""
    except OSError:
        return ""


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def wait_blocked(*pids: int) -> None:
    """Waits until each process has been in the same call for 100 ms: the call is parked then."""

    def all_blocked() -> bool:
        assert all(is_running(pid) for pid in pids), "what should wait has ended"
        before = [fuse_call(pid) for pid in pids]
        time.sleep(0.1)
        return all(before) and before == [fuse_call(pid) for pid in pids]

    poll_until(all_blocked, timeout=60, what=f"{len(pids)} processes blocked")
