# SPDX-License-Identifier: MIT
"""The commands of README.md, typed word for word, as by a new user."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import builds
from daemon import poll_until
from readme_world import MORE, PROMPT

ROOT = Path(__file__).resolve().parents[2]
WORLD = Path(__file__).with_name("readme_world.py")
README = (ROOT / "README.md").read_text()
CONTROL_C = "^C"

pytestmark = pytest.mark.once


def blocks() -> list[str]:
    """The indented blocks, without their indentation."""
    found = re.findall(r"(?:^    .*\n(?:\n(?=    ))*)+", README, re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in found]


def block_with(text: str) -> str:
    (found,) = [block for block in blocks() if text in block]
    return found


def commands(session: str) -> list[tuple[str, str]]:
    """The command after each "$ " (with the lines after "> "), and its output."""
    parts = re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]
    found = []
    for part in parts:
        typed, *rest = part.splitlines()
        while rest and rest[0].startswith("> "):
            typed += "\n" + rest.pop(0)[2:]
        found.append((typed, "\n".join(rest)))
    return found


class Terminal:
    """A shell on a terminal, in the environment of the README."""

    def __init__(self, folder: Path, ibbfs: Path):
        self.transcript = self.unread = ""
        words = ["unshare", "--mount", "--net", sys.executable, str(WORLD), str(folder), str(ibbfs)]
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(words[0], words)
        self.wait_for(PROMPT, 60)

    def wait_for(self, text: str, seconds: float = 30) -> str:
        """The output up to `text`."""
        deadline = time.monotonic() + seconds
        while text not in self.unread:
            left = deadline - time.monotonic()
            ready = left > 0 and select.select([self.fd], [], [], left)[0]
            assert ready, f"no {text!r} in:\n{self.transcript}"
            part = self._read()
            assert part, f"the shell has ended:\n{self.transcript}"
            self.unread += part
            self.transcript += part
        before, _, self.unread = self.unread.partition(text)
        return before

    def _read(self) -> str:
        with contextlib.suppress(OSError):  # EIO: no process has the terminal open any more
            return os.read(self.fd, 65536).decode(errors="replace").replace("\r\n", "\n")
        return ""

    def begin(self, command: str) -> None:
        """Types a command of one or several lines."""
        *lines, last = command.split("\n")
        for line in lines:
            os.write(self.fd, line.encode() + b"\n")
            self.wait_for(MORE)
        os.write(self.fd, last.encode() + b"\n")
        self.wait_for(last + "\n")  # its echo

    def interrupt(self) -> None:
        os.write(self.fd, b"\x03")
        self.wait_for(PROMPT)

    def end(self) -> str:
        """Waits for the command, which must exit with status 0; returns its output."""
        printed = self.wait_for(PROMPT)
        self.begin('echo "status $?"')
        assert self.wait_for(PROMPT).strip() == "status 0", self.transcript
        return printed

    def run(self, command: str) -> str:
        self.begin(command)
        return self.end()

    def path(self, path: str) -> Path:
        """A path of that environment, seen from outside."""
        return Path(f"/proc/{self.pid}/root{path}")

    def stop(self) -> None:
        """Ends all processes of that environment."""
        world = os.readlink(f"/proc/{self.pid}/ns/net")
        for process in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if process.name.isdigit() and os.readlink(process / "ns/net") == world:
                    os.kill(int(process.name), signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def may_unshare() -> bool:
    done = subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True)
    return done.returncode == 0


@pytest.fixture
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    if not may_unshare():
        reason = "name spaces of mounts and of the network are not permitted"
        if request.config.getoption("--require-fuse"):
            pytest.fail(reason)
        pytest.skip(reason)
    (tmp_path / "fstab").write_text(block_with("fuse.ibbfs"))
    ibbfs = builds(request.config)[0].binary
    terminal = Terminal(tmp_path, ibbfs)
    yield terminal
    terminal.stop()


def password(tmp_path: Path) -> str:
    return (tmp_path / "me.password").read_text()


def comparable(text: str) -> list[list[str]]:
    """The words of each line, but for sizes, rates and random names."""
    text = re.sub(r"ibbfs-[0-9a-f]+", "ibbfs-RANDOM", text)
    text = re.sub(r"[\d.]+ [KMG]?i?B/s", "RATE", text)
    text = re.sub(r"[\d.]+ [KMG]iB", "SIZE", text)
    return [line.split() for line in text.strip().splitlines()]


def test_the_session(terminal: Terminal, tmp_path: Path) -> None:
    session = commands(block_with("Password for"))
    assert [typed.split()[0] for typed, _ in session] == [
        *["ibbfs", "ls", "cp", "cat", "cat", "mkdir", "while", "cat", "fusermount3"]
    ]
    mount, ls, copy, cat_photo, cat_next, mkdir, loop, status, unmount = session
    alice = terminal.path("/mnt/alice/me@example.org")
    home = terminal.path("/home/me")
    content = {name: os.urandom(50000) for name in ("report.pdf", "photo.jpg", "next", "a", "b c")}
    (home / "report.pdf").write_bytes(content["report.pdf"])

    terminal.begin(mount[0])
    terminal.wait_for(mount[1])
    os.write(terminal.fd, password(tmp_path).encode())
    terminal.end()

    assert terminal.run(ls[0]).strip() == ls[1]

    poll_until(
        lambda: any(path.name.startswith("ibbfs-") for path in alice.iterdir()),
        what="me seen online by alice",
    )
    assert terminal.run(copy[0]) == ""
    assert (alice / "in" / "report.pdf").read_bytes() == content["report.pdf"]

    (alice / "photo.jpg").write_bytes(content["photo.jpg"])
    assert terminal.run(cat_photo[0]) == ""
    assert (home / "photo.jpg").read_bytes() == content["photo.jpg"]

    terminal.begin(cat_next[0])
    (alice / "whatever").write_bytes(content["next"])
    assert terminal.end() == ""
    assert (home / "next").read_bytes() == content["next"]

    assert terminal.run(mkdir[0]) == ""
    assert loop[1] == CONTROL_C
    terminal.begin(loop[0])
    for name in ("a", "b c"):
        (alice / name).write_bytes(content[name])
        poll_until(
            lambda: (home / "got" / name).exists()
            and (home / "got" / name).read_bytes() == content[name],
            what=f"got/{name}",
        )
    terminal.interrupt()

    with open(alice / "talk.ogg", "wb", buffering=0) as talk:
        terminal.begin("exec 3< /mnt/xmpp/alice@example.org/in/next && head -c 1 <&3 > first")
        talk.write(bytes(330000))
        terminal.end()
        shown = terminal.run(status[0])
        assert comparable(shown) == comparable(status[1])
    terminal.run("cat <&3 > rest && exec 3<&-")

    assert terminal.run(unmount[0]) == ""
    assert " /mnt/xmpp " not in Path(f"/proc/{terminal.pid}/mountinfo").read_text()


def test_a_password_file_and_fstab(terminal: Terminal, tmp_path: Path) -> None:
    editor = terminal.path("/home/me/editor")
    editor.write_text(f'#!/bin/sh\ncat "{tmp_path}/me.password" > "$1"\n')
    editor.chmod(0o755)
    terminal.run("export EDITOR=/home/me/editor")
    for line in block_with("password_file=$HOME").splitlines():
        terminal.run(line)
    assert "alice@example.org" in terminal.run("ls /mnt/xmpp")
    terminal.run("fusermount3 -u /mnt/xmpp")
    (mount,) = re.findall(r"`(mount /mnt/xmpp)`", README)
    terminal.run(mount)
    assert "alice@example.org" in terminal.run("ls /mnt/xmpp")
    terminal.run("umount /mnt/xmpp")
    # The account's file, with which the command needs no options.
    terminal.run("mkdir -p ~/.config/ibbfs && cp -p ~/.ibbfs ~/.config/ibbfs/me@example.org.password")
    config = terminal.path("/home/me/.config/ibbfs/me@example.org.conf")
    config.write_text(block_with("inbox = ~/Inbox"))
    (typed,) = re.findall(r"`(ibbfs me@example.org /mnt/xmpp)`", README)
    terminal.run(typed)
    shown = terminal.run("getfattr --only-values -n user.ibb.format /mnt/xmpp/alice@example.org")
    assert shown.endswith("si")
    terminal.run("fusermount3 -u /mnt/xmpp && ls -d Inbox")


def test_the_usage(terminal: Terminal) -> None:
    assert block_with("JID[/resource] mountpoint").strip() in terminal.run("ibbfs --help")


def test_the_packages_to_build_it() -> None:
    """The packages are those that scripts/setup installs."""
    line = block_with("apt install gcc").replace("\\\n", " ").splitlines()[0]
    packages = line.split("apt install")[1].split()
    setup = (ROOT / "scripts" / "setup").read_text()
    (base,) = re.findall(r'^packages="(.*?)"', setup, re.MULTILINE | re.DOTALL)
    assert set(packages) <= set(base.split())
    assert len(packages) > 5


def test_every_block_is_accounted_for() -> None:
    """Blocks with commands are run: here, or by test_demo (scripts/demo and scripts/check)."""
    run_here = ["Password for", "apt install", "JID[/resource]", "=$HOME/.ibbfs", "fuse.ibbfs"]
    run_here += ["inbox = ~/Inbox"]
    # scripts/check-package runs the commands of the package.
    elsewhere = ["scripts/demo", "├── incoming", "scripts/package"]
    for block in blocks():
        assert any(text in block for text in run_here + elsewhere), f"nobody runs this:\n{block}"
