# SPDX-License-Identifier: MIT
"""Options, builds and fixtures of the end-to-end tests.

    /usr/bin/python3 -m pytest tests/e2e                         the build of scripts/check
    /usr/bin/python3 -m pytest tests/e2e --builds plain=build    another build directory
    /usr/bin/python3 -m pytest tests/e2e --builds asan,tsan,plain -n 4
    IBBFS_TEST_DEBUG=1 ... -k test_name                          each daemon's stanzas, in MOUNT.err
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon import Build, adopt_orphans
from lab import Lab
from prosody import Prosody

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
        "--require-fuse",
        action="store_true",
        default=os.environ.get("CI") == "true",
        help="fail, rather than skip, where FUSE file systems cannot be mounted",
    )


def pytest_configure(config: pytest.Config) -> None:
    adopt_orphans()
    config.addinivalue_line("markers", "large: of several builds, only the plain one")
    config.addinivalue_line("markers", "once: of several builds, only the first")


@functools.cache  # the same objects each time, so that fixtures of a module see one build
def builds(config: pytest.Config) -> list[Build]:
    found = []
    for word in config.getoption("--builds").split(","):
        name, _, folder = word.partition("=")
        found.append(Build(name, (ROOT / (folder or BUILDS[name]) / "mount" / "ibbfs").resolve()))
    return found


def wanted_builds(metafunc: pytest.Metafunc) -> list[Build]:
    """Of several builds, large tests take the plain one and all others leave it to them."""
    every = builds(metafunc.config)
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    plain = [b for b in every if b.name == "plain"] or every[:1]
    if "once" in marks:
        return every[:1]
    if "large" in marks:
        return plain[:1]
    return [b for b in every if b.name != "plain"] or every


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "build" in metafunc.fixturenames:
        chosen = wanted_builds(metafunc)
        metafunc.parametrize("build", chosen, ids=[b.name for b in chosen], scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
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
def prosody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prosody]:
    """A server that all tests of this process share; each uses accounts of its own."""
    server = Prosody(tmp_path_factory.mktemp("prosody") / "server")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_prosody(tmp_path: Path) -> Iterator[Prosody]:
    """A server that the test may stop."""
    server = Prosody(tmp_path / "server")
    server.start()
    yield server
    server.stop()


def running_lab(
    request: pytest.FixtureRequest, build: Build, server: Prosody, folder: Path
) -> Iterator[Lab]:
    assert build.binary.exists(), f"{build.binary} was not built"
    lab = Lab(build, server, folder)
    # A call into a daemon that does not answer cannot be interrupted: its death ends it.
    limit = request.node.get_closest_marker("timeout").args[0]
    watchdog = threading.Timer(limit - 10, lab.kill_daemons)
    watchdog.daemon = True
    watchdog.start()
    yield lab
    watchdog.cancel()
    lab.close()


@pytest.fixture
def lab(
    request: pytest.FixtureRequest, build: Build, prosody: Prosody, tmp_path: Path
) -> Iterator[Lab]:
    yield from running_lab(request, build, prosody, tmp_path)


@pytest.fixture
def own_lab(
    request: pytest.FixtureRequest, build: Build, own_prosody: Prosody, tmp_path: Path
) -> Iterator[Lab]:
    """A lab whose server the test may stop."""
    yield from running_lab(request, build, own_prosody, tmp_path)
