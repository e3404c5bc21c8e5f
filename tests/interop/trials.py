# SPDX-License-Identifier: MIT
"""One file in one direction with one client, and the result."""

from __future__ import annotations

import contextlib
import os
import subprocess
import traceback
from dataclasses import dataclass
from pathlib import Path

from daemon import Mount, poll_until
from libraries import Gloox, Libpurple, Library, QXmpp, Slixmpp
from people import Dino, Gajim, Libervia, Person, PsiPlus
from world import World, digest

CLIENTS: dict[str, type[Person] | type[Library]] = {
    "Dino": Dino,
    "Gajim": Gajim,
    "Libervia": Libervia,
    "Psi+": PsiPlus,
    "QXmpp": QXmpp,
    "libpurple": Libpurple,
    "gloox": Gloox,
    "slixmpp": Slixmpp,
}
FORMATS = ("raw", "si", "jingle")
SIZE = 100_000
OPTIONS = "timeout=10,answer_timeout=40"
LONGEST_S = 120
OFFER_S = 40
NO_VERSION = NO_FORMAT = "-"


@dataclass
class Result:
    client: str
    version: str
    sends: bool  # the client does
    form: str
    chosen: bool  # by ibbfs, if nobody says which
    text: str


def version_of(packages: tuple[str, ...]) -> str:
    """The version of the first package that is installed: Debian's, without Debian's suffix; or
    NO_VERSION."""
    for package in packages:
        words = ["dpkg-query", "-W", "-f", "${Version}", package]
        version = subprocess.run(words, capture_output=True, text=True).stdout
        if version:
            return version.split(":")[-1].rsplit("-", 1)[0]
    return NO_VERSION


def attribute(path: Path, name: str) -> str:
    return os.getxattr(path, f"user.ibb.{name}").decode()


def give(mount: Mount, client: Person | Library, source: Path) -> str:
    """From ibbfs to the client."""
    target = mount.contact(client) / source.name
    copy = subprocess.run(
        ["timeout", str(LONGEST_S), "cp", source, target],
        capture_output=True,
        text=True,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )
    if copy.returncode:
        why = "`cp`: " + copy.stderr.strip().rsplit(": ", 1)[-1] if copy.stderr else "`cp` hangs"
        if client.has_crashed():
            return f"**it crashes**; {why}"
        return f"{why}; `unconfirmed`" if state_of(target) == "unconfirmed" else why
    state = state_of(target)
    with contextlib.suppress(AssertionError):
        poll_until(lambda: client.has(source), 10, "the file at the other end")
    fate = "arrives" if client.has(source) else "**lost**, though `cp` succeeds"
    return fate if state == "finished" else f"{fate}; `{state}`"


def state_of(target: Path) -> str:
    """Empty if the name does not exist."""
    try:
        return attribute(target, "state")
    except OSError:
        return ""


def format_of(mount: Mount, client: Person | Library, source: Path) -> str:
    """The format in which a file was sent; its name exists for a minute."""
    try:
        return attribute(mount.contact(client) / source.name, "format")
    except OSError:
        return NO_FORMAT


def take(mount: Mount, client: Person | Library, source: Path) -> tuple[str, str]:
    """From the client to ibbfs: the format that the client has chosen, and the result."""
    folder = mount.incoming(client).parent
    client.send(source, mount)

    def arrived() -> list[str]:
        return [name for name in os.listdir(folder) if name != "next"]

    try:
        (name,) = poll_until(arrived, OFFER_S, "an offer")
    except AssertionError:
        return NO_FORMAT, "offers nothing that ibbfs takes"
    form = attribute(folder / name, "format")
    copy = mount.beside(".copy")
    read = subprocess.run(
        ["timeout", str(LONGEST_S), "cp", folder / name, copy],
        capture_output=True,
        text=True,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )
    if read.returncode:
        why = read.stderr.strip().rsplit(": ", 1)[-1] if read.stderr else "hangs"
        return form, f"`cp`: {why}"
    if digest(copy) != digest(source):
        return form, "**corrupt**"
    try:
        poll_until(lambda: client.says_sent() is not False, 10, "a word of the client")
    except AssertionError:
        return form, "arrives, though it says that it failed"
    return form, "arrives"


def trials_of(name: str, world: World) -> list[Result]:
    """A client that cannot be run has its rows, too."""
    version = version_of(CLIENTS[name].packages)
    if version == NO_VERSION:
        why = f"not run: the system does not have it ({CLIENTS[name].packages[0]})"
    else:
        try:
            return run_trials(name, version, world)
        except Exception as error:  # after any error, the others are run
            traceback.print_exc()
            why = " ".join(f"not run: {error}".replace("|", "/").splitlines()[:1])
    return [Result(name, version, sends, NO_FORMAT, False, why) for sends in (True, False)]


def run_trials(name: str, version: str, world: World) -> list[Result]:
    kind = CLIENTS[name]
    results = []
    user = "".join(filter(str.isalnum, name.lower()))
    with contextlib.ExitStack() as stack:
        here, there = world.accounts("me", user)
        mount = world.mount(here, stack, OPTIONS)
        client = kind(world, there, stack)
        client.meet(mount)
        poll_until((mount.path / client.jid).is_dir, 180, f"{name} online")
        with contextlib.suppress(AssertionError):  # some query features only when they send
            poll_until(lambda: world.has_told_features(mount, client.jid), 5)
        out = world.random_file(f"from-{user}.bin", SIZE)
        form, text = take(mount, client, out)
        results.append(Result(name, version, True, form, False, text))
        source = world.random_file(f"to-{user}.bin", SIZE)
        given_by_itself = give(mount, client, source)
        chosen = format_of(mount, client, source)
        given = {chosen: given_by_itself}
        for form in FORMATS:
            if form != chosen:
                source = world.random_file(f"to-{user}-{form}.bin", SIZE)
                os.setxattr(mount.contact(client), "user.ibb.format", form.encode())
                given[form] = give(mount, client, source)
            results.append(Result(name, version, False, form, form == chosen, given[form]))
        if chosen not in FORMATS:
            results.append(Result(name, version, False, NO_FORMAT, True, given_by_itself))
    return results
