# SPDX-License-Identifier: MIT
"""What a server and contacts say costs a bounded amount of memory, and a listing stays usable."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterator

import pytest

from daemon import MEBIBYTE, Mount, poll_until
from lab import Lab
from loginserver import USER, Connection, LoginServer
from server import HOST
from test_flood import is_sanitized, most_memory
from test_login import mount_at, serve  # noqa: F401 (a fixture)

# This module has a server of its own, neither Prosody nor ejabberd.
pytestmark = pytest.mark.once

# src/xmpp/roster.h
MAX_CONTACTS = 32768
MAX_RESOURCES = 256

CONTACT = f"bob@{HOST}"
numbers = itertools.count(1)


@pytest.fixture
def at(lab: Lab, serve: Callable[..., LoginServer]) -> Iterator[Callable]:  # noqa: F811
    """Mounts at a server that says what a test wants."""
    mounts: list[Mount] = []

    def start(roster: list[str], options: str = "") -> tuple[Mount, LoginServer]:
        server = serve(roster=[f"<item jid='{jid}' subscription='both'/>" for jid in roster])
        mount = mount_at(lab, server)
        mount.options = options
        mounts.append(mount.start())
        return mounts[-1], server

    yield start
    for mount in mounts:
        mount.stop()
        mount.remove_left_over()


def is_through(mount: Mount, server: LoginServer) -> None:
    """Waits until the mount has handled everything that was sent."""
    resource = f"seen{next(numbers)}"
    server.client.send(f"<presence from='{CONTACT}/{resource}'><priority>9</priority></presence>")
    mount.wait_online(f"{CONTACT}/{resource}")


def presences(first: int, count: int, length: int) -> str:
    """Presence of that many resources, with names of that length."""
    return "".join(
        f"<presence from='{CONTACT}/{i:0{length}}'/>" for i in range(first, first + count)
    )


def resources(mount: Mount) -> list[str]:
    """As ls -l lists them."""
    begun = time.monotonic()
    folder = mount.contact(CONTACT)
    found = [name for name in os.listdir(folder) if (folder / name).is_dir()]
    assert time.monotonic() - begun < 10
    return sorted(set(found) - {"in"})


@pytest.mark.parametrize(
    "count", [20_000, pytest.param(300_000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
@pytest.mark.parametrize("length", [200, 1000])
def test_resources_of_one_contact(at: Callable, count: int, length: int) -> None:
    """The latest ones are listed; no name of a directory has 1000 characters."""
    mount, server = at([CONTACT])
    is_through(mount, server)
    memory = most_memory(mount)
    count = count // 10 if is_sanitized(mount) else count
    for first in range(0, count, 1000):
        server.client.send(presences(first, 1000, length))
    is_through(mount, server)
    found = resources(mount)
    if length == 200:
        assert len(found) == MAX_RESOURCES
        assert f"{count - 1:0200}" in found
    if not is_sanitized(mount):
        assert most_memory(mount) - memory < 3 * MEBIBYTE
    server.client.send(f"<presence from='{CONTACT}' type='unavailable'/>")
    poll_until(lambda: resources(mount) == [], what="all are offline")


def test_a_roster_of_100_000(at: Callable) -> None:
    """Contacts beyond the limit have no directory. The others are there at once."""
    begun = time.monotonic()
    jids = [CONTACT, *(f"contact{i}@{HOST}" for i in range(100_000))]
    mount, server = at(jids)
    mounted = time.monotonic()
    names = os.listdir(mount.path)
    assert len(names) == MAX_CONTACTS + len(("incoming", "status"))
    assert set(names) >= set(jids[: MAX_CONTACTS - 1])
    # Their presences, and whatever else the server says of them.
    for first in range(0, 20_000, 1000):
        server.client.send(
            "".join(f"<presence from='{jid}/r'/>" for jid in jids[first : first + 1000])
        )
    is_through(mount, server)
    assert (mount.path / jids[20] / "r").is_dir()
    assert not (mount.path / jids[-1]).exists()
    if not is_sanitized(mount):
        assert mounted - begun < 20
        assert time.monotonic() - mounted < 20
        assert most_memory(mount) < 110 * MEBIBYTE
    (mount.path / jids[-1]).mkdir()  # whoever is needed can be there
    assert (mount.path / jids[-1] / "in").is_dir()


ENDLESS = {
    "text": ("<message from='{0}'><body>", "x" * 65536, "</body></message>"),
    "lines": ("<message from='{0}'><body>", "x\n" * 32768, "</body></message>"),
    "elements": ("<iq type='result' from='{0}'>", "<a/>" * 16384, "</iq>"),
    "attributes": ("<iq type='result'>", f"<a b='{'x' * 65000}'/>", "</iq>"),
    "names": ("<iq type='result'>", f"<{'x' * 65000}/>", "</iq>"),
}


@pytest.mark.parametrize("size", [20, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("shape", ENDLESS)
def test_a_stanza_without_an_end(at: Callable, shape: str, size: int) -> None:
    """MiB of one stanza; the next one is handled."""
    mount, server = at([CONTACT])
    is_through(mount, server)
    memory = most_memory(mount)
    begin, piece, end = ENDLESS[shape]
    server.client.send(begin.format(f"{USER}@{HOST}"))
    for _ in range(size * MEBIBYTE // len(piece)):
        server.client.send(piece)
    server.client.send(end)
    is_through(mount, server)
    assert server.logins == 1
    if not is_sanitized(mount):
        assert most_memory(mount) - memory < 8 * MEBIBYTE


TAGS = {
    "attribute": "<message to='",
    "name": "<",
    "end": "<message></",
    "comment": "<!--",
}


def send_endless(client: Connection, beginning: str) -> None:
    with contextlib.suppress(OSError):
        client.send(beginning)
        for _ in range(20 * 16):
            client.send("x" * 65536)


@pytest.mark.parametrize("shape", TAGS)
def test_a_tag_without_an_end(lab: Lab, at: Callable, shape: str) -> None:
    """It ends the connection, and ibbfs connects again."""
    mount, server = at([CONTACT])
    is_through(mount, server)
    memory = most_memory(mount)
    broken = server.client
    # Nobody waits for its end: the kernel may hold what nobody reads any more for a minute.
    lab.background(send_endless, broken, TAGS[shape])
    poll_until(lambda: server.client is not broken, what="connected again")
    mount.wait_connected()
    is_through(mount, server)
    if not is_sanitized(mount):
        assert most_memory(mount) - memory < 12 * MEBIBYTE
