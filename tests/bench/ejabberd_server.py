# SPDX-License-Identifier: MIT
"""A throw-away ejabberd on loopback, with the interface of tests/e2e/prosody.py: private folder,
free port, own CA. The modules are those of Debian's package as far as they see stanzas of clients;
there are no shapers.

It runs as a node without a name, so there is no epmd and nobody else's node in the way. Accounts
are made by lines on its standard input; when that ends, so does the server.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sysconfig
from pathlib import Path

from prosody import HOST, Account, free_ports, make_certificates

CONFIG = """\
loglevel: warning
hosts: ["{host}"]
certfiles: ["{folder}/server.pem"]
auth_method: internal
auth_password_format: plain
listen:
  - port: {port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    starttls_required: true
modules:
  mod_adhoc: {{}}
  mod_blocking: {{}}
  mod_caps: {{}}
  mod_carboncopy: {{}}
  mod_client_state: {{}}
  mod_disco: {{}}
  mod_last: {{}}
  mod_offline: {{}}
  mod_ping: {{}}
  mod_privacy: {{}}
  mod_private: {{}}
  mod_pubsub:
    plugins: [flat, pep]
  mod_roster:
    versioning: true
  mod_shared_roster: {{}}
  mod_stream_mgmt:
    resend_on_timeout: if_offline
  mod_vcard: {{}}
  mod_vcard_xupdate: {{}}
  mod_version: {{}}
"""

# Serves lines "register USER PASSWORD [CONTACT...]", the contacts being users, each with "done".
LOOP = """\
{{ok, _}} = application:ensure_all_started(ejabberd),
Host = <<"{host}">>,
Loop = fun Loop() ->
    case io:get_line("") of
        eof -> init:stop();
        Line ->
            [<<"register">>, User, Password | Contacts] =
                string:lexemes(string:trim(unicode:characters_to_binary(Line)), " "),
            ok = ejabberd_auth:try_register(User, Host, Password),
            [ok = mod_admin_extra:add_rosteritem(
                User, Host, Contact, Host, Contact, <<>>, <<"both">>) || Contact <- Contacts],
            io:put_chars("done\\n"),
            Loop()
    end
end,
io:put_chars("ready\\n"),
spawn(Loop).
"""


class Ejabberd:
    def __init__(self, folder: Path):
        self.folder = folder
        self.process: subprocess.Popen | None = None
        (self.port,) = free_ports(1)
        folder.mkdir(parents=True, exist_ok=True)
        make_certificates(folder)
        pem = self.folder / "server.pem"
        pem.touch(mode=0o600)
        pem.write_text((folder / "server.crt").read_text() + (folder / "server.key").read_text())
        self.config.write_text(CONFIG.format(folder=folder, port=self.port, host=HOST))

    @property
    def config(self) -> Path:
        return self.folder / "ejabberd.yml"

    @property
    def cafile(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def log(self) -> str:
        paths = [self.folder / "ejabberd.log", self.folder / "ejabberd.out"]
        return "".join(p.read_text(errors="replace") for p in paths if p.exists())

    def start(self) -> None:
        """Returns when its port can be connected to."""
        environment = os.environ | {
            "ERL_LIBS": f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}",
            "ERL_CRASH_DUMP_BYTES": "0",
            "EJABBERD_CONFIG_PATH": str(self.config),
            "EJABBERD_LOG_PATH": str(self.folder / "ejabberd.log"),
            "HOME": str(self.folder),
        }
        with open(self.folder / "ejabberd.out", "ab") as out:
            self.process = subprocess.Popen(
                ["erl", "-noshell", "-mnesia", "dir", f'"{self.folder}/mnesia"']
                + ["-eval", LOOP.format(host=HOST)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
                env=environment,
                text=True,
                start_new_session=True,  # Ctrl-C is for whoever runs this
            )
        self._expect("ready")

    def _expect(self, word: str) -> None:
        assert self.process and self.process.stdout
        lines = []
        for line in self.process.stdout:
            if line.strip() == word:
                return
            lines.append(line)
        raise AssertionError("ejabberd ended:\n" + "".join(lines) + self.log)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
        self.process = None

    def add_account(self, user: str, contacts: tuple[str, ...] = ()) -> Account:
        """Makes an account whose roster holds the JIDs `contacts`; both sides need it."""
        account = Account(f"{user}@{HOST}", secrets.token_hex(8))
        assert self.process and self.process.stdin
        users = " ".join(jid.split("@")[0] for jid in contacts)
        self.process.stdin.write(f"register {user} {account.password} {users}\n")
        self.process.stdin.flush()
        self._expect("done")
        return account
