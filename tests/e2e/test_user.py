# SPDX-License-Identifier: MIT
"""Started by root, run as another user; and what others can see of the daemon's memory."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon import Mount, is_mounted, poll_until, processes_with_argument
from disks import running_disk
from lab import Lab
from server import Account

NOBODY = pwd.getpwnam("nobody")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run it as somebody else")
pytestmark = pytest.mark.once


# A command with a /dev/fuse that everybody may open, as on other machines.
OPEN_TO_ALL = [
    *("unshare", "--mount", "sh", "-euc"),
    """mount -t tmpfs -o mode=755 none /mnt
    mknod -m 666 /mnt/fuse c 10 229
    mount --bind /mnt/fuse /dev/fuse
    exec "$@" """,
    "sh",
]


@dataclass
class UserMount(Mount):
    """One below `path`'s folder, which others may enter, with a copy of the CA's certificate."""

    def command(self) -> list[str]:
        cafile = self.beside(".ca")
        shutil.copy(self.server.cafile, cafile)
        cafile.chmod(0o644)
        command = super().command()
        command[2] = command[2].replace(str(self.server.cafile), str(cafile))
        return command


@pytest.fixture
def folder(lab: Lab) -> Path:
    return lab.public_folder()


def user_mount(
    lab: Lab, folder: Path, account: Account, options: str, kind: type[UserMount] = UserMount
) -> UserMount:
    mount = kind(lab.build, lab.server, account, "mount", folder / "mnt", options)
    mount.path.mkdir()
    os.chown(mount.path, NOBODY.pw_uid, NOBODY.pw_gid)
    lab.watch(mount)
    return mount


def nobody(gid: int = NOBODY.pw_gid) -> list[str | Path]:
    """The beginning of a command that nobody runs."""
    return ["setpriv", "--reuid", "nobody", "--regid", str(gid), "--clear-groups"]


def as_nobody(*command: str | Path, gid: int = NOBODY.pw_gid) -> subprocess.CompletedProcess:
    return subprocess.run([*nobody(gid), *command], capture_output=True, text=True, timeout=60)


def process_ids(pid: int) -> dict[str, list[int]]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: [int(n) for n in fields[name].split()] for name in ("Uid", "Gid", "Groups")}


@needs_root
def test_a_certificate_on_a_disk_that_hangs(lab: Lab, folder: Path) -> None:
    """A signal ends the command, also while it asks whether the user can read the file."""
    mount = user_mount(lab, folder, lab.accounts("alice")[0], "uid=nobody")
    with tempfile.TemporaryDirectory() as above, running_disk(lab, Path(above)) as disk:
        os.chmod(above, 0o755)
        cafile = disk.path / "ca"
        shutil.copyfile(lab.server.cafile, cafile)
        name, *arguments = mount.command()
        arguments[1] = arguments[1].replace(str(mount.beside(".ca")), str(cafile))
        disk.hang("access")
        process = lab.spawn(name, "-f", *arguments, env=mount.environment())
        disk.wait_held()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == -signal.SIGINT
        assert not is_mounted(mount.path)


@needs_root
def test_helper_on_a_disk_that_hangs(lab: Lab, folder: Path) -> None:
    """fusermount3 mounts for a user: it does not outlive the command."""
    mount = user_mount(lab, folder, lab.accounts("alice")[0], "")
    binary = shutil.copy(mount.build.binary, folder)  # the user may not enter the checkout
    with tempfile.TemporaryDirectory() as above, running_disk(lab, Path(above)) as disk:
        os.chmod(above, 0o755)
        path = disk.path / "mnt"
        path.mkdir(mode=0o777)
        options = mount.command()[1:-1]
        os.chown(mount.beside(".password"), NOBODY.pw_uid, -1)
        disk.hang("access")  # not called by the daemon
        command = [*nobody(), binary, "-f", *options, path]
        process = lab.spawn(*OPEN_TO_ALL, *command, env=mount.environment(), text=True)
        disk.wait_held()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (1, "ibbfs: interrupted\n")
        poll_until(lambda: not processes_with_argument(str(path)), what="the helper's end")
        disk.go()
        assert not is_mounted(path)


@needs_root
@pytest.mark.parametrize("user", ["nobody", str(NOBODY.pw_uid)])
@pytest.mark.parametrize("owner", [0, NOBODY.pw_uid])
def test_another_user(lab: Lab, folder: Path, user: str, owner: int) -> None:
    alice, bob = lab.accounts("alice", "bob")
    peer = lab.raw(bob)
    mount = user_mount(lab, folder, alice, f"uid={user}")
    mount.command()
    os.chown(mount.beside(".password"), owner, -1)
    mount.start()
    assert process_ids(mount.pid) == {
        "Uid": [NOBODY.pw_uid] * 4,
        "Gid": [NOBODY.pw_gid] * 4,
        "Groups": [],
    }
    status = Path(f"/proc/{mount.pid}/status").read_text()
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert re.search(rf"^{name}:\s*0+$", status, re.MULTILINE), name

    # Only that user's; not even root may look, as everywhere in FUSE.
    with pytest.raises(PermissionError):
        os.listdir(mount.path)
    listed = as_nobody("ls", "-ln", mount.path)
    assert listed.returncode == 0, listed.stderr
    owners = {tuple(line.split()[2:4]) for line in listed.stdout.splitlines()[1:]}
    assert owners == {(str(NOBODY.pw_uid), str(NOBODY.pw_gid))}
    text = "as nobody\n"
    source = folder / "source"
    source.write_text(text)
    copied = as_nobody("cp", source, mount.contact(bob))
    assert (copied.returncode, copied.stderr) == (0, "")
    assert peer.received(peer.wait_open()[0].get("sid")) == text.encode()
    peer.send_file(mount.jid, "s1", b"content")
    assert as_nobody("cat", mount.incoming(bob, "s1")).stdout == "content"
    mount.stop()


@needs_root
def test_shell_of_another_user(lab: Lab, folder: Path) -> None:
    """The open files of root cannot be seen: a close by its shell may not be the last one."""
    alice, bob = lab.accounts("alice", "bob")
    inbox = lab.folder / "inbox"
    receiver = lab.mount(bob, f"inbox={inbox}")
    spool = folder / "spool"
    spool.mkdir()
    os.chown(spool, NOBODY.pw_uid, NOBODY.pw_gid)
    mount = user_mount(lab, folder, alice, f"uid=nobody,allow_root,spool={spool}").start()
    mount.wait_online(receiver.jid)
    os.setxattr(mount.contact(bob), "user.ibb.format", b"jingle")
    done = lab.run("sh", "-c", f"echo text > '{mount.contact(bob)}/f'")
    assert (done.returncode, done.stderr) == (0, "")
    kept = inbox / alice.jid / "f"
    poll_until(kept.exists, what="the file has its name")
    assert kept.read_text() == "text\n"
    listed = as_nobody("ls", mount.path)
    assert (listed.returncode, listed.stderr) == (0, ""), "allow_root keeps its own user out"
    mount.stop()


@needs_root
def test_a_group(lab: Lab, folder: Path) -> None:
    mount = user_mount(lab, folder, lab.accounts("alice")[0], "gid=1,uid=nobody").start()
    assert process_ids(mount.pid)["Gid"] == [1] * 4
    assert re.search(rf" {NOBODY.pw_uid} +1 ", as_nobody("ls", "-ln", mount.path, gid=1).stdout)
    mount.stop()


@needs_root
def test_its_user_can_unmount(lab: Lab, folder: Path) -> None:
    mount = user_mount(lab, folder, lab.accounts("alice")[0], "uid=nobody").start()
    assert as_nobody("fusermount3", "-u", mount.path).returncode == 0
    mount.expect_exit(0)


def refused(mount: Mount, command: list[str]) -> str:
    """The one line of a command that must not mount."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode in (1, 2)
    assert not is_mounted(mount.path)
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@needs_root
def test_a_mount_point_of_root(lab: Lab, folder: Path) -> None:
    """Root has chosen the mount point; the user can unmount it even without write permission
    there."""
    mount = user_mount(lab, folder, lab.accounts("alice")[0], "uid=nobody")
    os.chown(mount.path, 0, 0)
    mount.start().stop()


@needs_root
def test_no_devices_and_no_set_user_id(lab: Lab, folder: Path) -> None:
    """mount.fuse3 asks for both when root calls it."""
    mount = user_mount(lab, folder, lab.accounts("alice")[0], "uid=nobody,suid,dev").start()
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    (options,) = [line.split()[5] for line in lines if f" {mount.path} " in line]
    assert {"nosuid", "nodev"} <= set(options.split(","))
    mount.stop()


@needs_root
def test_as_in_fstab(lab: Lab, folder: Path) -> None:
    """As mount(8) calls the helper, which asks for dev and suid."""
    helper = folder / "ibbfs"
    shutil.copy(lab.build.binary, helper)
    mount = user_mount(lab, folder, lab.accounts("alice")[0], "uid=nobody")
    _, _, options, jid, path = mount.command()
    subprocess.run(
        ["/sbin/mount.fuse3", jid, path, "-o", f"rw,{options}", "-t", "fuse.ibbfs"],
        check=True,
        env=mount.environment() | {"PATH": f"{folder}:{os.environ['PATH']}"},
        timeout=60,
    )
    mount.adopt()
    assert as_nobody("ls", mount.path).stdout.split() == ["incoming", "status"]
    subprocess.run(["umount", path], check=True, timeout=60)
    assert not is_mounted(mount.path)
    mount.expect_exit(0)


@needs_root
def test_others_too(lab: Lab, folder: Path) -> None:
    mount = user_mount(lab, folder, lab.accounts("alice")[0], "uid=nobody,allow_other").start()
    assert sorted(os.listdir(mount.path)) == ["incoming", "status"]
    assert as_nobody("cat", mount.path / "status").returncode == 0
    mount.stop()


@needs_root
def test_a_wrong_password(lab: Lab, folder: Path) -> None:
    """Here the mount comes first; it must be removed."""
    account = lab.accounts("alice")[0]
    wrong = Account(account.jid, "wrong")
    mount = user_mount(lab, folder, wrong, "uid=nobody")
    assert "password" in refused(mount, mount.command())


@needs_root
def test_a_certificate_that_the_user_cannot_read(lab: Lab, folder: Path) -> None:
    mount = user_mount(lab, folder, lab.accounts("alice")[0], "uid=nobody")
    command = mount.command()
    mount.beside(".ca").chmod(0o600)
    assert f"{mount.beside('.ca')}: Permission denied" in refused(mount, command)


@needs_root
def test_a_password_file_of_a_third_user(lab: Lab, folder: Path) -> None:
    mount = user_mount(lab, folder, lab.accounts("alice")[0], "uid=nobody")
    command = mount.command()
    os.chown(mount.beside(".password"), 1, 1)
    assert "belongs to somebody else" in refused(mount, command)


@pytest.mark.parametrize(
    "options, line",
    [
        ("uid=no-such-user", "no such user"),
        ("gid=no-such-group", "no such group"),
        ("uid=4294967295", "no such user"),
        ("uid=-1", "no such user"),
        ("uid=", "needs a value"),
    ],
)
def test_nobody_of_that_name(lab: Lab, folder: Path, options: str, line: str) -> None:
    mount = user_mount(lab, folder, lab.accounts("alice")[0], options)
    assert line in refused(mount, mount.command())


@needs_root
@pytest.mark.parametrize("option", ["uid=root", "uid=1", "gid=1"])
def test_only_root_can(lab: Lab, folder: Path, option: str) -> None:
    binary = folder / "ibbfs"
    shutil.copy(lab.build.binary, binary)
    mount = user_mount(lab, folder, lab.accounts("alice")[0], option)
    done = as_nobody(binary, *mount.command()[1:])
    assert done.returncode == 2
    assert "only root" in done.stderr
    own = as_nobody(binary, "-o", "uid=nobody,password_file=/none", "a@b", mount.path)
    assert "only root" not in own.stderr and "/none" in own.stderr


# ---- the password ----

NO_PLACE = "sanitizers have memory, and a handler of SIGSEGV, of their own"


def places(pid: int, wanted: bytes) -> int:
    """How many copies of the password are in the memory of a process."""
    count = 0
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            area, mode = line.split()[:2]
            start, end = (int(n, 16) for n in area.split("-"))
            if "r" in mode and "[v" not in line:
                memory.seek(start)
                count += memory.read(end - start).count(wanted)
    return count


@needs_root
def test_the_password_is_in_memory_once(lab: Lab) -> None:
    """libstrophe has one copy, which it needs to connect again."""
    if lab.build.name != "plain":
        pytest.skip(NO_PLACE)
    first, second = lab.accounts("alice", "bob")
    mount, peer = lab.mount(first), lab.raw(second)
    mount.wait_online(peer.jid)
    peer.send_file(mount.jid, "s1", os.urandom(100_000))
    assert places(mount.pid, first.password.encode()) == 1


@needs_root
def test_its_user_cannot_read_its_memory(lab: Lab, folder: Path) -> None:
    mount = user_mount(lab, folder, lab.accounts("alice")[0], "uid=nobody").start()
    for name in ("mem", "environ", "maps"):
        assert as_nobody("head", "-c1", f"/proc/{mount.pid}/{name}").returncode != 0
    assert as_nobody("ls", f"/proc/{mount.pid}/fd").returncode != 0
    mount.stop()


def dumps_core(pid: int) -> bool:
    os.kill(pid, signal.SIGSEGV)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGSEGV
    return os.WCOREDUMP(status)


def test_no_core(lab: Lab) -> None:
    if lab.build.name != "plain":
        pytest.skip(NO_PLACE)
    other = lab.spawn("prlimit", "--core=unlimited", "sleep", "100", cwd=lab.folder)
    poll_until(lambda: Path(f"/proc/{other.pid}/comm").read_text() == "sleep\n", what="sleep")
    if not dumps_core(other.pid):
        pytest.skip("nobody dumps core here")
    mount = lab.mount(lab.accounts("alice")[0])
    subprocess.run(["prlimit", "--core=unlimited", "--pid", str(mount.pid)], check=True)
    pid, mount.pid = mount.pid, 0
    assert not dumps_core(pid)
    mount.remove_left_over()
