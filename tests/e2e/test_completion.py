# SPDX-License-Identifier: MIT
"""packaging/completion: what bash, zsh and fish make of the Tab key."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "packaging" / "completion"
PROMPT = "@prompt@ "
BEGINNING_OF_LINE = "\x01"

# What is typed before Tab, and what the line is then; of each shell.
LINES = [
    ("ibbfs me", "ibbfs me@example.org"),
    ("ibbfs me@ex", "ibbfs me@example.org"),
    ("ibbfs -f me", "ibbfs -f me@example.org"),
    ("ibbfs me@example.org mountp", "ibbfs me@example.org mountpoint/"),
    ("ibbfs -o tls=direct me@example.org mountp", "ibbfs -o tls=direct me@example.org mountpoint/"),
    ("ibbfs --ver", "ibbfs --version"),
    ("ibbfs -o password_s", "ibbfs -o password_stdin"),
    ("ibbfs -o block_", "ibbfs -o block_size="),
    ("ibbfs -o tls=d", "ibbfs -o tls=direct"),
    ("ibbfs -o ro,tls=st", "ibbfs -o ro,tls=starttls"),
    ("ibbfs -o ro,answer_", "ibbfs -o ro,answer_timeout="),
    ("ibbfs -o accept=an", "ibbfs -o accept=anyone"),
    ("ibbfs -o stanza=m", "ibbfs -o stanza=message"),
    ("ibbfs -o inbox=mountp", "ibbfs -o inbox=mountpoint"),
    ("ibbfs -o cafile=/etc/host.co", "ibbfs -o cafile=/etc/host.conf"),
    ("ibbfs -o uid=nobo", "ibbfs -o uid=nobody"),
    ("mount.ibbfs me", "mount.ibbfs me@example.org"),
]


def known_options() -> set[str]:
    """Those that the command has, in the form that the completions name them."""
    source = (ROOT / "mount" / "cli" / "option_table.c").read_text()
    table = re.search(r"table\[\] = \{(.*?)^\};", source, re.MULTILINE | re.DOTALL)[1]
    passed_on = re.search(r"passed_on\[\] = \{(.*?)\};", source, re.DOTALL)[1]
    names = re.findall(r'^\t\{"([^"-][^"]*)",(?! option_refused)', table, re.MULTILINE)
    return {n for n in names + re.findall(r'"([^"]+)"', passed_on) if not n.startswith("-")}


@pytest.mark.parametrize("name", ["ibbfs.bash", "_ibbfs", "ibbfs.fish"])
def test_every_option_is_there(name: str) -> None:
    text = (SCRIPTS / name).read_text()
    options = known_options()
    assert len(options) > 40
    for option in options:
        word = option if name != "_ibbfs" else option.rstrip("=")
        assert re.search(rf"(?<![\w]){re.escape(word)}(?![\w])", text), f"no {option} in {name}"


class Shell:
    """An interactive shell on a terminal, with the completions of the checkout."""

    def __init__(self, folder: Path, words: list[str], start: str):
        self.transcript = self.unread = ""
        environment = {
            "HOME": str(folder),
            "PATH": f"{folder}/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "TERM": "dumb",
            "LC_ALL": "C.UTF-8",
            "PS1": PROMPT,
        }
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(words[0], words, environment)
        self.type(start + "\r")
        self.type("echo rea''dy\r")
        self.wait_for("ready", 30)

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def wait_for(self, text: str, seconds: float = 20) -> str:
        """The output up to `text`."""
        deadline = time.monotonic() + seconds
        while text not in self.unread:
            left = deadline - time.monotonic()
            ready = left > 0 and select.select([self.fd], [], [], left)[0]
            assert ready, f"no {text!r} in:\n{self.transcript!r}"
            part = os.read(self.fd, 65536).decode(errors="replace")
            self.unread += part
            self.transcript += part
        before, _, self.unread = self.unread.partition(text)
        return before

    def complete(self, typed: str) -> str:
        """The line after Tab: the shell runs it as the argument of a command that prints it."""
        self.type(typed + "\t" + BEGINNING_OF_LINE + "show begin \r")
        self.wait_for("<<begin ")
        return self.wait_for(">>").strip()

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A home with the configuration of an account, and a command that prints its arguments."""
    (tmp_path / ".config" / "ibbfs").mkdir(parents=True)
    (tmp_path / ".config" / "ibbfs" / "me@example.org.conf").touch()
    (tmp_path / ".config" / "ibbfs" / "notes.txt").touch()
    (tmp_path / "mountpoint").mkdir()
    (tmp_path / "bin").mkdir()
    for name, text in {"ibbfs": "", "mount.ibbfs": "", "show": "printf '<<%s>>\\n' \"$*\"\n"}.items():
        command = tmp_path / "bin" / name
        command.write_text("#!/bin/sh\n" + text)
        command.chmod(0o755)
    return tmp_path


STARTS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], f". {SCRIPTS}/ibbfs.bash"),
    "zsh": (
        ["zsh", "-f", "-i"],
        f"fpath=({SCRIPTS} $fpath); autoload -U compinit; compinit -u -D; bindkey -e",
    ),
    "fish": (["fish", "--no-config", "-i"], f"source {SCRIPTS}/ibbfs.fish"),
}


def need(request: pytest.FixtureRequest, name: str) -> None:
    if shutil.which(name) is None:
        if request.config.getoption("--require-fuse"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_a_line(request: pytest.FixtureRequest, folder: Path, name: str) -> None:
    need(request, name)
    shell = Shell(folder, *STARTS[name])
    try:
        for typed, wanted in LINES:
            got = shell.complete(typed)
            assert got.rstrip("/") == wanted.rstrip("/"), f"{typed!r} became {got!r}"
    finally:
        shell.stop()


def candidates(folder: Path, line: str) -> set[str]:
    """fish tells what it would offer, one a line: NAME, a tab, what it does."""
    script = f"source {SCRIPTS}/ibbfs.fish; complete -C '{line}'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", script],
        capture_output=True,
        text=True,
        cwd=folder,
        env={"HOME": str(folder), "PATH": f"{folder}/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        timeout=30,
    )
    assert done.stderr == ""
    return {line.split("\t")[0] for line in done.stdout.splitlines()}


def test_fish(request: pytest.FixtureRequest, folder: Path) -> None:
    need(request, "fish")
    for typed, wanted in LINES:
        word = wanted.rpartition(" ")[2]
        found = {name.rstrip("/") for name in candidates(folder, typed)}
        assert word.rstrip("/") in found, f"{typed!r}: {found}"
        assert len(found) == 1, f"{typed!r}: {found}"


def test_accounts_are_those_with_a_configuration(
    request: pytest.FixtureRequest, folder: Path
) -> None:
    need(request, "fish")
    (folder / ".config" / "ibbfs" / "you@example.org.conf").touch()
    assert candidates(folder, "ibbfs ") == {"me@example.org", "you@example.org"}
