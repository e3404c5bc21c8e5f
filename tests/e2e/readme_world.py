# SPDX-License-Identifier: MIT
"""The world that the README speaks of, in name spaces of its own.

    unshare --mount --net python3 readme_world.py FOLDER PATH_OF_IBBFS

example.org is this machine and runs an XMPP server whose certificate is trusted; /mnt/xmpp is an
empty directory; /home/me is home; alice@example.org, a contact of me@example.org, is online and
mounted at /mnt/alice. The passwords are in FOLDER. Ends as an interactive shell whose prompts are
PROMPT and MORE.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import prosody

HOST = "example.org"
PROMPT, MORE = "@prompt@ ", "@more@ "
FSTAB = "me@example.org  /mnt/xmpp  fuse.ibbfs"


def run(*words: str | Path) -> None:
    subprocess.run(words, check=True)


def cover(folder: Path, path: str, text: str) -> None:
    """Another text in the place of the file at `path`."""
    cover_file = folder / path.strip("/").replace("/", "-")
    cover_file.write_text(text)
    Path(path).touch()
    run("mount", "--bind", cover_file, path)


def start_server(folder: Path) -> prosody.Prosody:
    prosody.HOST = HOST
    server = prosody.Prosody(folder / "server")
    prosody.make_certificates(server.folder, HOST)
    config = server.config.read_text().replace(f"c2s_ports = {{ {server.port} }}", "c2s_ports = { 5222 }")
    server.config.write_text(config)
    server.port = 5222
    server.start()
    return server


def main() -> None:
    folder, ibbfs = Path(sys.argv[1]), Path(sys.argv[2])
    run("mount", "--make-rprivate", "/")
    run("ip", "link", "set", "lo", "up")
    for path in ("/mnt", "/home"):
        run("mount", "-t", "tmpfs", "tmpfs", path)
    for path in ("/mnt/xmpp", "/mnt/alice", "/home/me"):
        os.mkdir(path)
    cover(folder, "/etc/hosts", f"127.0.0.1 localhost {HOST}\n")
    cover(folder, "/etc/resolv.conf", "nameserver 127.0.0.1\n")
    cover(folder, "/etc/fstab", (folder / "fstab").read_text())
    server = start_server(folder)
    os.environ |= {
        "SSL_CERT_FILE": str(server.cafile),
        "PATH": f"{ibbfs.parent}:{os.environ['PATH']}",
        "HOME": "/home/me",
        "PS1": PROMPT,
        "PS2": MORE,
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "200",
    }
    for user, other in (("me", "alice"), ("alice", "me")):
        account = server.add_account(user, (f"{other}@{HOST}",))
        password = folder / f"{user}.password"
        password.touch(mode=0o600)
        password.write_text(account.password + "\n")
    run("ibbfs", "-o", f"password_file={folder}/alice.password", f"alice@{HOST}/laptop", "/mnt/alice")
    os.chdir("/home/me")
    os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])


if __name__ == "__main__":
    main()
