# SPDX-License-Identifier: MIT
"""A throw-away jabberd2 on loopback: private folder, free ports, own CA, accounts in SQLite.

It is three processes: the router, the session manager and the one that clients connect to, which
has Debian's limit of stanzas. The database has only the tables that the modules below ask for.
"""

from __future__ import annotations

import secrets
import shutil
import signal
import sqlite3
import subprocess
import sysconfig
import time
from pathlib import Path

from server import HOST, Account, Server, free_ports, listens, read_text

LIBRARIES = f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}/jabberd2"
PARTS = ("router", "sm", "c2s")
LONGEST_STANZA = 65_535

COMMON = """\
<id>{part}</id>
<log type='stdout'/>
<router>
  <ip>127.0.0.1</ip><port>{router_port}</port><user>jabberd</user><pass>{secret}</pass>
  <retry><init>50</init><lost>3</lost><sleep>1</sleep></retry>
</router>
"""

ROUTER = """\
<router>
<id>router</id>
<log type='stdout'/>
<local><ip>127.0.0.1</ip><port>{router_port}</port><users>{folder}/users.xml</users></local>
<aci><acl type='all'><user>jabberd</user></acl></aci>
</router>
"""

USERS = "<users><user><name>jabberd</name><secret>{secret}</secret></user></users>\n"

SM = """\
<sm>
{common}
<local><id>{host}</id></local>
<storage>
  <path>{libraries}</path><driver>sqlite</driver>
  <sqlite><dbname>{folder}/database</dbname><busy-timeout>5000</busy-timeout></sqlite>
</storage>
<modules>
  <path>{libraries}</path>
  <chain id='in-sess'>
    <module>validate</module><module>roster</module><module>iq-ping</module>
    <module>disco</module><module>presence</module><module>deliver</module>
  </chain>
  <chain id='out-sess'/>
  <chain id='in-router'><module>session</module><module>validate</module>
    <module>presence</module><module>deliver</module>
  </chain>
  <chain id='out-router'/>
  <chain id='pkt-sm'><module>iq-ping</module><module>disco</module></chain>
  <chain id='pkt-user'><module>roster</module><module>presence</module>
    <module>deliver</module>
  </chain>
  <chain id='pkt-router'><module>session</module><module>disco</module></chain>
  <chain id='user-load'><module>active</module><module>roster</module></chain>
  <chain id='user-unload'/>
  <chain id='user-create'><module>active</module></chain>
  <chain id='user-delete'/>
  <chain id='disco-extend'><module>iq-ping</module></chain>
</modules>
</sm>
"""

C2S = """\
<c2s>
{common}
<local>
  <id realm='{host}' pemfile='{folder}/server.pem'>{host}</id>
  <ip>127.0.0.1</ip><port>{port}</port>
  <ssl-port>{direct_port}</ssl-port><pemfile>{folder}/server.pem</pemfile>
</local>
<io><limits><stanzasize>{limit}</stanzasize></limits></io>
<authreg>
  <path>{libraries}</path><module>sqlite</module>
  <mechanisms><sasl><plain/></sasl></mechanisms>
  <ssl-mechanisms><sasl><plain/></sasl></ssl-mechanisms>
  <sqlite>
    <dbname>{folder}/database</dbname><busy-timeout>5000</busy-timeout>
    <password_type><plaintext/></password_type>
  </sqlite>
</authreg>
</c2s>
"""

SCHEMA = """\
CREATE TABLE authreg (username TEXT, realm TEXT, password TEXT);
CREATE TABLE active ("collection-owner" TEXT, "object-sequence" INTEGER PRIMARY KEY, time INTEGER);
CREATE TABLE "roster-items" ("collection-owner" TEXT, "object-sequence" INTEGER PRIMARY KEY,
    jid TEXT, name TEXT, "to" BOOLEAN, "from" BOOLEAN, ask INTEGER);
CREATE TABLE "roster-groups" ("collection-owner" TEXT, "object-sequence" INTEGER PRIMARY KEY,
    jid TEXT, "group" TEXT);
"""


def is_installed() -> bool:
    return all(shutil.which(f"jabberd2-{part}") for part in PARTS)


class Jabberd2(Server):
    def __init__(self, folder: Path, host: str = HOST):
        super().__init__(folder, host)
        (router_port,) = free_ports(1)
        self.others: list[subprocess.Popen] = []
        pem = [(folder / f"server.{part}").read_text() for part in ("crt", "key")]
        (folder / "server.pem").write_text("".join(pem))
        values = {
            **{"folder": folder, "host": host, "libraries": LIBRARIES, "limit": LONGEST_STANZA},
            **{"port": self.port, "direct_port": self.direct_port, "router_port": router_port},
            **{"secret": secrets.token_hex(8)},
        }
        for part, text in zip(PARTS, (ROUTER, SM, C2S)):
            common = COMMON.format(part=part, **values)
            (folder / f"{part}.xml").write_text(text.format(common=common, **values))
        (folder / "users.xml").write_text(USERS.format(**values))
        with self._database() as database:
            database.executescript(SCHEMA)
        self.router_port = router_port

    def _database(self) -> sqlite3.Connection:
        return sqlite3.connect(self.folder / "database", timeout=20)

    def command(self) -> list[str]:
        return ["jabberd2-c2s", "-c", str(self.folder / "c2s.xml")]

    def start(self) -> None:
        for part in ("router", "sm"):
            with open(self.folder / "server.out", "ab") as out:
                command = [f"jabberd2-{part}", "-c", str(self.folder / f"{part}.xml")]
                self.others.append(
                    subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
                )
            deadline = time.monotonic() + 60
            while part == "router" and not listens(self.router_port):
                assert time.monotonic() < deadline, f"no router:\n{self.log}"
                time.sleep(0.02)
        super().start()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        super().stop(how)
        while self.others:
            process = self.others.pop()
            process.send_signal(how)
            process.wait(10)

    @property
    def log(self) -> str:
        return read_text(self.folder / "server.out")

    def add_account(self, user: str, contacts: tuple[str, ...] = ()) -> Account:
        account = Account(f"{user}@{self.host}", secrets.token_hex(8))
        with self._database() as database:
            database.execute(
                "INSERT INTO authreg VALUES (?, ?, ?)", (user, self.host, account.password)
            )
            database.execute(
                'INSERT INTO active ("collection-owner", time) VALUES (?, ?)',
                (account.jid, int(time.time())),
            )
            for jid in contacts:
                database.execute(
                    'INSERT INTO "roster-items" ("collection-owner", jid, name, "to", "from", ask)'
                    " VALUES (?, ?, '', 1, 1, 0)",
                    (account.jid, jid),
                )
        return account
