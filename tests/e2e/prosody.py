#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A throw-away Prosody on loopback: private folder, free ports, own CA, accounts as files.

Accounts and rosters are files that Prosody reads when somebody logs in, so a test can add its own
while the server runs. As a program, `prosody.py FOLDER USER...` prepares such a folder, with every
user on the roster of every other, and prints the port; whoever called runs
`prosody -F --config FOLDER/prosody.cfg.lua` then.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HOST = "localhost"

CONFIG = """\
run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
certificates = "{folder}"
log = {{ info = "{folder}/prosody.log" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
c2s_direct_tls_ports = {{ {direct_port} }}
s2s_ports = {{}}
c2s_require_encryption = false
authentication = "internal_plain"
storage = "internal"
modules_enabled = {{ "roster", "saslauth", "tls", "disco", "ping", "posix" }}
VirtualHost "{host}"
    ssl = {{ certificate = "{folder}/server.crt", key = "{folder}/server.key" }}
"""


@dataclass(frozen=True)
class Account:
    jid: str
    password: str

    @property
    def user(self) -> str:
        return self.jid.split("@")[0]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listened on a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def openssl(*args: str) -> None:
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def make_certificates(folder: Path, host: str = HOST) -> None:
    """ca.crt, and server.crt for `host` that it signed."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    names = ["-keyout", f"{folder}/server.key", "-out", f"{folder}/server.csr"]
    ca, ca_key = f"{folder}/ca.crt", f"{folder}/ca.key"
    server = f"{folder}/server"
    openssl(
        *["req", "-x509", *key, "-days", "2", "-subj", "/CN=ibbfs test CA"],
        *["-addext", "basicConstraints=critical,CA:TRUE", "-keyout", ca_key, "-out", ca],
    )
    openssl("req", *key, "-subj", f"/CN={host}", *names)
    (folder / "server.ext").write_text(f"subjectAltName=DNS:{host}\nbasicConstraints=CA:FALSE\n")
    openssl(
        *["x509", "-req", "-in", f"{server}.csr", "-CA", ca, "-CAkey", ca_key, "-set_serial", "1"],
        *["-days", "2", "-extfile", f"{server}.ext", "-out", f"{server}.crt"],
    )


class Prosody:
    def __init__(self, folder: Path):
        self.folder = folder
        self.process: subprocess.Popen | None = None
        self.port, self.direct_port = free_ports(2)
        folder.mkdir(parents=True, exist_ok=True)
        for kind in ("accounts", "roster"):
            (folder / "data" / HOST / kind).mkdir(parents=True)
        make_certificates(folder)
        self.config.write_text(
            CONFIG.format(folder=folder, port=self.port, direct_port=self.direct_port, host=HOST)
        )

    @property
    def config(self) -> Path:
        return self.folder / "prosody.cfg.lua"

    @property
    def cafile(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def log(self) -> str:
        path = self.folder / "prosody.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Returns when both ports can be connected to."""
        with open(self.folder / "prosody.out", "ab") as out:
            self.process = subprocess.Popen(
                ["prosody", "-F", "--config", self.config],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        deadline = time.monotonic() + 30
        for port in (self.port, self.direct_port):
            while not self._listens(port):
                assert self.process.poll() is None, f"Prosody ended:\n{self.log}"
                assert time.monotonic() < deadline, f"Prosody does not listen:\n{self.log}"
                time.sleep(0.02)

    @staticmethod
    def _listens(port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def add_account(self, user: str, contacts: tuple[str, ...] = ()) -> Account:
        """Makes an account whose roster holds the JIDs `contacts`; both sides need it."""
        account = Account(f"{user}@{HOST}", secrets.token_hex(8))
        data = self.folder / "data" / HOST
        (data / "accounts" / f"{user}.dat").write_text(
            f'return {{ ["password"] = "{account.password}"; }};\n'
        )
        item = '["{}"] = {{ ["subscription"] = "both"; ["groups"] = {{}}; }};\n'
        items = "".join(item.format(jid) for jid in contacts)
        (data / "roster" / f"{user}.dat").write_text(
            f'return {{ [false] = {{ ["version"] = 1; ["pending"] = {{}}; }};\n{items} }};\n'
        )
        return account


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
