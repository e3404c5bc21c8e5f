# SPDX-License-Identifier: MIT
"""slixmpp for all its users here: imported without its warning, and connected."""

from __future__ import annotations

import inspect
import logging

logging.getLogger("slixmpp.stringprep").setLevel(logging.ERROR)  # "Using slower stringprep"
import slixmpp  # noqa: E402

TAKES_HOST = "host" in inspect.signature(slixmpp.ClientXMPP.connect).parameters


def connect(client: slixmpp.ClientXMPP, address: str, port: int) -> None:
    """Connects to an IP address: slixmpp's own resolver finds no localhost."""
    if TAKES_HOST:
        client.connect(address, port)
    else:  # before 1.9
        client.connect((address, port))
