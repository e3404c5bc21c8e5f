# SPDX-License-Identifier: MIT
"""The Prosody of tests/e2e, with the modules that Debian's package enables: some, such as stream
management, make a difference to some clients. Limits, and modules that open more ports, are left
out."""

from __future__ import annotations

from pathlib import Path

import prosody

MODULES = tuple(
    "blocklist bookmarks carbons pep private smacks vcard4 vcard_legacy csi_simple invites"
    " invites_adhoc invites_register register time uptime version admin_adhoc".split()
)


class Prosody(prosody.Prosody):
    def __init__(self, folder: Path):
        super().__init__(folder, modules=MODULES)
