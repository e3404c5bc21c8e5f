# SPDX-License-Identifier: MIT
"""docs/interop.md: what the trials have found, and nothing else."""

from __future__ import annotations

from trials import CLIENTS, SIZE, Result

HEAD = """\
# Which clients ibbfs reaches

`scripts/interop` has written this; it runs the clients, sends a file of {size} bytes each way, and
compares what arrives. The clients are those of Debian, as they come: Dino and Gajim in a window,
Libervia from the command line, and programs of a few lines that use the libraries QXmpp, libpurple
(which Pidgin and Finch are made of), gloox and slixmpp (tests/peers).

## To a client

`cp FILE /mnt/xmpp/CONTACT/`. The format that ibbfs chooses by itself is **bold**; the others were
asked for with `setfattr -n user.ibb.format`.

"""
MIDDLE = """\

* arrives: the same bytes are there. `unconfirmed` is `user.ibb.state` where the client has said
  nothing: by SI no client does, there is no word for it.
* lost: it has acknowledged every byte and saved none. `unconfirmed` is all that tells.
* What follows `cp:` is its error message.

## From a client

`cp /mnt/xmpp/CONTACT/in/NAME FILE`, in the format that the client has chosen.

"""


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def heading(*cells: str) -> str:
    return row(*cells) + row(*("---" for _ in cells))


def text(results: list[Result]) -> str:
    parts = [HEAD.format(size=SIZE), heading("client", "version", "format", "result")]
    ordered = sorted(results, key=lambda r: list(CLIENTS).index(r.client))
    for result in ordered:
        if not result.sends:
            form = f"**{result.form}**" if result.chosen else result.form
            parts.append(row(result.client, result.version, form, result.text))
    parts += [MIDDLE, heading("client", "version", "format", "result")]
    for result in ordered:
        if result.sends:
            parts.append(row(result.client, result.version, result.form, result.text))
    return "".join(parts)
