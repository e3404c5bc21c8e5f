# SPDX-License-Identifier: MIT
"""The environment that README, man page and docs/questions.md describe, in name spaces of its own.

    unshare --mount --net python3 readme_world.py FOLDER PATH_OF_IBBFS

example.org is this machine and runs an XMPP server whose certificate is trusted; /mnt/xmpp is an
empty directory; /home/me is home; alice@example.org, a contact of me@example.org, is online and
mounted at /mnt/alice. ibbfs is installed. FOLDER holds the passwords, fstab, and settings of
Prosody. It then runs an interactive shell, whose prompts are PROMPT and MORE. The shell's user is
root, and there is a user `me`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from prosody import Prosody

HOST = "example.org"
PROMPT, MORE = "@prompt@ ", "@more@ "


def run(*words: str | Path) -> None:
    subprocess.run(words, check=True)


def furnish_etc(folder: Path) -> None:
    """A copy of /etc, in which example.org is here and its mount in fstab, with a user `me`."""
    etc = folder / "etc"
    run("cp", "-a", "/etc", etc)
    texts = {
        "hosts": f"127.0.0.1 localhost {HOST}\n",
        "resolv.conf": "nameserver 127.0.0.1\n",
        "fstab": (folder / "fstab").read_text(),
    }
    for name, text in texts.items():
        (etc / name).unlink(missing_ok=True)
        (etc / name).write_text(text)
    with open(etc / "passwd", "a") as passwd:
        passwd.write("me:x:4711:4711::/home/me:/bin/sh\n")
    run("mount", "--bind", etc, "/etc")


def furnish_commands(ibbfs: Path) -> None:
    """ibbfs as it is installed, and a sudo that has nothing to do."""
    folder = Path("/usr/local/bin")
    shutil.copy(ibbfs, folder)
    (folder / "mount.ibbfs").symlink_to("ibbfs")
    sudo = folder / "sudo"
    sudo.write_text('#!/bin/sh\nexec "$@"\n')
    sudo.chmod(0o755)


def main() -> None:
    folder, ibbfs = Path(sys.argv[1]), Path(sys.argv[2])
    run("mount", "--make-rprivate", "/")
    run("ip", "link", "set", "lo", "up")
    for path in ("/mnt", "/home", "/usr/local/bin"):
        run("mount", "-t", "tmpfs", "tmpfs", path)
    for path in ("/mnt/xmpp", "/mnt/alice", "/home/me"):
        os.mkdir(path)
    furnish_commands(ibbfs)
    furnish_etc(folder)
    settings = (folder / "prosody.lua").read_text()
    server = Prosody(folder / "server", HOST, port=5222, modules=("limits",), settings=settings)
    server.start()
    shutil.copy(server.cafile, "/etc/ca.crt")  # where every user can read it
    os.environ |= {
        "SSL_CERT_FILE": "/etc/ca.crt",
        "USER": "root",
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
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
    password_file = f"password_file={folder}/alice.password"
    run("ibbfs", "-o", password_file, f"alice@{HOST}/laptop", "/mnt/alice")
    # mount.fuse3 sets HOME to that of root. The checkout may be there, and is not needed any more.
    run("mount", "--bind", "/home/me", "/root")
    os.chdir("/home/me")
    # The shell does not replace this process: Prosody must not get the shell's Ctrl-C.
    subprocess.run(["bash", "--norc", "--noprofile", "--noediting", "-i"])


if __name__ == "__main__":
    main()
