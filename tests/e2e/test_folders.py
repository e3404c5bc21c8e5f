# SPDX-License-Identifier: MIT
"""Folders between two ibbfs: cp -r and the like; and what others, and hostile peers, get."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from daemon import Mount, bare, poll_until
from lab import Lab
from rawpeer import (
    NS_CAPS,
    NS_FILE,
    NS_FOLDERS,
    NS_IBB,
    NS_IBBFS,
    RawPeer,
    condition,
    is_kind,
    payload,
)

Files = dict[str, bytes]


def files(folder: Path) -> Files:
    """The regular files below it."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def make_tree(lab: Lab) -> Path:
    tree = lab.folder / "photos"
    for name in ("a.jpg", "2024/b.jpg", "2024/may/näme & co", "2024/may/empty", "2025/b.jpg"):
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if name.endswith("empty") else os.urandom(5000))
    (tree / "nothing in it").mkdir(exist_ok=True)
    return tree


def with_inbox(lab: Lab, options: str = "") -> tuple[Mount, Mount, Path]:
    """A sender, a receiver with an inbox, and the sender's directory in it."""
    inbox = lab.folder / "inbox"
    sender, receiver = lab.pair("", f"inbox={inbox}{options}")
    return sender, receiver, inbox / sender.account.jid


def run(lab: Lab, command: str, **paths: Path) -> None:
    """A command with these variables; nothing may be said."""
    assignments = " ".join(f"{name}='{path}'" for name, path in paths.items())
    done = lab.run("bash", "-c", f"{assignments}; {command}")
    assert (done.returncode, done.stderr) == (0, "")


def test_into_an_inbox(lab: Lab) -> None:
    sender, receiver, folder = with_inbox(lab)
    tree = make_tree(lab)
    with open(receiver.path / "incoming") as lines:
        run(lab, "cp -a $TREE $TO/", TREE=tree, TO=sender.contact(receiver))
        listed = {next(lines).rstrip("\n") for _ in files(tree)}
    assert listed == {f"{sender.account.jid}/in/photos/{name}" for name in files(tree)}
    assert files(folder / "photos") == files(tree)
    names = receiver.incoming(sender, "photos")
    assert files(names) == files(tree)

    receiver.unmount()
    receiver.start()
    assert files(names) == files(tree)
    (names / "2025" / "b.jpg").unlink()
    assert not (folder / "photos" / "2025").exists()
    run(lab, "rm -r $FOLDER", FOLDER=names)
    assert not names.exists()
    assert list(folder.iterdir()) == []


def test_without_an_inbox(lab: Lab) -> None:
    sender, receiver = lab.pair()
    tree = make_tree(lab)
    run(lab, "cp -r $TREE $TO/", TREE=tree, TO=sender.contact(receiver) / "mount")
    with open(receiver.path / "incoming") as lines:
        listed = [next(lines).rstrip("\n") for _ in files(tree)]
    names = receiver.incoming(sender, "photos")
    assert {str(p.relative_to(receiver.path)) for p in names.rglob("*") if p.is_file()} == set(
        listed
    )
    assert files(names) == files(tree)
    run(lab, "rm -r $FOLDER", FOLDER=names)
    assert os.listdir(receiver.incoming(sender).parent) == ["next"]


COMMANDS = [
    "cp -r $TREE $TO/",
    "cp -a $TREE $TO/",
    "cd ${TREE%/*} && cp -r photos moved && mv moved $TO/photos && ! test -e moved",
    "rsync -r --inplace $TREE $TO/",
    "rsync -a --inplace $TREE $TO/",
    "tar -cC ${TREE%/*} photos | tar -xC $TO",
    "cd ${TREE%/*} && zip -qr all.zip photos && unzip -q all.zip -d $TO && rm all.zip",
    "cd ${TREE%/*} && find photos -type f -exec install -D -m 600 '{}' $TO/'{}' ';'",
]


@pytest.mark.once
def test_tools(lab: Lab) -> None:
    """Each tool copies into a folder of its own. The copy is there then, and can be removed
    here."""
    sender, receiver, folder = with_inbox(lab)
    tree = make_tree(lab)
    (tree / "2024" / "may" / "empty").unlink()  # tar opens with O_NONBLOCK, as touch does
    for n, command in enumerate(COMMANDS):
        to = sender.contact(receiver) / f"to{n}"
        to.mkdir()
        run(lab, command, TREE=tree, TO=to)
        assert files(folder / to.name / "photos") == files(tree), command
        run(lab, "chmod -R u+x $TO && ls -lR $TO > /dev/null && rm -r $TO", TO=to)
        assert not to.exists()


def test_again_and_at_once(lab: Lab) -> None:
    """The same names get numbers, in the same folders."""
    sender, receiver, folder = with_inbox(lab)
    tree = make_tree(lab)
    (tree / "2024" / "may" / "empty").unlink()
    to = sender.contact(receiver)
    run(lab, "cp -r $TREE $TO/ && cp -r $TREE $TO/", TREE=tree, TO=to)
    first, second = (tree / "a.jpg").read_bytes(), files(tree)
    arrived = files(folder / "photos")
    assert len(arrived) == 2 * len(second)
    assert arrived["a.jpg"] == arrived["a (2).jpg"] == first
    assert sorted(p.name for p in folder.iterdir()) == ["photos"]

    other = lab.folder / "other"
    shutil.copytree(tree, other)
    run(lab, "cp -r $A $TO/x & cp -r $B $TO/y; wait $!", A=tree, B=other, TO=to)
    assert files(folder / "x") == files(folder / "y") == second


def test_just_mounted(lab: Lab) -> None:
    """Scripts need no sleep: the contact's presence may not have come yet."""
    first, second = lab.accounts("alice", "bob")
    receiver = lab.mount(second)
    sender = lab.mount(first)
    tree = make_tree(lab)
    run(lab, "cp -r $TREE $TO/", TREE=tree, TO=sender.contact(receiver))
    assert files(receiver.incoming(sender, "photos")) == files(tree)


def test_a_resource_by_one_name(lab: Lab) -> None:
    sender, receiver = lab.pair()
    (sender.path / f"{receiver.account.jid}%2Foffice").mkdir()
    office = sender.contact(receiver) / "office"
    assert office.is_dir()
    with pytest.raises(OSError) as failure:
        (office / "file").write_bytes(b"x")
    assert failure.value.errno == errno.EHOSTDOWN
    office.rmdir()
    assert not office.exists()


# ---- what is refused ----


def expect_one_error(lab: Lab, to: Path, why: str) -> None:
    done = lab.run("cp", "-r", make_tree(lab), to)
    assert done.returncode == 1
    assert done.stderr == f"cp: cannot create directory '{to}/photos': {why}\n"
    assert not (to / "photos").exists()


def test_toward_others(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    expect_one_error(lab, mount.contact(peer), "Operation not supported")
    expect_one_error(lab, mount.contact(peer) / "raw", "Operation not supported")
    assert peer.find(is_kind("open")) == []
    # What the man page says instead.
    tar = "tar -cC ${TREE%/*} photos > $TO/photos.tar"
    run(lab, tar, TREE=lab.folder / "photos", TO=mount.contact(peer))
    assert peer.received(payload(peer.wait_open()).get("sid"))


def with_another_version(lab: Lab, *features: str) -> tuple[Mount, RawPeer]:
    """A raw peer whose presence says that it is an ibbfs with other features than ours."""
    mount, peer = lab.with_raw(features=[NS_IBB, NS_IBBFS, *features])
    peer.send("<presence type='unavailable'/>")
    mount.wait_offline(peer.jid)
    peer.send(
        f"<presence><c xmlns='{NS_CAPS}' hash='sha-1' node='{NS_IBBFS}' ver='other'/></presence>"
    )
    mount.wait_online(peer.jid)
    return mount, peer


def test_another_version(lab: Lab) -> None:
    mount, peer = with_another_version(lab, NS_FOLDERS)
    run(lab, "cp -r $TREE $TO/", TREE=make_tree(lab), TO=mount.contact(peer))
    opened = {}
    for stanza in peer.find(is_kind("open")):
        name = payload(stanza).findtext(f"{{{NS_FILE}}}file/{{{NS_FILE}}}name")
        folder = payload(stanza).findtext(f"{{{NS_FOLDERS}}}folder")
        opened[f"{folder}/{name}"] = peer.received(payload(stanza).get("sid"))
    tree = lab.folder / "photos"
    assert opened == {f"photos/{name}": content for name, content in files(tree).items()}


def test_a_version_without_folders(lab: Lab) -> None:
    """The first mkdir asks the peer, and does not wait; no file is sent."""
    mount, peer = with_another_version(lab)
    done = lab.run("cp", "-r", make_tree(lab), mount.contact(peer))
    assert done.returncode == 1
    assert all("Operation not supported" in line for line in done.stderr.splitlines())
    assert peer.find(is_kind("open")) == []


def test_nobody_there(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    assert lab.run("cp", lab.random_file(1), mount.contact(peer)).returncode == 0
    peer.stop()
    mount.wait_offline(peer.jid)
    with pytest.raises(OSError):  # now it is known that her presence will not come
        (mount.contact(peer) / "file").write_bytes(b"x")
    expect_one_error(lab, mount.contact(peer), "Host is down")


def test_too_deep(lab: Lab) -> None:
    sender, receiver, folder = with_inbox(lab)
    deepest = Path(*["d"] * 32)
    (lab.folder / deepest / "d").mkdir(parents=True)
    (lab.folder / deepest / "file").write_bytes(b"x")
    done = lab.run("cp", "-r", lab.folder / "d", sender.contact(receiver))
    assert done.returncode == 1
    assert done.stderr.endswith("File name too long\n") and done.stderr.count("\n") == 1
    assert files(folder) == {str(deepest / "file"): b"x"}


# ---- what peers send ----


def open_in(peer: RawPeer, mount: Mount, sid: str, folder: str, name: str = "x") -> str | None:
    """Opens a stream in a folder, which is XML; the condition of the error, or None."""
    child = (
        f"<file xmlns='{NS_FILE}'><name>{name}</name></file>"
        f"<folder xmlns='{NS_FOLDERS}'>{folder}</folder>"
    )
    opened = peer.request(
        mount.jid, f"<open xmlns='{NS_IBB}' sid='{sid}' block-size='4096'>{child}</open>"
    )
    return condition(opened)


def send_in(peer: RawPeer, mount: Mount, sid: str, folder: str, name: str = "x") -> None:
    assert open_in(peer, mount, sid, folder, name) is None
    assert condition(peer.data(mount.jid, sid, 0, sid.encode())) is None
    assert condition(peer.close(mount.jid, sid, child=f"<sent xmlns='{NS_IBBFS}' bytes='1'/>")) is None


HOSTILE = {
    "../../up": "%2E./%2E./up",
    "/etc": "etc",
    ".": "%2E",
    ".ssh": "%2Essh",
    "a&#10;b/ c ": "a%0Ab/%20c%20",
    "link": "link (2)",
    "link/sub": "link (2)/sub",
    "file": "file (2)",
    "n" * 300: "n" * 255,
    "next": "next (2)",
}


def test_hostile_paths(lab: Lab) -> None:
    """The paths stay below the contact's directory, even if something else has a folder's name."""
    outside, inbox = lab.folder / "outside", lab.folder / "inbox"
    mount, peer = lab.with_raw(f"inbox={inbox}")
    folder = inbox / bare(peer)
    outside.mkdir()
    folder.mkdir(parents=True)
    (folder / "link").symlink_to(outside)
    (folder / "file").write_bytes(b"mine")
    wanted: Files = {"file": b"mine"}
    for n, (path, found) in enumerate(HOSTILE.items()):
        sid = chr(ord("A") + n)
        send_in(peer, mount, sid, path)
        name = "x" if f"{found}/x" not in wanted else "x (2)"
        wanted[f"{found}/{name}"] = sid.encode()
    assert files(folder) == wanted
    assert list(outside.iterdir()) == []
    assert sorted(p.name for p in lab.folder.iterdir() if p.name == "up") == []


def test_limits_of_paths(lab: Lab) -> None:
    mount, peer = lab.with_raw(f"inbox={lab.folder}/inbox")
    for n, path in enumerate(["/".join("d" * 33), "n" * 1024, ("\u200b" * 7 + "/") * 32]):
        assert open_in(peer, mount, f"s{n}", path) == "bad-request"
    assert list((lab.folder / "inbox").iterdir()) == []


def test_what_broke_leaves_no_folder(lab: Lab) -> None:
    inbox = lab.folder / "inbox"
    mount, peer = lab.with_raw(f"inbox={inbox},inbox_quota=1M")
    folder = inbox / bare(peer)
    assert open_in(peer, mount, "s1", "/".join("d" * 32)) is None
    peer.close(mount.jid, "s1", child=f"<reset xmlns='{NS_IBBFS}'/>")
    poll_until(lambda: not (folder / "d").exists(), what="the folder is removed")
    # Those that stay count: 32 directories are 128 KiB.
    n = 0
    while open_in(peer, mount, f"t{n}", "/".join([f"d{n}"] * 32)) is None and n < 20:
        peer.data(mount.jid, f"t{n}", 0, b"x")
        peer.close(mount.jid, f"t{n}", child=f"<sent xmlns='{NS_IBBFS}' bytes='1'/>")
        n += 1
    poll_until(lambda: len(list(folder.glob("d*"))) == 7, what="as many as the quota allows")
    mount.stop()


@pytest.mark.slow
def test_a_thousand(lab: Lab) -> None:
    sender, receiver, folder = with_inbox(lab, ",inbox_sync=no")
    tree = lab.folder / "many"
    for n in range(1000):
        path = tree / f"d{n // 50}" / f"f{n}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(str(n).encode())
    run(lab, "cp -r $TREE $TO/", TREE=tree, TO=sender.contact(receiver))
    assert files(folder / "many") == files(tree)
