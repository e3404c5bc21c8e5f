# SPDX-License-Identifier: MIT
"""docs/interop.md: the results of the trials on each system, and nothing else.

A system is known by the versions of the clients that it has: the first table of the page has one
row for each. A run replaces the rows of the system of which it has at least half of the versions,
and keeps those of the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from trials import CLIENTS, NO_VERSION, OFFER_S, SIZE, Result

System = dict[str, str]  # versions, by client

HEAD = """\
# Which clients ibbfs reaches

`scripts/interop` writes this page. It runs the clients, sends a file of {size} bytes each way, and
compares what arrives. The clients are those of Debian, unchanged: Dino, Gajim and Psi+ in a window,
Libervia from the command line, and small programs (`tests/peers`) that use the libraries QXmpp,
libpurple (the library of Pidgin and Finch), gloox and slixmpp.

Each line is a system on which they were tried, with its versions of the clients:

"""
TO = """\

## To a client

`cp FILE /mnt/xmpp/CONTACT/`. The format that ibbfs chooses by itself is **bold**. The others were
set with `setfattr -n user.ibb.format`. **-** means that ibbfs chooses no format, as the client
announces none.

"""
MIDDLE = """\

* arrives: the client has saved the same bytes. `unconfirmed` is `user.ibb.state` where the client
  has not confirmed the file. By SI no client confirms a file, as SI has no confirmation.
* `cp` fails, and `unconfirmed`: the client has acknowledged every byte by Jingle, and has not
  confirmed the file. Dino saves none.
* lost: `cp` has succeeded, and the client has not saved the file.
* it crashes: the process of the client has ended.
* The text after `cp:` is the error message of `cp`.

## From a client

`cp /mnt/xmpp/CONTACT/in/NAME FILE`, in the format that the client has chosen.

"""
FOOT = """\

* offers nothing that ibbfs takes: no offer came within {patience_s} s. Gajim 2 sends files only by
  HTTP upload. Psi+ 1.4.1456 prepares an offer by Jingle over SOCKS5, and does not send it here.
"""
RESULT_COLUMNS = ("client", "version", "format", "result")


@dataclass
class Page:
    systems: list[System] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)

    def replace(self, results: list[Result]) -> None:
        """`results` are all of one system."""
        here = {result.client: result.version for result in results}
        known = {name: version for name, version in here.items() if version != NO_VERSION}
        shared = [len(known.items() & system.items()) for system in self.systems]
        if known and 2 * max(shared, default=0) >= len(known):
            del self.systems[shared.index(max(shared))]
        elsewhere = {version for system in self.systems for version in system.items()}
        kept = elsewhere - here.items()
        self.results = [r for r in self.results if (r.client, r.version) in kept] + results
        self.systems.append(here)

    def text(self) -> str:
        systems = sorted(self.systems, key=lambda s: [natural(s.get(name, "")) for name in CLIENTS])
        parts = [HEAD.format(size=SIZE), heading(*CLIENTS)]
        parts += [row(*(system.get(name, "-") for name in CLIENTS)) for system in systems]
        # Stable: formats stay in the order in which they were tried.
        results = sorted(
            self.results, key=lambda r: (list(CLIENTS).index(r.client), natural(r.version))
        )
        parts += [TO, heading(*RESULT_COLUMNS)]
        for result in results:
            if not result.sends:
                form = f"**{result.form}**" if result.chosen else result.form
                parts.append(row(result.client, result.version, form, result.text))
        parts += [MIDDLE, heading(*RESULT_COLUMNS)]
        for result in results:
            if result.sends:
                parts.append(row(result.client, result.version, result.form, result.text))
        parts.append(FOOT.format(patience_s=OFFER_S))
        return "".join(parts)


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def heading(*cells: str) -> str:
    return row(*cells) + row(*("---" for _ in cells))


def natural(version: str) -> list[tuple[int, str]]:
    """For sorting: 1.10 comes after 1.9."""
    return [(int(digits or 0), other) for digits, other in re.findall(r"(\d+)|(\D+)", version)]


def tables(text: str) -> Iterator[list[dict[str, str]]]:
    """The rows of each table, by the names of its columns."""
    for block in re.findall(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE):
        lines = [line[2:-2].split(" | ") for line in block.splitlines()]
        yield [dict(zip(lines[0], cells)) for cells in lines[2:]]


def parse(text: str) -> Page:
    """Reads the text that Page.text has written."""
    page = Page()
    for number, rows in enumerate(tables(text)):
        if number == 0:
            page.systems = rows
            continue
        for cells in rows:
            form = cells["format"].strip("*")
            page.results.append(
                Result(
                    cells["client"],
                    cells["version"],
                    number == 2,
                    form,
                    form != cells["format"],
                    cells["result"],
                )
            )
    return page
