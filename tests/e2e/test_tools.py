# SPDX-License-Identifier: MIT
"""Ordinary file tools on streams, a row of tools.py each: bytes, exit status and message.

docs/tools.md must have the results of these tests. With IBBFS_TOOLS_TABLE=write in the environment
they write it.
"""

from __future__ import annotations

import contextlib
import fnmatch
import errno
import functools
import http.server
import os
import re
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from conftest import builds
from daemon import Build, Mount, poll_until
from lab import Lab
from rawpeer import NS_PING, RawPeer, condition, is_kind, payload, refuse
from server import Server
from tools import (
    ANYTHING,
    BELIEVERS,
    CONTROL,
    EMPTY,
    READERS,
    RESET,
    UNKNOWN,
    WRITING,
    Tool,
    parse_table,
    render_table,
    write_cell,
)

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "tools.md"
TOOL_SECONDS = 20
WATCHDOG_SECONDS = 90
PEER_BUFFERS = "window=64K,buffer=64K"  # less than a source: writers meet their readers


# ---- what is sent ----


def shell(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess:
    """Runs the command of a row."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=os.environ | {"LC_ALL": "C.UTF-8", "TERM": "dumb"} | environment,
        timeout=TOOL_SECONDS,
    )


def make_sources(folder: Path) -> Path:
    """Each larger than window and buffer together, but for `few`."""
    folder.mkdir()
    (folder / "file").write_bytes(os.urandom(300000))
    (folder / "text").write_text("".join(f"line {n}\n" for n in range(30000)))
    (folder / "few").write_text("".join(f"line {n}\n" for n in range(1000)))
    with open(folder / "sparse", "wb") as sparse:
        sparse.write(b"begin")
        sparse.seek(200000)
        sparse.write(b"middle")
        sparse.truncate(400000)
    tree = folder / "tree"
    tree.mkdir()
    for name in ("file", "text"):
        shutil.copy(folder / name, tree / name)
    with zipfile.ZipFile(folder / "flat.zip", "w") as archive:
        for name in ("file", "text"):
            archive.write(folder / name, name)
    made = shell(
        "tar cf flat.tar file text && tar cf tree.tar tree && gzip -kn text && xz -0k file", folder
    )
    assert made.returncode == 0, made.stderr
    return folder


@dataclass
class Place:
    """Where a command runs: copies of the sources, and directories to send to or read from."""

    folder: Path
    sources: Path

    def __post_init__(self) -> None:
        shutil.copytree(self.sources, self.folder)

    def link(self, name: str, target: Path) -> None:
        (self.folder / name).symlink_to(target)

    def make(self, *names: str) -> None:
        for name in names:
            (self.folder / name).mkdir()

    def files(self) -> dict[str, bytes]:
        """The files of the folder itself, not behind its links."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            if path.is_file() and not path.is_symlink() and not name.startswith("in/"):
                found[name] = path.read_bytes()
        return found


# ---- what arrives ----

Arrived = tuple[str, "bytes | str"]  # name; bytes, or the name of the errno


class Collector:
    """Reads every stream that arrives at a mount, as the loop in the README does."""

    def __init__(self, mount: Mount):
        self.mount = mount
        self.news = threading.Condition()
        self.running = 0
        self.arrived: list[Arrived] = []
        self.incoming = os.open(mount.path / "incoming", os.O_RDONLY)
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self) -> None:
        with contextlib.suppress(OSError), open(self.incoming) as lines:
            for line in lines:
                with self.news:
                    self.running += 1
                path = self.mount.path / line.rstrip("\n")
                threading.Thread(target=self._read, args=(path,), daemon=True).start()

    def _read(self, path: Path) -> None:
        result: bytes | str
        try:
            result = path.read_bytes()
        except OSError as error:
            result = errno.errorcode[error.errno]
        with self.news:
            self.running -= 1
            name = str(path.relative_to(self.mount.path)).partition("/in/")[2]
            self.arrived.append((re.sub(r" \(\d+\)$", "", name), result))
            self.news.notify_all()

    def take(self, sender: Mount) -> list[Arrived]:
        """All streams that `sender` has sent so far: stanzas stay in order, so a last stream marks
        the end."""
        (sender.contact(self.mount) / "barrier").write_bytes(b"barrier")
        with self.news:
            done = self.news.wait_for(
                lambda: self.running == 0 and ("barrier", b"barrier") in self.arrived, 20
            )
            assert done, f"a stream did not end; these have: {[name for name, _ in self.arrived]}"
            arrived, self.arrived = self.arrived, []
        arrived.remove(("barrier", b"barrier"))
        return sorted(arrived, key=lambda stream: stream[0])


# ---- who is there ----


@dataclass
class Desk:
    """The fixture of all rows of this file.

    alice writes to bob and carol, who read everything; to dave, whose client refuses every block;
    and reads what bob sends.
    """

    lab: Lab
    sources: Path
    alice: Mount
    bob: Mount
    collectors: dict[str, Collector]
    dave: RawPeer
    url: str
    count: int = field(default=0)

    def place(self) -> Place:
        self.count += 1
        return Place(self.lab.folder / f"place{self.count}", self.sources)

    def clean(self) -> None:
        """Every row begins without the names of other rows."""
        for contact in (*(c.mount for c in self.collectors.values()), self.dave):
            for folder in (self.alice.contact(contact), self.alice.contact(contact) / "in"):
                for path in folder.iterdir():
                    if path.is_file() and path.name != "next":
                        path.unlink()
                    elif path.name == "tree":
                        shutil.rmtree(path)


@contextlib.contextmanager
def web_server(folder: Path) -> Iterator[str]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextlib.contextmanager
def new_lab(build: Build, server: Server, folder: Path) -> Iterator[Lab]:
    lab = Lab(build, folder, server)
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def first_build(pytestconfig: pytest.Config) -> Build:
    """Not the parameter `build`: the desk would be made anew for every test."""
    return builds(pytestconfig)[0]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sources(tmp_path_factory.mktemp("sources") / "sources")


@pytest.fixture(scope="module")
def shared_desk(
    first_build: Build, prosody: Server, sources: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    with contextlib.ExitStack() as stack:
        lab = stack.enter_context(new_lab(first_build, prosody, tmp_path_factory.mktemp("tools")))
        url = stack.enter_context(web_server(sources))
        accounts = lab.accounts("alice", "bob", "carol", "dave")
        alice, bob, carol = (lab.mount(a, PEER_BUFFERS) for a in accounts[:3])
        dave = lab.raw(accounts[3])
        dave.rules["data"] = refuse("item-not-found")
        for other in (bob, carol, dave):
            alice.wait_online(other.jid)
        bob.wait_online(alice.jid)
        collectors = {"bob": Collector(bob), "carol": Collector(carol)}
        yield Desk(lab, sources, alice, bob, collectors, dave, url)


@pytest.fixture
def desk(shared_desk: Desk) -> Iterator[Desk]:
    # A tool that waits for a daemon for ever cannot be killed; it ends with the daemon.
    watchdog = threading.Timer(WATCHDOG_SECONDS, shared_desk.lab.kill_daemons)
    watchdog.daemon = True
    watchdog.start()
    yield shared_desk
    watchdog.cancel()
    shared_desk.clean()


# ---- what is found, and what the table says ----


def note(section: str, tool: Tool, column: int, found: str) -> None:
    """`found` must be equal to the cell of docs/tools.md, or is written there."""
    if os.environ.get("IBBFS_TOOLS_TABLE") == "write":
        write_cell(TABLE, section, tool, column, found)
        return
    said = parse_table(TABLE.read_text()).get((section, tool.name))
    assert said, f"no such row in {TABLE.name}; to write it anew: IBBFS_TOOLS_TABLE=write"
    assert said[column] == found, f"{TABLE.name} must be written anew: IBBFS_TOOLS_TABLE=write"


def expect_success(tool: Tool, done: subprocess.CompletedProcess) -> str:
    """Exit status 0, and only the messages of the row."""
    messages = done.stderr.decode()
    assert done.returncode == 0, messages
    if tool.says:
        assert tool.says in messages
        return f'works; says "{tool.says}"'
    assert messages == ""
    return "works"


def expect_failure(done: subprocess.CompletedProcess, text: str) -> str:
    """Another exit status, and the reason among the messages."""
    messages = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode != 0, f"it did not fail; it said: {messages[-500:]}"
    assert text in messages, messages[-500:]
    return f"fails: {text or 'no message'} (exit status {done.returncode})"


def expect_broken(tool: Tool, done: subprocess.CompletedProcess) -> str:
    """The row's result for a broken stream; the break must not go unnoticed."""
    if tool.unnoticed:
        assert done.returncode == 0
        return f"not noticed: {tool.unnoticed}"
    return expect_failure(done, os.strerror(RESET) if tool.complaint is None else tool.complaint)


def wanted_message(tool: Tool) -> str:
    return tool.says or os.strerror(tool.error)


def rows(tools: list[Tool], *, broken: bool = False) -> pytest.MarkDecorator:
    """The rows for installed versions; `broken`: only rows that are tried with broken streams."""
    wanted = [tool for tool in tools if tool.is_here and (tool.breaks or not broken)]
    return pytest.mark.parametrize("tool", wanted, ids=[tool.command for tool in wanted])


# ---- writing ----


def local_streams(tool: Tool, desk: Desk) -> tuple[dict[str, list[Arrived]], dict[str, bytes]]:
    """The files that the command would send and leave if the contacts were local directories."""
    place = desk.place()
    place.make("bob", "carol")
    done = shell(tool.command, place.folder, URL=desk.url)
    assert (done.returncode, done.stderr) == (0, b""), "it does not work locally either"
    files = place.files()
    sent: dict[str, list[Arrived]] = {"bob": [], "carol": []}
    for name in list(files):
        contact, _, rest = name.partition("/")
        if contact in sent:
            sent[contact].append((rest, files.pop(name)))
    return sent, files


def expect_named(tool: Tool, arrived: list[Arrived], sources: dict[str, bytes]) -> str:
    """No complete-looking file except those that the row names."""
    wanted = tool.arrives or ()
    assert len(arrived) == len(wanted), f"this has arrived: {[name for name, _ in arrived]}"
    contents = sources | {EMPTY: b""}
    for (name, content), (pattern, source) in zip(arrived, wanted):
        assert fnmatch.fnmatchcase(name, pattern)
        assert source == ANYTHING or content == contents[source]
    return "".join(f"; but {name} has arrived ({source})" for name, source in wanted)


@rows(WRITING)
def test_writing(desk: Desk, tool: Tool) -> None:
    place = desk.place()
    before = place.files()
    for name, collector in desk.collectors.items():
        place.link(name, desk.alice.contact(collector.mount))
    done = shell(tool.command, place.folder, URL=desk.url)
    arrived = {name: c.take(desk.alice) for name, c in desk.collectors.items()}
    if tool.error is None:
        found = expect_success(tool, done)
        expected, files = local_streams(tool, desk)
        if tool.arrives is not None:
            expect_named(tool, arrived["bob"], before)
        else:
            assert arrived == expected
        assert place.files() == files
    else:
        found = expect_failure(done, wanted_message(tool))
        whole = [s for streams in arrived.values() for s in streams if s[1] != "ECONNRESET"]
        found += expect_named(tool, whole, before)
        assert before.items() <= place.files().items(), "a source has gone"
    note("Writing", tool, 0, found)


@rows(WRITING, broken=True)
def test_writing_to_a_stream_that_breaks(desk: Desk, tool: Tool) -> None:
    place = desk.place()
    before = place.files()
    for name in desk.collectors:
        place.link(name, desk.alice.contact(desk.dave))
    done = shell(tool.command, place.folder, URL=desk.url)
    assert desk.dave.find(is_kind("open")), "nothing was sent"
    lost = before.items() - place.files().items()
    assert [name for name, _ in lost] == tool.loses.split(), "a source has gone"
    found = expect_broken(tool, done)
    note("Writing", tool, 1, found + (f"; but {tool.loses} is removed" if lost else ""))
    desk.dave.stanzas.clear()


# ---- reading ----


def sent_to_alice(desk: Desk, path: Path) -> Path:
    """Where a file that bob sends shows up."""
    return desk.alice.incoming(desk.bob, path.name)


def readable_place(desk: Desk) -> Place:
    place = desk.place()
    place.link("in", desk.alice.contact(desk.bob) / "in")
    return place


def local_reading(tool: Tool, desk: Desk) -> tuple[subprocess.CompletedProcess, dict[str, bytes]]:
    place = desk.place()
    place.make("in")
    for name in (tool.sends, "next"):
        shutil.copy(place.sources / tool.sends, place.folder / "in" / name)
    return shell(tool.command, place.folder), place.files()


@rows(READERS)
def test_reading(desk: Desk, tool: Tool) -> None:
    place = readable_place(desk)
    source = place.sources / tool.sends
    writer = desk.lab.spawn("cp", source, desk.bob.contact(desk.alice))
    poll_until(sent_to_alice(desk, source).exists, what="the stream")
    done = shell(tool.command, place.folder)
    if tool.error is None:
        found = expect_success(tool, done)
        local, files = local_reading(tool, desk)
        assert (done.returncode, done.stdout) == (local.returncode, local.stdout)
        assert place.files() == files
    else:
        found = expect_failure(done, wanted_message(tool))
        sent_to_alice(desk, source).unlink()
    note("Reading", tool, 0, found + expect_of_writer(tool, writer))


def expect_of_writer(tool: Tool, writer: subprocess.Popen) -> str:
    message = writer.communicate(timeout=20)[1].decode()
    failed = writer.returncode == 1 and message.endswith(f": {os.strerror(RESET)}\n")
    succeeded = (writer.returncode, message) == (0, "")
    what = f"the writer fails: {os.strerror(RESET)}"
    if tool.error is not None:
        assert succeeded or failed
        return ""
    if tool.stops == "before the end":
        assert failed
        return f"; {what}"
    if tool.stops == "at the end":
        assert succeeded or failed
        return f"; it may end before the stream, then {what}"
    assert succeeded, message
    return ""


def expect_nothing_read(desk: Desk, tool: Tool, place: Place) -> str:
    """The tool takes the stream for an empty file, and does not consume it."""
    empty = desk.place()
    empty.make("in")
    (empty.folder / "in" / tool.sends).touch()
    assert shell(tool.command, empty.folder).returncode == 0
    assert len(place.files()["got"]) == len(empty.files()["got"])
    return "works on nothing: it takes the stream, which still waits, for an empty file"


@rows(BELIEVERS)
def test_reading_by_size(desk: Desk, tool: Tool) -> None:
    place = readable_place(desk)
    source = place.sources / tool.sends
    writer = desk.lab.spawn("cp", source, desk.bob.contact(desk.alice))
    path = sent_to_alice(desk, source)
    poll_until(path.exists, what="the stream")
    assert expect_success(tool, shell(tool.command, place.folder)) == "works"
    found = expect_nothing_read(desk, tool, place)
    assert path.read_bytes() == source.read_bytes()
    assert writer.communicate(timeout=20)[1] == b""
    note("Reading", tool, 0, found)
    note("Reading", tool, 1, found)


@rows(READERS, broken=True)
def test_reading_a_stream_that_breaks(desk: Desk, tool: Tool) -> None:
    place = readable_place(desk)
    source = place.sources / tool.sends
    path = desk.bob.contact(desk.alice) / source.name
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(fd, source.read_bytes()[:5000])
    os.fsync(fd)
    assert os.getxattr(sent_to_alice(desk, source), "user.ibb.received") == b"5000"
    path.unlink()
    with pytest.raises(ConnectionResetError):
        os.close(fd)
    done = shell(tool.command, place.folder)
    note("Reading", tool, 1, expect_broken(tool, done))


# ---- control ----


@dataclass
class Quiet:
    """A mount that logs every stanza, and a peer that would receive them."""

    mount: Mount
    peer: RawPeer
    ignored: list[str] = field(default_factory=lambda: ["id='ping'"])  # of our own connection

    def sent(self) -> list[str]:
        """All stanzas so far. The answer to a last request comes after all others."""
        pong = self.peer.request(self.mount.jid, f"<ping xmlns='{NS_PING}'/>", type_="get")
        assert condition(pong) is None
        answer = f"id='{pong.get('id')}'"
        poll_until(lambda: answer in self.mount.stderr(), what="the answer in the log")
        self.ignored.append(answer)
        lines = re.findall(r"^ibbfs: SENT: (.*)$", self.mount.stderr(), re.MULTILINE)
        return [line for line in lines if not any(word in line for word in self.ignored)]


@pytest.fixture(scope="module")
def shared_quiet(
    first_build: Build, prosody: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Quiet]:
    folder = tmp_path_factory.mktemp("control")
    with new_lab(first_build, prosody, folder) as lab, pytest.MonkeyPatch.context() as patch:
        first, second = lab.accounts("alice", "bob")
        patch.setenv("IBBFS_TEST_DEBUG", "1")
        mount = lab.mount(first)
        peer = lab.raw(second)
        mount.wait_online(peer.jid)
        yield Quiet(mount, peer)


@pytest.fixture
def quiet(shared_quiet: Quiet) -> Quiet:
    """With one stream sent, and another that waits."""
    mount, peer = shared_quiet.mount, shared_quiet.peer
    contact = mount.contact(peer)
    for path in contact.iterdir():
        if path.is_file():
            path.unlink()
    for path in (contact / "in").iterdir():
        if path.name != "next":
            path.unlink()
    peer.stanzas.clear()
    (contact / "sent").write_bytes(b"sent\n")
    # The <close/> of that stream: an incoming stream that was unlinked above is closed, too.
    peer.wait_for(is_kind("close", sid=payload(peer.wait_open()).get("sid")))
    sid = os.urandom(8).hex()
    assert condition(peer.open(mount.jid, sid, name="new")) is None
    assert condition(peer.data(mount.jid, sid, 0, b"new\n")) is None
    return shared_quiet


@rows(CONTROL)
def test_control(quiet: Quiet, sources: Path, tmp_path: Path, tool: Tool) -> None:
    place = Place(tmp_path / "place", sources)
    place.link("mnt", quiet.mount.path)
    place.link("bob", quiet.mount.contact(quiet.peer))
    before = quiet.sent()
    done = shell(tool.command, place.folder)
    assert quiet.sent() == before, "it was heard of"
    if tool.error is None:
        found = expect_success(tool, done)
    else:
        found = expect_failure(done, wanted_message(tool))
    note("Control", tool, 0, found)


# ---- the end of a stream by rm ----


def test_rm_of_a_waiting_stream(lab: Lab) -> None:
    alice, bob = lab.pair(PEER_BUFFERS, PEER_BUFFERS)
    writer = lab.spawn("cp", lab.random_file(300000), alice.contact(bob))
    waiting = bob.incoming(alice, "random")
    poll_until(waiting.exists, what="the stream")
    assert lab.run("rm", waiting).returncode == 0
    expect_reset(writer)
    assert not waiting.exists()


def test_rm_of_a_running_stream_by_its_reader(lab: Lab) -> None:
    alice, bob = lab.pair(PEER_BUFFERS, PEER_BUFFERS)
    writer, reader, path = running_stream(lab, alice, bob)
    assert lab.run("rm", path).returncode == 0
    expect_reset(reader)
    write_more(writer)
    expect_reset(writer)


def test_rm_of_a_running_stream_by_its_writer(lab: Lab) -> None:
    alice, bob = lab.pair(PEER_BUFFERS, PEER_BUFFERS)
    writer, reader, _ = running_stream(lab, alice, bob)
    assert lab.run("rm", alice.contact(bob) / "talk").returncode == 0
    expect_reset(reader)
    write_more(writer)
    expect_reset(writer)


def write_more(writer: subprocess.Popen) -> None:
    writer.stdin.write(b"more\n")
    writer.stdin.close()


def running_stream(
    lab: Lab, alice: Mount, bob: Mount
) -> tuple[subprocess.Popen, subprocess.Popen, Path]:
    """The writer; the reader, which has read all bytes so far; and the file that it reads from."""
    tee = ("tee", alice.contact(bob) / "talk")
    writer = lab.spawn(*tee, stdin=subprocess.PIPE, bufsize=0, stdout=subprocess.DEVNULL)
    writer.stdin.write(b"hello\n")
    path = bob.incoming(alice, "talk")
    poll_until(path.exists, what="the stream")
    reader = lab.spawn("cat", path, bufsize=0)
    assert reader.stdout.read(6) == b"hello\n"
    return writer, reader, path


def expect_reset(process: subprocess.Popen) -> None:
    process.wait(20)
    message = process.stderr.read().decode()
    assert process.returncode == 1
    assert message.endswith(f": {os.strerror(RESET)}\n")


# ---- the table ----


def test_the_table_is_complete() -> None:
    """The page has all cells that the tests write, and no others."""
    text = TABLE.read_text()
    cells = parse_table(text)
    assert text == render_table(cells)
    if os.environ.get("IBBFS_TOOLS_TABLE") != "write":
        assert UNKNOWN not in [cell for row in cells.values() for cell in row]
