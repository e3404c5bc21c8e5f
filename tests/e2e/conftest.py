# SPDX-License-Identifier: MIT
"""Options, builds and fixtures of the end-to-end tests.

    /usr/bin/python3 -m pytest tests/e2e                         the build of scripts/check
    /usr/bin/python3 -m pytest tests/e2e --builds plain=build    another build directory
    /usr/bin/python3 -m pytest tests/e2e --builds asan,tsan,plain -n 4    each test with one
    /usr/bin/python3 -m pytest tests/e2e --servers ejabberd      not at Prosody
    IBBFS_TEST_DEBUG=1 ... -k test_name                          each daemon's stanzas, in MOUNT.err
"""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon import Build, adopt_orphans
from ejabberd import Ejabberd
from federation import running_federation
from jabberd2 import Jabberd2, is_installed
from lab import Lab
from prosody import SAYS_SO, Prosody
from server import Server

ROOT = Path(__file__).resolve().parents[2]
BUILDS = {"plain": "build/check", "asan": "build/asan", "tsan": "build/tsan"}
TEST_SECONDS = 120


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--builds",
        default="plain",
        help="which ibbfs to test: "
        + ", ".join(f"{n} ({d})" for n, d in BUILDS.items())
        + " or NAME=DIRECTORY, separated by commas",
    )
    parser.addoption(
        "--servers",
        default="prosody",
        help="where the accounts are: prosody, ejabberd or federation (one account here, the next"
        " there), separated by commas",
    )
    parser.addoption(
        "--require-fuse",
        action="store_true",
        default=os.environ.get("CI") == "true",
        help="fail, rather than skip, where FUSE file systems cannot be mounted",
    )
    parser.addoption(
        "--peers",
        default="build/check/tests/peers",
        help="where the other clients are, which are built with -Dpeers=true",
    )
    parser.addoption(
        "--slow",
        action="store_true",
        help="also what takes minutes; and each test with each build and server that it is for,"
        " which else take turns",
    )


def pytest_configure(config: pytest.Config) -> None:
    adopt_orphans()
    config.addinivalue_line("markers", "large: of several builds, only the plain one")
    config.addinivalue_line("markers", "slow: takes minutes, only with --slow")
    config.addinivalue_line("markers", "once: of several builds and servers, only the first")
    config.addinivalue_line("markers", "server(name, why): of all servers, only that one")
    config.addinivalue_line("markers", "federated: between two servers, too")


@functools.cache  # the same objects each time, so that fixtures of a module see one build
def builds(config: pytest.Config) -> list[Build]:
    found = []
    for word in config.getoption("--builds").split(","):
        name, _, folder = word.partition("=")
        found.append(Build(name, (ROOT / (folder or BUILDS[name]) / "mount" / "ibbfs").resolve()))
    return found


def wanted_builds(metafunc: pytest.Metafunc) -> list[Build]:
    """Large tests use the plain build, and all other tests every one."""
    every = builds(metafunc.config)
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    plain = [b for b in every if b.name == "plain"] or every[:1]
    if "once" in marks:
        return every[:1]
    if "large" in marks:
        return plain[:1]
    return every


def wanted_servers(metafunc: pytest.Metafunc) -> list[str]:
    every = metafunc.config.getoption("--servers").split(",")
    marks = {mark.name: mark for mark in metafunc.definition.iter_markers()}
    if "server" in marks:
        return [name for name in every if name == marks["server"].args[0]]
    if "once" in marks:
        return every[:1]
    return [name for name in every if name != "federation" or "federated" in marks]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every wanted build with the first server; with the others, the plain build only."""
    if "build" not in metafunc.fixturenames:
        return
    chosen = wanted_builds(metafunc)
    if "server_name" not in metafunc.fixturenames:
        metafunc.parametrize("build", chosen, ids=[b.name for b in chosen], scope="session")
        return
    first = metafunc.config.getoption("--servers").split(",")[0]
    every = builds(metafunc.config)
    plain = [b for b in every if b.name == "plain"] or every[:1]
    pairs = [
        (build, server)
        for server in wanted_servers(metafunc)
        for build in (chosen if server == first else plain)
    ]
    ids = [f"{build.name}-{server}" for build, server in pairs]
    metafunc.parametrize("build, server_name", pairs, ids=ids, scope="session")


def name_of(item: pytest.Item) -> str:
    """The name of the test, whatever its build and server."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    if "build" not in parameters:
        return item.nodeid
    way = parameters["build"].name
    if "server_name" in parameters:
        way += f"-{parameters['server_name']}"
    return item.nodeid.replace(f"[{way}", "[", 1)


def in_turn(items: list[pytest.Item]) -> list[pytest.Item]:
    """Each test once: its name decides on the build and the server."""
    ways: dict[str, list[pytest.Item]] = {}
    for item in items:
        ways.setdefault(name_of(item), []).append(item)
    chosen = {same[zlib.crc32(name.encode()) % len(same)] for name, same in ways.items()}
    return [item for item in items if item in chosen]


def is_wanted(config: pytest.Config, item: pytest.Item) -> bool:
    """Leaves out slow tests, and tests that no server of this run is for."""
    if item.get_closest_marker("slow") and not config.getoption("--slow"):
        return False
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return isinstance(parameters.get("server_name", ""), str)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = [item for item in items if is_wanted(config, item)]
    if not config.getoption("--slow"):
        wanted = in_turn(wanted)
    config.hook.pytest_deselected(items=[item for item in items if item not in set(wanted)])
    items[:] = wanted
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))


@pytest.fixture(scope="session", autouse=True)
def fuse(request: pytest.FixtureRequest) -> None:
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        missing = "/dev/fuse is not there or not for this user"
        if request.config.getoption("--require-fuse"):
            pytest.fail(missing)
        pytest.skip(missing)


@pytest.fixture(scope="session")
def name_spaces(request: pytest.FixtureRequest) -> None:
    """For tests with mounts and a network of their own."""
    if subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True).returncode != 0:
        reason = "name spaces of mounts and of the network are not permitted"
        if request.config.getoption("--require-fuse"):
            pytest.fail(reason)
        pytest.skip(reason)


Shared = Callable[[str], tuple[Server, ...]]


@pytest.fixture(scope="session")
def shared_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """Servers by name, shared by all tests of this process; each test uses accounts of its own."""
    with contextlib.ExitStack() as stack:
        yield functools.cache(
            lambda name: stack.enter_context(running_servers(name, tmp_path_factory.mktemp(name)))
        )


MAKERS: dict[str, Callable[[Path], Server]] = {
    "prosody": Prosody,
    "unpadded": functools.partial(Prosody, **SAYS_SO),
    "ejabberd": Ejabberd,
}


@contextlib.contextmanager
def running_servers(name: str, folder: Path) -> Iterator[tuple[Server, ...]]:
    if name == "federation":
        with running_federation(folder) as servers:
            yield servers
        return
    server = MAKERS[name](folder / "server")
    server.start()
    try:
        yield (server,)
    finally:
        server.stop()


@pytest.fixture(scope="session")
def programs(request: pytest.FixtureRequest) -> dict[str, Path]:
    """Other clients, by name."""
    folder = ROOT / request.config.getoption("--peers")
    found = {name: folder / name for name in ("gloox", "purple", "qxmpp")}
    found["slix"] = ROOT / "tests" / "peers" / "slix.py"
    missing = [str(path) for path in found.values() if not path.exists()]
    assert not missing, f"not built: {', '.join(missing)}"
    return found


@pytest.fixture(scope="session")
def prosody(shared_servers: Shared) -> Server:
    return shared_servers("prosody")[0]


NewLab = Callable[[tuple[Server, ...]], contextlib.AbstractContextManager[Lab]]


@contextlib.contextmanager
def running_lab(
    request: pytest.FixtureRequest, build: Build, folder: Path, servers: tuple[Server, ...]
) -> Iterator[Lab]:
    assert build.binary.exists(), f"{build.binary} was not built"
    lab = Lab(build, folder, *servers)
    # A call into a daemon that does not answer cannot be interrupted: only the daemon's death ends
    # it.
    limit = request.node.get_closest_marker("timeout").args[0]
    watchdog = threading.Timer(limit - 10, lab.kill_daemons)
    watchdog.daemon = True
    watchdog.start()
    yield lab
    watchdog.cancel()
    lab.close()


@pytest.fixture
def new_lab(request: pytest.FixtureRequest, build: Build, tmp_path: Path) -> NewLab:
    """Makes a lab at these servers."""
    return functools.partial(running_lab, request, build, tmp_path)


@pytest.fixture
def lab(new_lab: NewLab, server_name: str, shared_servers: Shared) -> Iterator[Lab]:
    with new_lab(shared_servers(server_name)) as lab:
        yield lab


@pytest.fixture
def unpadded_lab(new_lab: NewLab, server_name: str, shared_servers: Shared) -> Iterator[Lab]:
    """A lab at a server to which no padding is sent, so that bytes on the wire can be counted."""
    name = "unpadded" if server_name == "prosody" else server_name
    with new_lab(shared_servers(name)) as lab:
        yield lab


@pytest.fixture
def own_lab(new_lab: NewLab, server_name: str, tmp_path: Path) -> Iterator[Lab]:
    """A lab whose servers the test may stop."""
    with running_servers(server_name, tmp_path) as servers, new_lab(servers) as lab:
        yield lab


@pytest.fixture
def limited_lab(new_lab: NewLab, tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Makes a lab at a Prosody of its own, which gets the arguments, or at another kind of it."""
    with contextlib.ExitStack() as stack:

        def start(kind: type[Prosody] = Prosody, **arguments: Any) -> Lab:
            server = kind(tmp_path / "server", **arguments)
            server.start()
            stack.callback(server.stop)
            return stack.enter_context(new_lab((server,)))

        yield start


@pytest.fixture
def jabberd2_lab(new_lab: NewLab, tmp_path: Path) -> Iterator[Lab]:
    """A lab at a jabberd2 of its own; not every Debian has one."""
    if not is_installed():
        pytest.skip("jabberd2 is not installed")
    server = Jabberd2(tmp_path / "server")
    server.start()
    with new_lab((server,)) as lab:
        yield lab
    server.stop()
