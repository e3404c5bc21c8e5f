#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The installed package, as its users use it: each way to mount, to stop, to complete.

scripts/check-package runs it, in a system that it may change.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from booted import SPACES, WORLD  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import Account  # noqa: E402

MNT = Path("/mnt/xmpp")
HOME = Path("/home/me")


def run(*words: str | Path, user: str = "", status: int = 0, **arguments: object) -> str:
    """The output of a command, which must exit with `status`."""
    as_user = ["runuser", "-u", user, "--"] if user else []
    arguments = {"timeout": 90, "stdin": subprocess.DEVNULL} | arguments
    done = subprocess.run([*as_user, *words], capture_output=True, text=True, **arguments)
    shown = " ".join(map(str, words))
    assert done.returncode == status, f"{shown}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def is_mounted(path: Path = MNT) -> bool:
    table = Path("/proc/self/mountinfo").read_text().splitlines()
    return any(line.split()[4] == str(path) for line in table)


def wait(question: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def check_mounted(type_name: str = "fuse.ibbfs", user: str = "") -> None:
    assert "alice@localhost" in run("ls", MNT, user=user)
    line = next(l for l in Path("/proc/self/mountinfo").read_text().splitlines() if str(MNT) in l)
    assert f" - {type_name} me@localhost " in line, line


def set_fstab(line: str) -> None:
    Path("/etc/fstab").write_text(line + "\n")


def furnish(server: Prosody, account: Account) -> None:
    """The user `me`, whose configuration is all that ibbfs needs, and root's."""
    run("useradd", "--create-home", "--home-dir", HOME, "--shell", "/bin/bash", "me")
    cafile = Path("/etc/ibbfs-test-ca.crt")
    shutil.copy(server.cafile, cafile)
    cafile.chmod(0o644)
    for home, user in ((Path("/root"), "root"), (HOME, "me")):
        folder = home / ".config" / "ibbfs"
        folder.mkdir(parents=True)
        (folder / "me@localhost.conf").write_text(
            f"server = 127.0.0.1:{server.port}\ncafile = {cafile}\n"
            "password_file = ~/.config/ibbfs/me@localhost.password\n"
        )
        password = folder / "me@localhost.password"
        password.touch(mode=0o600)
        password.write_text(account.password + "\n")
        run("chown", "-R", user, home / ".config")
    MNT.mkdir()


def make_devices() -> None:
    """/dev/fuse as udev makes it, so that every user may open it; /dev/autofs."""
    subprocess.run(["umount", "/dev/fuse"], capture_output=True)
    Path("/dev/fuse").unlink(missing_ok=True)
    run("mknod", "-m", "666", "/dev/fuse", "c", "10", "229")
    number = re.search(r"^ *(\d+) autofs$", Path("/proc/misc").read_text(), re.MULTILINE)
    assert number, "the kernel has no autofs"
    if not Path("/dev/autofs").exists():
        run("mknod", "/dev/autofs", "c", "10", number[1])


# ---- each way to mount ----


def by_command() -> None:
    for user in ("", "me"):
        run("chown", user or "root", MNT)
        run("ibbfs", "me@localhost", MNT, user=user)
        check_mounted(user=user)
        run("fusermount3", "-u", MNT, user=user)
        assert not is_mounted()


def by_mount() -> None:
    for kind in ("fuse.ibbfs", "ibbfs"):
        run("mount", "-t", kind, "me@localhost", MNT)
        check_mounted()
        run("umount", MNT)
        assert not is_mounted()
    # mount.fuse3 would mount all the same.
    run("mount", "-f", "-t", "ibbfs", "me@localhost", MNT)
    assert not is_mounted(), "mount -f has mounted"
    refused = run("mount", "-t", "ibbfs", "-o", "kernel_cache", "me@localhost", MNT, status=2)
    assert "streams are never cached" in refused


def by_fstab_as_user() -> None:
    run("chown", "me", MNT)
    for kind in ("fuse.ibbfs", "ibbfs"):
        set_fstab(f"me@localhost {MNT} {kind} noauto,user,umask=022,nonempty 0 0")
        run("mount", MNT, user="me")
        check_mounted(user="me")
        assert run("stat", "-c", "%a", MNT, user="me").strip() == "755"
        run("umount", MNT, user="me")
        assert not is_mounted()


def by_fstab_as_root() -> None:
    for kind in ("fuse.ibbfs", "ibbfs"):
        set_fstab(f"me@localhost {MNT} {kind} _netdev,uid=me,nofail,allow_root 0 0")
        run("mount", "-a", "-O", "_netdev")
        check_mounted(user="me")
        owner = next(
            run("stat", "-c", "%U", f"/proc/{pid.name}").strip()
            for pid in Path("/proc").iterdir()
            if pid.name.isdigit() and b"ibbfs" in (pid / "cmdline").read_bytes().split(b"\0")[0]
        )
        assert owner == "me"
        run("umount", "-a", "-O", "_netdev")
        assert not is_mounted()


def by_automount() -> None:
    """What systemd makes of the line: an automount unit, and a mount unit that it verifies."""
    options = "noauto,_netdev,x-systemd.automount,x-systemd.idle-timeout=600,allow_root,uid=me"
    set_fstab(f"me@localhost {MNT} fuse.ibbfs {options} 0 0")
    units = Path("/tmp/units")
    units.mkdir()
    run("/usr/lib/systemd/system-generators/systemd-fstab-generator", units, units, units)
    automount = (units / "mnt-xmpp.automount").read_text()
    assert "TimeoutIdleSec=10min" in automount
    mount = (units / "mnt-xmpp.mount").read_text()
    assert re.search(r"^Type=fuse.ibbfs$", mount, re.MULTILINE)
    said = run("systemd-analyze", "verify", units / "mnt-xmpp.mount", units / "mnt-xmpp.automount")
    assert "xmpp" not in said, said
    # As the mount unit runs it.
    given = re.search(r"^Options=(.*)$", mount, re.MULTILINE)[1]
    run("mount", "me@localhost", MNT, "-t", "fuse.ibbfs", "-o", given)
    check_mounted()
    run("umount", MNT)
    shutil.rmtree(units)


def by_autofs() -> None:
    """With allow_root, root can look whether the mount is in use, and it expires."""
    Path("/etc/auto.ibbfs").write_text("xmpp -fstype=ibbfs,uid=me,allow_root :me@localhost\n")
    Path("/etc/auto.ibbfs.master").write_text("/mnt/auto /etc/auto.ibbfs --timeout=2\n")
    path = Path("/mnt/auto/xmpp")
    command = ["automount", "--foreground", "--timeout=2", "/etc/auto.ibbfs.master"]
    daemon = subprocess.Popen(command, start_new_session=True)  # it wants a process group
    try:
        wait(lambda: is_mounted(path.parent), "autofs")
        assert "alice@localhost" in run("ls", path)
        assert is_mounted(path)
        wait(lambda: not is_mounted(path), "the end of an idle mount")
    finally:
        daemon.terminate()
        daemon.wait(30)


# ---- the unit ----

MANAGER = """
mkdir -p "/run/user/$(id -u me)"
chown me "/run/user/$(id -u me)"
chmod 700 "/run/user/$(id -u me)"
# The cgroup that the manager may divide.
group=$(mktemp -d /sys/fs/cgroup/ibbfs-XXXXXX)
chown -R me "$group"
echo $$ >"$group/cgroup.procs"
status=0
runuser -u me -- env XDG_RUNTIME_DIR="/run/user/$(id -u me)" HOME=/home/me bash -euc '
	/lib/systemd/systemd --user --log-target=console --log-level=warning &
	manager=$!
	while ! systemctl --user is-system-running >/dev/null 2>&1; do sleep 0.1; done
	systemctl --user start ibbfs@me@localhost
	ls ~/xmpp/me@localhost
	systemctl --user show -P StatusText ibbfs@me@localhost
	systemctl --user reload ibbfs@me@localhost
	systemctl --user is-active ibbfs@me@localhost
	systemctl --user stop ibbfs@me@localhost
	if mountpoint ~/xmpp/me@localhost; then exit 1; fi
	systemctl --user show -P Result ibbfs@me@localhost
	kill $manager
	wait $manager || true
' || status=$?
echo $$ >/sys/fs/cgroup/cgroup.procs
find "$group" -depth -type d -exec rmdir {} +
exit $status
"""


def by_unit() -> None:
    unit = Path("/usr/lib/systemd/user/ibbfs@.service")
    assert unit.exists()
    said = run(*SPACES, "bash", "-c", WORLD + MANAGER)
    assert re.search(r"^alice@localhost$", said, re.MULTILINE), said
    assert re.search(r"^me@localhost/ibbfs-\w+: online, 0 streams$", said, re.MULTILINE), said
    assert re.search(r"^active$", said, re.MULTILINE), said
    assert re.search(r"^success$", said, re.MULTILINE), said


# ---- a system that has booted ----

BOOT = """
# It would leave /etc/.updated.
ln -s /dev/null /run/systemd/system/systemd-update-done.service
cat >/run/systemd/system/check.service <<-'END'
	[Unit]
	Wants=remote-fs.target
	After=remote-fs.target
	SuccessAction=exit-force
	FailureAction=exit-force

	[Service]
	Type=oneshot
	ExecStart=bash /srv/booted.sh
	StandardOutput=file:/srv/booted.out
	StandardError=inherit
	TimeoutStartSec=60
END
exec env -i container=check PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
	/lib/systemd/systemd --system --unit=check.service --log-target=console --log-level=warning
"""

BOOTED = """
set -eux
systemctl is-active mnt-xmpp.automount
if systemctl is-active mnt-xmpp.mount; then exit 1; fi
ls /mnt/xmpp
systemctl is-active mnt-xmpp.mount
while systemctl is-active --quiet mnt-xmpp.mount; do sleep 0.1; done
runuser -u me -- ls /mnt/xmpp
systemctl stop mnt-xmpp.mount
systemctl stop mnt-xmpp.automount
! mountpoint /mnt/xmpp
"""


def by_booted_automount() -> None:
    """systemd mounts at the first access, unmounts an idle mount, and mounts again."""
    options = "noauto,_netdev,x-systemd.automount,x-systemd.idle-timeout=2,allow_root,uid=me"
    set_fstab(f"me@localhost {MNT} fuse.ibbfs {options} 0 0")
    Path("/srv/booted.sh").write_text(BOOTED)
    words = [*SPACES, "bash", "-c", WORLD + BOOT]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    said = Path("/srv/booted.out").read_text()
    assert done.returncode == 0, done.stdout + done.stderr + said
    assert len(re.findall(r"^alice@localhost$", said, re.MULTILINE)) == 2, said


# ---- what else is in the package ----


def completions() -> None:
    shell = (
        ". /usr/share/bash-completion/bash_completion;"
        " _completion_loader ibbfs || true; complete -p ibbfs"
    )
    assert "_ibbfs" in run("bash", "-c", shell)
    zsh = "autoload -U compinit; compinit -u -D; echo $_comps[ibbfs] $_comps[mount.ibbfs]"
    assert run("zsh", "-f", "-c", zsh).strip() == "_ibbfs _ibbfs"
    assert run("fish", "-c", "complete -C 'ibbfs me'").startswith("me@localhost")


def documentation() -> None:
    assert "mount an XMPP account" in run("man", "-P", "cat", "ibbfs")
    docs = Path("/usr/share/doc/ibbfs")
    names = {path.name for path in docs.rglob("*")}
    assert {"copyright", "README.md", "docs", "ibbfs.doap"} <= {n.removesuffix(".gz") for n in names}
    assert run("ibbfs", "--version").startswith("ibbfs 0.")


def main() -> None:
    folder = Path("/srv/server")
    folder.mkdir()
    server = Prosody(folder)
    account = server.add_account("me", ("alice@localhost",))
    server.add_account("alice", ("me@localhost",))
    server.start()
    try:
        make_devices()
        furnish(server, account)
        for check in (
            *(by_command, by_mount, by_fstab_as_user, by_fstab_as_root, by_automount, by_autofs),
            *(by_unit, by_booted_automount),
            *(completions, documentation),
        ):
            print(f"{check.__name__} ...", flush=True)
            check()
    finally:
        if is_mounted():
            subprocess.run(["umount", "-l", MNT])
        server.stop()
        for name in ("auto.ibbfs", "auto.ibbfs.master", "ibbfs-test-ca.crt"):
            Path("/etc", name).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
