#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A throw-away Prosody on loopback: private folder, free ports, own CA, accounts as files.

Accounts and rosters are files that Prosody reads when somebody logs in, so a test can add its own
while the server runs. As a program, `prosody.py FOLDER USER...` prepares such a folder, with every
user on the roster of every other, and prints the port; the caller then runs `prosody -F --config
FOLDER/prosody.cfg.lua`.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from pathlib import Path

from server import HOST, Account, Server, read_text

CONFIG = """\
run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
certificates = "{folder}"
log = {{ info = "{folder}/prosody.log" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
c2s_direct_tls_ports = {{ {direct_port} }}
c2s_require_encryption = false
authentication = "internal_plain"
storage = "internal"
modules_enabled = {{ "roster", "saslauth", "tls", "disco", "ping", "posix"{modules} }}
{settings}
VirtualHost "{host}"
    ssl = {{
        certificate = "{folder}/server.crt", key = "{folder}/server.key", cafile = "{folder}/ca.crt"
    }}
"""

ALONE = "s2s_ports = {}"
FEDERATED = """\
s2s_ports = {{ {s2s_port} }}
s2s_secure_auth = true
unbound = {{
    resolvconf = false, forward = "127.0.0.1@{resolver}", options = {{
        ["do-not-query-localhost:"] = "no"
    }}
}}
"""

# A setting, for `modules` of ours.
OWN_MODULES = f'plugin_paths = {{ "{Path(__file__).parent}/prosody_modules" }}\n'

LARGEST_STANZA = 10_000  # Prosody's lowest limit
# Arguments of a Prosody with that limit,
SHORT_STANZAS = {
    "modules": ("stream_limits",),
    "settings": f"c2s_stanza_size_limit = {LARGEST_STANZA}\n{OWN_MODULES}",
}
# and of one that says so: nothing is padded there (src/xmpp/session.c, begin_write_buffer).
SAYS_SO = SHORT_STANZAS | {"settings": SHORT_STANZAS["settings"] + "stream_limits_said = true\n"}


class Prosody(Server):
    def __init__(
        self,
        folder: Path,
        host: str = HOST,
        authority: Path | None = None,
        resolver: int | None = None,
        *,
        port: int | None = None,
        modules: tuple[str, ...] = (),
        settings: str = "",
    ):
        """`modules` beside those that every test needs; `settings`: lines of Prosody's language."""
        super().__init__(folder, host, authority, resolver)
        self.port = port or self.port
        for kind in ("accounts", "roster"):
            self._data(kind).mkdir(parents=True)
        s2s = FEDERATED.format(s2s_port=self.s2s_port, resolver=resolver) if resolver else ALONE
        self.config.write_text(
            CONFIG.format(
                folder=folder,
                host=host,
                port=self.port,
                direct_port=self.direct_port,
                modules="".join(f', "{name}"' for name in modules),
                settings=f"{s2s}\n{settings}",
            )
        )

    @property
    def config(self) -> Path:
        return self.folder / "prosody.cfg.lua"

    def command(self) -> list[str]:
        return ["prosody", "-F", "--config", str(self.config)]

    @property
    def log(self) -> str:
        return read_text(self.folder / "prosody.log")

    def add_account(self, user: str, contacts: tuple[str, ...] = ()) -> Account:
        account = Account(f"{user}@{self.host}", secrets.token_hex(8))
        (self._data("accounts") / f"{user}.dat").write_text(
            f'return {{ ["password"] = "{account.password}"; }};\n'
        )
        item = '["{}"] = {{ ["subscription"] = "both"; ["groups"] = {{}}; }};\n'
        items = "".join(item.format(jid.replace("\\", "\\\\")) for jid in contacts)
        (self._data("roster") / f"{user}.dat").write_text(
            f'return {{ [false] = {{ ["version"] = 1; ["pending"] = {{}}; }};\n{items} }};\n'
        )
        return account

    def _data(self, kind: str) -> Path:
        name = self.host.encode()
        host = re.sub(rb"[^0-9A-Za-z]", lambda found: b"%%%02x" % ord(found[0]), name)
        return self.folder / "data" / host.decode() / kind


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    users = sys.argv[2:]
    server = Prosody(folder)
    for user in users:
        account = server.add_account(user, tuple(f"{u}@{HOST}" for u in users if u != user))
        password = os.open(folder / f"{user}.password", os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(password, f"{account.password}\n".encode())
        os.close(password)
    print(server.port)


if __name__ == "__main__":
    main()
