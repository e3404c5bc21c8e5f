# SPDX-License-Identifier: MIT
"""The commands of README.md, docs/questions.md and the man page, typed word for word, as by a new
user."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import textwrap
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
QUESTIONS = (ROOT / "docs" / "questions.md").read_text()
MANUAL = (ROOT / "mount" / "ibbfs.1").read_text()
CONTROL_C = "^C"

pytestmark = pytest.mark.once


def blocks(text: str = README) -> list[str]:
    """The indented blocks of a page, also those of its lists, without their indentation."""
    found = re.findall(r"(?:^(?: {4}| {7}).*\n(?:\n(?= {4}))*)+", text, re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


def examples() -> list[str]:
    """The literal blocks among the examples of the man page."""
    (section,) = re.findall(r"^\.Sh EXAMPLES\n(.*?)^\.Sh ", MANUAL, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", section, re.MULTILINE | re.DOTALL)
    return [re.sub(r"\\&", "", block) for block in found]


def one_with(text: str, among: list[str]) -> str:
    (found,) = [block for block in among if text in block]
    return found


def block_with(text: str) -> str:
    return one_with(text, blocks())


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
        """Ctrl-C; what the command has started in the background comes to its end."""
        os.write(self.fd, b"\x03")
        self.wait_for(PROMPT)
        self.run("wait")

    def end(self) -> str:
        """Waits for the command, which must exit with status 0; returns its output."""
        printed = self.wait_for(PROMPT)
        self.begin('echo "status $?"')
        assert self.wait_for(PROMPT).strip() == "status 0", self.transcript
        return printed

    def run(self, command: str) -> str:
        self.begin(command)
        return self.end()

    def as_alice(self, command: str) -> str:
        """A command where /mnt/xmpp is Alice's mount."""
        script = f"mount --rbind /mnt/alice /mnt/xmpp && {command}"
        return self.run(f"unshare --mount bash -c {shlex.quote(script)}")

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


@pytest.fixture
def terminal(
    request: pytest.FixtureRequest, name_spaces: None, tmp_path: Path
) -> Iterator[Terminal]:
    (tmp_path / "fstab").write_text(block_with("fuse.ibbfs"))
    (tmp_path / "prosody.lua").write_text(one_with("limits =", blocks(QUESTIONS)))
    ibbfs = builds(request.config)[0].binary
    terminal = Terminal(tmp_path, ibbfs)
    yield terminal
    terminal.stop()


def password(tmp_path: Path) -> str:
    return (tmp_path / "me.password").read_text()


def wait_for_me(terminal: Terminal) -> Path:
    """The directory of me@example.org in Alice's mount, when she sees that I am online."""
    alice = terminal.path("/mnt/alice/me@example.org")
    poll_until(
        lambda: any(path.name.startswith("ibbfs-") for path in alice.iterdir()),
        what="me seen online by alice",
    )
    return alice


def is_mounted(terminal: Terminal) -> bool:
    return " /mnt/xmpp " in Path(f"/proc/{terminal.pid}/mountinfo").read_text()


def comparable(text: str) -> list[list[str]]:
    """The words of each line, but for sizes, rates and random names."""
    text = re.sub(r"ibbfs-[0-9a-f]+", "ibbfs-RANDOM", text)
    text = re.sub(r"[\d.]+ [KMG]?i?B/s", "RATE", text)
    text = re.sub(r"[\d.]+ [KMG]iB", "SIZE", text)
    return [line.split() for line in text.strip().splitlines()]


def check_arrives(files: dict[str, bytes], source: Path, target: Path) -> None:
    for name, content in files.items():
        (source / name).write_bytes(content)
        poll_until(
            lambda: (target / name).exists() and (target / name).read_bytes() == content,
            what=f"{target.name}/{name}",
        )


def test_the_session(terminal: Terminal, tmp_path: Path) -> None:
    session = commands(block_with("Password for"))
    assert [typed.split()[0] for typed, _ in session] == [
        *["ibbfs", "ls", "cp", "cat", "cat", "mkdir", "while", "cat", "fusermount3"]
    ]
    mount, ls, copy, cat_photo, cat_next, mkdir, loop, status, unmount = session
    home = terminal.path("/home/me")
    content = {name: os.urandom(50000) for name in ("report.pdf", "photo.jpg", "next", "a", "b c")}
    (home / "report.pdf").write_bytes(content["report.pdf"])

    terminal.begin(mount[0])
    terminal.wait_for(mount[1])
    os.write(terminal.fd, password(tmp_path).encode())
    terminal.end()

    assert terminal.run(ls[0]).strip() == ls[1]

    alice = wait_for_me(terminal)
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
    check_arrives({name: content[name] for name in ("a", "b c")}, alice, home / "got")
    terminal.interrupt()

    with open(alice / "talk.ogg", "wb", buffering=0) as talk:
        terminal.begin("exec 3< /mnt/xmpp/alice@example.org/in/next && head -c 1 <&3 > first")
        talk.write(bytes(330000))
        terminal.end()
        shown = terminal.run(status[0])
        assert comparable(shown) == comparable(status[1])
    terminal.run("cat <&3 > rest && exec 3<&-")

    assert terminal.run(unmount[0]) == ""
    assert not is_mounted(terminal)


def test_an_accounts_file_and_fstab(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "me.conf").write_text(block_with("inbox = ~/Inbox"))
    editor = terminal.path("/home/me/editor")
    editor.write_text(f'#!/bin/sh\ncat "{tmp_path}/me.${{1##*.}}" > "$1"\n')
    editor.chmod(0o755)
    terminal.run("export EDITOR=/home/me/editor && rmdir /mnt/xmpp")
    for line in (block_with("install -d") + block_with("EDITOR")).splitlines():
        terminal.run(line)
    (typed,) = re.findall(r"`(ibbfs me@example.org /mnt/xmpp)`", README)
    terminal.run(typed)
    shown = terminal.run("getfattr --only-values -n user.ibb.block_size /mnt/xmpp/alice@example.org")
    assert shown.endswith("auto")
    terminal.run("fusermount3 -u /mnt/xmpp && ls -d ~/Inbox")
    (mount,) = re.findall(r"`(mount /mnt/xmpp)`", README)
    terminal.run(mount)
    assert "alice@example.org" in terminal.run("ls /mnt/xmpp")
    terminal.run("umount /mnt/xmpp")


def give_password(terminal: Terminal, tmp_path: Path, path: str) -> None:
    terminal.run(f"cp {tmp_path}/me.password {path} && chmod 600 {path}")


def answer(text: str) -> list[tuple[str, str]]:
    """The commands in one block of docs/questions.md, and their output."""
    return commands(one_with(text, blocks(QUESTIONS)))


def check_phone(terminal: Terminal, tmp_path: Path, photo: bytes) -> None:
    """The phone is another ibbfs."""
    options = f"password_file={tmp_path}/alice.password"
    terminal.run(f"mkdir /mnt/phone && ibbfs -o {options} alice@example.org/phone /mnt/phone")
    directory = terminal.path("/mnt/xmpp/alice@example.org/phone")
    poll_until(directory.exists, what="the phone")
    ls, copy = answer("phone/")
    assert terminal.run(ls[0]).split() == ls[1].split()
    assert terminal.run(copy[0]) == ""
    received = terminal.path("/mnt/phone/me@example.org/in/photo.jpg")
    assert received.read_bytes() == photo
    terminal.run("fusermount3 -u /mnt/phone")


def check_age(terminal: Terminal, report: Path) -> None:
    content = report.read_bytes()
    ((make_key, _),), ((encrypt, _),), ((decrypt, _),) = map(answer, ("keygen", "age -R", "age -d"))
    terminal.as_alice(make_key)
    terminal.run(encrypt)
    report.unlink()
    terminal.as_alice(decrypt)
    assert report.read_bytes() == content


def check_tar(terminal: Terminal, photo: Path) -> None:
    content = photo.read_bytes()
    terminal.run("mkdir photos && mv photo.jpg photos")
    ((typed, _),) = answer("tar ")
    terminal.run(typed)
    terminal.run("rm -r photos && tar xzf /mnt/alice/me@example.org/in/photos.tar.gz")
    assert (photo.parent / "photos" / photo.name).read_bytes() == content


def check_inbox_of_another_user(terminal: Terminal, tmp_path: Path, inbox: Path) -> None:
    terminal.run("mv Inbox old && mkdir Inbox && chown me Inbox")
    give_password(terminal, tmp_path, "/etc/ibbfs.password")
    terminal.path("/etc/fstab").write_text(one_with("fuse.ibbfs", blocks(QUESTIONS)))
    terminal.run("mount -a")
    check_arrives({"f": b"x"}, wait_for_me(terminal), inbox / "alice@example.org")
    owner = (inbox / "alice@example.org" / "f").stat().st_uid
    assert owner == inbox.stat().st_uid != 0
    terminal.run("umount /mnt/xmpp")


def test_the_questions(terminal: Terminal, tmp_path: Path) -> None:
    home = terminal.path("/home/me")
    config = home / ".config" / "ibbfs" / "me@example.org.conf"
    config.parent.mkdir(parents=True)
    config.write_text(one_with("inbox = ~/Inbox", blocks(QUESTIONS)))
    give_password(terminal, tmp_path, "~/.ibbfs")
    terminal.run("ibbfs -o password_file=$HOME/.ibbfs me@example.org /mnt/xmpp")
    alice = wait_for_me(terminal)
    photo, report = home / "photo.jpg", home / "report.pdf"
    for path in (photo, report):
        path.write_bytes(os.urandom(5000))
    check_phone(terminal, tmp_path, photo.read_bytes())
    check_age(terminal, report)
    check_tar(terminal, photo)
    check_arrives({"f": b"x"}, alice, home / "Inbox" / "alice@example.org")
    terminal.run("fusermount3 -u /mnt/xmpp")
    check_inbox_of_another_user(terminal, tmp_path, home / "Inbox")
    # The limits of Prosody are those that raise Debian's.
    assert "Error parsing" not in (tmp_path / "server" / "prosody.log").read_text()


def check_session_of_the_man_page(terminal: Terminal) -> None:
    session, next_one, loop = map(commands, examples()[:3])
    home = terminal.path("/home/me")
    content = os.urandom(5000)
    (home / "report.pdf").write_bytes(content)
    mount, copy, cat, unmount = [typed for typed, _ in session]
    terminal.run(mount)
    alice = wait_for_me(terminal)
    terminal.run(copy)
    assert (alice / "in" / "report.pdf").read_bytes() == content
    (alice / "photo.jpg").write_bytes(content)
    terminal.run(cat)
    assert (home / "photo.jpg").read_bytes() == content
    terminal.begin(next_one[0][0])
    (alice / "whatever").write_bytes(content)
    terminal.end()
    assert (home / "got").read_bytes() == content
    (home / "got").unlink()
    (mkdir, _), (typed, _) = loop
    terminal.run(mkdir)
    terminal.begin(typed)
    check_arrives({"a b": content}, alice, home / "got")
    terminal.interrupt()
    terminal.run(unmount)


def test_the_examples_of_the_man_page(terminal: Terminal, tmp_path: Path) -> None:
    give_password(terminal, tmp_path, "~/.ibbfs")
    give_password(terminal, tmp_path, "/etc/ibbfs.password")
    check_session_of_the_man_page(terminal)
    user, root, config, automount, autofs = examples()[3:]
    mounts = [(user, "mount /mnt/xmpp"), (root, "mount -a"), (automount, "mount /mnt/xmpp")]
    for line, typed in mounts:
        terminal.path("/etc/fstab").write_text(line)
        terminal.run(typed)
        assert is_mounted(terminal), line
        terminal.run("umount /mnt/xmpp")
    key, options, location = autofs.split()
    assert (key, location) == ("xmpp", ":me@example.org")
    kind, _, options = options.partition(",")
    assert kind == "-fstype=ibbfs"
    # As mount(8) calls it.
    terminal.run(f"mount.ibbfs me@example.org /mnt/xmpp -o rw,{options}")
    assert "alice@example.org" in terminal.run("ls /mnt/xmpp")
    terminal.run("umount /mnt/xmpp")
    assert config == block_with("inbox = ~/Inbox"), "which another test uses"


def test_the_usage(request: pytest.FixtureRequest) -> None:
    command = [builds(request.config)[0].binary, "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert block_with("JID[/resource] mountpoint").strip() in shown


def test_the_packages_to_build_it() -> None:
    """They are those that scripts/setup installs, and those that the Debian package is built with."""
    packages, build = block_with("apt install gcc").replace("\\\n", " ").splitlines()
    named = set(packages.split("apt install")[1].split())
    setup = (ROOT / "scripts" / "setup").read_text()
    (base,) = re.findall(r'^packages="(.*?)"', setup, re.MULTILINE | re.DOTALL)
    assert named <= set(base.split())
    control = (ROOT / "packaging" / "debian" / "control").read_text()
    (lines,) = re.findall(r"^Build-Depends:\n((?: .*\n)+)", control, re.MULTILINE)
    needed = set(re.findall(r"^ ([^ ,]+)", lines, re.MULTILINE))
    assert needed - {"debhelper-compat", "pkgconf"} <= named
    assert "pkg-config" in named
    # The tests need more.
    assert "-Dtests=false" in build


def test_every_block_is_accounted_for() -> None:
    """Blocks with commands are run: here, or by test_demo (scripts/demo and scripts/check)."""
    run_here = ["Password for", "apt install", "JID[/resource]", "EDITOR", "install -d"]
    run_here += ["fuse.ibbfs", "inbox = ~/Inbox"]
    # scripts/check-package runs the commands of the package.
    elsewhere = ["scripts/demo", "├── incoming", "scripts/package"]
    elsewhere += ["until cp"]  # test_outbox.py
    questions = ["phone/", "age -", "age-keygen", "limits =", "tar czf"]
    questions += ["inbox = ~/Inbox", "fuse.ibbfs"]
    # test_unit.py starts the unit. No test can boot a system with a user who lingers.
    questions += ["enable-linger"]
    for page, known in ((README, run_here + elsewhere), (QUESTIONS, questions)):
        for block in blocks(page):
            assert any(text in block for text in known), f"nobody runs this:\n{block}"


def test_every_link_leads_somewhere() -> None:
    """Of the pages for users: files of this checkout, and headings in them."""
    for page in (ROOT / "README.md", ROOT / "docs" / "README.md", ROOT / "docs" / "questions.md"):
        for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"\n\s*", " ", page.read_text())):
            if re.match(r"https?:", link):
                continue
            path, _, heading = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), f"{page.name}: {link}"
            if heading:
                headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
                words = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
                assert heading in words, f"{page.name}: {link}"
