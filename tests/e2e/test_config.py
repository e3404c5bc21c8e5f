# SPDX-License-Identifier: MIT
"""The file of an account, and a service manager that starts and ends the daemon."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from daemon import Mount, is_mounted, poll_until
from lab import Lab
from server import Account

pytestmark = pytest.mark.once


def furnish(lab: Lab, account: Account, more: str = "") -> tuple[Path, dict[str, str]]:
    """The file of an account that needs no other options, and the environment with its home."""
    home = lab.folder / "home"
    folder = home / ".config" / "ibbfs"
    folder.mkdir(parents=True)
    password = folder / "password"
    password.touch(mode=0o600)
    password.write_text(account.password + "\n")
    config = folder / f"{account.jid}.conf"
    config.write_text(
        f"# comment\nserver = 127.0.0.1:{lab.server.port}\ncafile={lab.server.cafile}\n"
        f"password_file = ~/.config/ibbfs/password\n{more}"
    )
    config.chmod(0o600)
    environment = {k: v for k, v in os.environ.items() if k != "XDG_CONFIG_HOME"}
    return config, environment | {"HOME": str(home)}


def test_the_account_is_all_one_types(lab: Lab) -> None:
    """Nobody types more than the account, and our other devices are there as well."""
    me, bob = lab.accounts("me", "bob")
    more = f"umask = 027\n\n[{bob.jid}]\nformat = si\nblock_size = 1024\n"
    _, environment = furnish(lab, me, more)
    mount = Mount(lab.build, lab.server, me, "mount", lab.folder / "mnt")
    mount.path.mkdir()
    lab.watch(mount)
    done = subprocess.run(
        [lab.build.binary, me.jid, mount.path],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment | lab.build.environment(mount.beside(".sanitizer")),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    mount.adopt()
    directory = mount.path / bob.jid
    assert os.getxattr(directory, "user.ibb.format") == b"si"
    assert os.getxattr(directory, "user.ibb.block_size") == b"1024"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o750
    assert me.jid not in os.listdir(mount.path)

    server = lab.mount(me, "accept=none", resource="server", name="server")
    poll_until((mount.path / me.jid / "server").is_dir, what="the other device")
    assert sorted(os.listdir(mount.path / me.jid)) == ["in", "server"]
    content = os.urandom(100000)
    (lab.folder / "photo").write_bytes(content)
    done = lab.run("cp", lab.folder / "photo", mount.path / me.jid)
    assert (done.returncode, done.stderr) == (0, "")
    assert (server.path / me.jid / "in" / "photo").read_bytes() == content
    server.stop()
    own = mount.path / me.jid
    poll_until(lambda: not (own / "server").is_dir(), what="the other device gone")
    mount.stop()


@pytest.mark.parametrize(
    "text, mode, wanted",
    [
        ("windw=1M\n", 0o600, ":5: windw: unknown option"),
        ("window=1T\n", 0o600, ":5: window=1T: must be 1 to 64M"),
        ("fsname=" + "x" * 5000 + "\n", 0o600, ":5: longer than 4096 bytes"),
        ("inbox=/tmp/\xff\n", 0o600, ":5: not UTF-8"),
        ("", 0o620, ": others can write to it; chmod go-w it"),
    ],
)
def test_bad(lab: Lab, text: str, mode: int, wanted: str) -> None:
    me = Account("me@localhost", "secret")
    config, environment = furnish(lab, me)
    with open(config, "ab") as file:
        file.write(text.encode("latin-1"))
    config.chmod(mode)
    path = lab.folder / "mnt"
    path.mkdir()
    command = [lab.build.binary, me.jid, path]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=20)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(rf"ibbfs: {re.escape(str(config) + wanted)}[^\n]*\n", done.stderr)
    assert not is_mounted(path)


class Manager:
    """Receives what a service tells its manager (sd_notify(3))."""

    def __init__(self, folder: Path):
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.settimeout(30)

    def next(self) -> dict[str, str]:
        lines = self.socket.recv(4096).decode().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def wait_for(self, name: str, value: str) -> dict[str, str]:
        while True:
            fields = self.next()
            if re.fullmatch(value, fields.get(name, "")):
                return fields


def test_a_service_manager(lab: Lab) -> None:
    """READY only when mounted, STATUS when something changes, a reload that does no harm, an end
    that drains; and each line of the log with its priority."""
    me, bob = lab.accounts("me", "bob")
    _, environment = furnish(lab, me)
    peer = lab.mount(bob, name="bob")
    path = lab.folder / "mnt"
    path.mkdir()
    log = lab.folder / "log"
    manager = Manager(lab.folder)
    with open(log, "wb") as err:
        inode = os.fstat(err.fileno())
        process = lab.spawn(
            *(lab.build.binary, "-f", f"{me.jid}/laptop", path),
            stderr=err,
            env=environment
            | lab.build.environment(lab.folder / "sanitizer")
            | {
                "NOTIFY_SOCKET": str(manager.path),
                "JOURNAL_STREAM": f"{inode.st_dev}:{inode.st_ino}",
            },
        )
        ready = manager.next()
        assert is_mounted(path)
        assert ready == {
            "READY": "1",
            "MAINPID": str(process.pid),
            "STATUS": f"{me.jid}/laptop: online, 0 streams",
        }
        # A stream that the peer opens: no call on this mount tells of it.
        poll_until(lambda: (peer.path / me.jid / "laptop").is_dir(), what="me online")
        with open(peer.path / me.jid / "f", "wb", buffering=0) as file:
            file.write(b"content")
            manager.wait_for("STATUS", r".*: online, 1 stream")

        process.send_signal(signal.SIGHUP)
        assert int(manager.wait_for("RELOADING", "1")["MONOTONIC_USEC"]) > 0
        assert manager.next() == {"READY": "1"}
        assert (path / bob.jid / "in" / "f").read_bytes() == b"content"

        lab.server.stop()
        manager.wait_for("STATUS", r".*: down: .*")
        lab.server.start()
        manager.wait_for("STATUS", r".*: online, .*")

        process.terminate()
        manager.wait_for("STOPPING", "1")
        assert process.wait(20) == 0
    assert not is_mounted(path)
    lines = log.read_text().splitlines()
    assert lines
    assert all(line.startswith("<4>ibbfs: ") for line in lines), lines
