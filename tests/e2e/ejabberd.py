# SPDX-License-Identifier: MIT
"""A throw-away ejabberd on loopback: private folder, free ports, own CA, no other Erlang node.

It is an Erlang node without a name: there is no epmd, no distribution and no cookie, and any
number of them run side by side. Accounts are made while it runs, by its HTTP API on loopback.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import sysconfig
import urllib.error
import urllib.request
from pathlib import Path

from server import HOST, Account, Server, free_ports, read_text

LIBRARIES = f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}"

# The modules are those of Debian's configuration, without those that listen at a port, slow a
# user down, or have nothing to do with clients.
CONFIG = """\
hosts: ["{host}"]
loglevel: info
certfiles: ["{folder}/server.pem"]
ca_file: "{folder}/ca.crt"
listen:
  - {{port: {port}, ip: "127.0.0.1", module: ejabberd_c2s, starttls: true}}
  - {{port: {direct_port}, ip: "127.0.0.1", module: ejabberd_c2s, tls: true}}
  - port: {api_port}
    ip: "127.0.0.1"
    module: ejabberd_http
    request_handlers: {{/api: mod_http_api}}
{s2s}
auth_method: internal
auth_password_format: plain
api_permissions:
  tests:
    from: mod_http_api
    who: {{ip: "127.0.0.1"}}
    what: [register, add_rosteritem, backup]
modules:
  mod_admin_extra: {{}}
  mod_blocking: {{}}
  mod_caps: {{}}
  mod_carboncopy: {{}}
  mod_client_state: {{}}
  mod_disco: {{}}
  mod_http_api: {{}}
  mod_last: {{}}
  mod_offline: {{}}
  mod_ping: {{}}
  mod_privacy: {{}}
  mod_private: {{}}
  mod_roster: {{versioning: true}}
  mod_stream_mgmt: {{resend_on_timeout: if_offline}}
  mod_vcard: {{search: false}}
"""

LISTEN_S2S = """\
  - {{port: {s2s_port}, ip: "127.0.0.1", module: ejabberd_s2s_in}}
s2s_use_starttls: required
s2s_max_retry_delay: 1
"""

# Erlang's settings for name servers.
ASK_NOBODY = '{resolv_conf, ""}. {lookup, [file]}.\n'
ASK = '{{resolv_conf, ""}}. {{lookup, [dns]}}. {{nameserver, {{127, 0, 0, 1}}, {resolver}}}.\n'


class Ejabberd(Server):
    def __init__(
        self,
        folder: Path,
        host: str = HOST,
        authority: Path | None = None,
        resolver: int | None = None,
    ):
        super().__init__(folder, host, authority, resolver)
        (self.api_port,) = free_ports(1)
        pem = [(folder / f"server.{part}").read_text() for part in ("crt", "key")]
        (folder / "server.pem").write_text("".join(pem))
        lookup = ASK.format(resolver=resolver) if resolver else ASK_NOBODY
        (folder / "inetrc").write_text(lookup)
        self.config.write_text(
            CONFIG.format(
                folder=folder,
                host=host,
                port=self.port,
                direct_port=self.direct_port,
                api_port=self.api_port,
                s2s=LISTEN_S2S.format(s2s_port=self.s2s_port) if resolver else "",
            )
        )

    @property
    def config(self) -> Path:
        return self.folder / "ejabberd.yml"

    def command(self) -> list[str]:
        return [
            *["erl", "-noinput", "+S", "2", "+sbwt", "none"],
            *["-mnesia", "dir", f'"{self.folder}/database"', "-s", "ejabberd"],
        ]

    def environment(self) -> dict[str, str]:
        return os.environ | {
            "EJABBERD_CONFIG_PATH": str(self.config),
            "EJABBERD_LOG_PATH": str(self.folder / "ejabberd.log"),
            "ERL_INETRC": str(self.folder / "inetrc"),
            "ERL_LIBS": LIBRARIES,
            "ERL_CRASH_DUMP_BYTES": "0",
            "HOME": str(self.folder),
        }

    @property
    def log(self) -> str:
        return read_text(self.folder / "ejabberd.log")

    def start(self) -> None:
        self._log_before = len(self.log)
        super().start()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """The database writes seconds later. A backup makes it write everything first, so that
        accounts outlive SIGKILL."""
        if self.process and how == signal.SIGKILL:
            self._call("backup", file=str(self.folder / "backup"))
        super().stop(how)

    def is_ready(self) -> bool:
        """It listens long before it serves."""
        return "is started in the node" in self.log[self._log_before :]

    def add_account(self, user: str, contacts: tuple[str, ...] = ()) -> Account:
        account = Account(f"{user}@{self.host}", secrets.token_hex(8))
        self._call("register", user=user, host=self.host, password=account.password)
        for jid in contacts:
            name, host = jid.split("@")
            self._call(
                "add_rosteritem",
                **{"localuser": user, "localhost": self.host, "user": name, "host": host},
                **{"nick": "", "group": "", "subs": "both"},
            )
        return account

    def _call(self, command: str, **arguments: str) -> None:
        """Uses the first version of the API: old servers have no other."""
        try:
            self._post(f"{command}/v0", arguments)
        except urllib.error.HTTPError as error:
            if error.code != 400:  # of a path that it does not know
                raise
            self._post(command, arguments)

    def _post(self, path: str, arguments: dict[str, str]) -> None:
        url = f"http://127.0.0.1:{self.api_port}/api/{path}"
        with urllib.request.urlopen(url, json.dumps(arguments).encode(), timeout=60) as answer:
            assert answer.status == 200, answer.read()
