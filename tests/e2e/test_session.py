# SPDX-License-Identifier: MIT
"""Two accounts, each mounted, and ordinary file tools."""

import errno
import os
import re
import stat
import subprocess

import pytest

from daemon import poll_until
from lab import Lab, wait_blocked
from rawpeer import is_kind

pytestmark = pytest.mark.federated


def test_cp_then_cat(lab: Lab) -> None:
    alice, bob = lab.pair()
    report = lab.random_file(20000, "report.pdf")
    assert lab.run("cp", report, alice.contact(bob)).returncode == 0
    got = lab.spawn("cat", bob.incoming(alice, "report.pdf"))
    assert got.communicate(timeout=20) == (report.read_bytes(), b"")
    assert got.returncode == 0


def test_next_waits_for_a_stream(lab: Lab) -> None:
    alice, bob = lab.pair()
    reader = lab.spawn("cat", bob.incoming(alice))
    wait_blocked(reader.pid)
    report = lab.random_file(20000, "report.pdf")
    assert lab.run("cp", report, alice.contact(bob)).returncode == 0
    assert reader.communicate(timeout=20) == (report.read_bytes(), b"")
    assert reader.returncode == 0


def test_next_takes_the_oldest_waiting(lab: Lab) -> None:
    alice, bob = lab.pair()
    for name in ("first", "second"):
        lab.run("cp", lab.random_file(100, name), alice.contact(bob))
    for name in ("first", "second"):
        got = lab.spawn("cat", bob.incoming(alice))
        assert got.communicate(timeout=20)[0] == (lab.folder / name).read_bytes()


def test_loop_over_incoming(lab: Lab) -> None:
    alice, bob = lab.pair()
    (lab.folder / "got").mkdir()
    script = (
        'while read -r stream; do cat "$MOUNT/$stream" > "got/${stream##*/}" & done'
        ' < "$MOUNT/incoming"'
    )
    environment = os.environ | {"MOUNT": str(bob.path)}
    lab.spawn("bash", "-c", script, cwd=lab.folder, env=environment)
    sent = [lab.random_file(5000 + i, f"photo {i}.jpg") for i in range(3)]
    for path in sent:
        assert lab.run("cp", path, alice.contact(bob)).returncode == 0
    for path in sent:
        got = lab.folder / "got" / path.name
        poll_until(
            lambda: got.exists() and got.read_bytes() == path.read_bytes(), what=f"{got} complete"
        )


def test_incoming_first_tells_what_waits(lab: Lab) -> None:
    alice, bob = lab.pair()
    lab.run("cp", lab.random_file(10, "early"), alice.contact(bob))
    expected = [f"{alice.account.jid}/in/early\n", f"{alice.account.jid}/in/late\n"]
    with open(bob.path / "incoming") as one, open(bob.path / "incoming") as other:
        assert (one.readline(), other.readline()) == (expected[0], expected[0])
        lab.run("cp", lab.random_file(10, "late"), alice.contact(bob))
        assert (one.readline(), other.readline()) == (expected[1], expected[1])


def test_status_tells_of_account_and_streams(lab: Lab) -> None:
    alice, bob = lab.pair()
    fd = os.open(alice.contact(bob) / "report.pdf", os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"x" * 12345)
    os.fsync(fd)
    for mount in (alice, bob):
        text = mount.status()
        assert mount.account.jid in text
        assert re.search(r"^.*12\.1 KiB.*report\.pdf.*$", text, re.MULTILINE), text
    os.close(fd)


def test_ls_shows_the_tree(lab: Lab) -> None:
    alice, bob = lab.pair()
    assert sorted(os.listdir(alice.path)) == sorted(["incoming", "status", bob.account.jid])
    assert sorted(os.listdir(alice.contact(bob))) == ["in", "mount"]
    listing = lab.run("ls", "-la", alice.path, alice.contact(bob), alice.contact(bob) / "in")
    assert (listing.returncode, listing.stderr) == (0, "")
    for name in ("incoming", "status"):
        information = os.stat(alice.path / name)
        assert stat.S_ISREG(information.st_mode)
        assert information.st_uid == os.getuid()


def test_a_contact_appears_and_goes_with_the_roster(lab: Lab) -> None:
    alice, bob = lab.accounts("alice", "bob")
    mount = lab.mount(alice)
    assert mount.contact(bob).is_dir()  # offline, but on the roster
    peer = lab.raw(alice, "phone")
    query = "<query xmlns='jabber:iq:roster'><item jid='{}'{}/></query>"
    assert peer.request(alice.jid, query.format("new@example.org", "")).get("type") == "result"
    poll_until(mount.contact("new@example.org").is_dir, what="a new contact's directory")
    peer.request(alice.jid, query.format("new@example.org", " subscription='remove'"))
    poll_until(lambda: not mount.contact("new@example.org").exists(), what="its end")


def test_resources_appear_and_go(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    assert (mount.contact(peer) / "raw").is_dir()
    peer.stop()
    mount.wait_offline(peer.jid)


def test_writing_to_one_resource(lab: Lab) -> None:
    alice, bob = lab.accounts("alice", "bob")
    mount = lab.mount(alice)
    phone = lab.raw(bob, "phone", priority=0)
    laptop = lab.raw(bob, "laptop", priority=5)
    mount.wait_online(phone.jid)
    mount.wait_online(laptop.jid)
    note = lab.random_file(300, "note")
    assert lab.run("cp", note, mount.contact(bob) / "phone").returncode == 0
    assert phone.received(phone.wait_open()[0].get("sid")) == note.read_bytes()
    assert lab.run("cp", note, mount.contact(bob)).returncode == 0
    assert laptop.received(laptop.wait_open()[0].get("sid")) == note.read_bytes()
    assert len(phone.find(is_kind("open"))) == 1


def test_mkdir_and_rmdir(lab: Lab) -> None:
    alice, bob = lab.pair()
    robot = alice.contact("robot@example.net")
    robot.mkdir()
    assert (robot / "in").is_dir()
    (robot / "home").mkdir()
    with pytest.raises(PermissionError):
        (robot / "home" / "deeper").mkdir()
    (robot / "home").rmdir()
    robot.rmdir()
    assert not robot.exists()
    with pytest.raises(OSError) as error:
        alice.contact(bob).rmdir()
    assert error.value.errno == errno.EBUSY


def test_mkdir_of_no_address(lab: Lab) -> None:
    alice, _ = lab.pair()
    with pytest.raises(OSError) as error:
        (alice.path / "a@b@c").mkdir()
    assert error.value.errno == errno.EINVAL


@pytest.mark.parametrize(
    "command",
    [
        'cat "$FILE" > "$TO"',
        'cp -p "$FILE" "$TO"',
        'cp --sparse=always "$FILE" "$TO"',
        'dd if="$FILE" of="$TO" bs=1000',
        'tee "$TO" < "$FILE"',
        'mv "$FILE" "$TO"',
        'install -m 600 "$FILE" "$TO"',
        '{ head -c 5000; cat; } < "$FILE" > "$TO"',
        'tar -cf - "$FILE" | tar -xOf - > "$TO"',
    ],
)
def test_tools_that_send(lab: Lab, command: str) -> None:
    alice, bob = lab.pair()
    path = lab.random_file(30000)
    content = path.read_bytes()
    environment = os.environ | {"FILE": str(path), "TO": str(alice.contact(bob) / "sent")}
    tool = lab.spawn("bash", "-o", "pipefail", "-c", command, env=environment)
    _, messages = tool.communicate(timeout=30)
    assert tool.returncode == 0, messages
    assert bob.incoming(alice, "sent").read_bytes() == content


@pytest.mark.parametrize("command", ["cat {}", "dd if={} bs=999 status=none", "head -c 99999 {}"])
def test_tools_that_receive(lab: Lab, command: str) -> None:
    alice, bob = lab.pair()
    path = lab.random_file(30000)
    lab.run("cp", path, alice.contact(bob))
    words = command.format(bob.incoming(alice, path.name)).split()
    got = subprocess.run(words, capture_output=True, timeout=30)
    assert (got.returncode, got.stdout, got.stderr) == (0, path.read_bytes(), b"")


def test_cp_out_of_the_mount(lab: Lab) -> None:
    alice, bob = lab.pair()
    path = lab.random_file(30000)
    lab.run("cp", path, alice.contact(bob))
    copy = lab.folder / "copy"
    assert lab.run("cp", bob.incoming(alice, path.name), copy).returncode == 0
    assert copy.read_bytes() == path.read_bytes()


def test_a_sent_file_stays_listed_with_its_size(lab: Lab) -> None:
    alice, bob = lab.pair()
    path = lab.random_file(4321)
    lab.run("cp", path, alice.contact(bob))
    sent = os.stat(alice.contact(bob) / path.name)
    assert (sent.st_size, stat.S_ISREG(sent.st_mode)) == (4321, True)
    assert path.name in os.listdir(alice.contact(bob))


def test_the_same_name_again_is_a_new_session(lab: Lab) -> None:
    alice, bob = lab.pair()
    for size in (100, 200):
        path = lab.random_file(size, "again")
        assert lab.run("cp", path, alice.contact(bob)).returncode == 0
        assert lab.spawn("cat", bob.incoming(alice)).communicate(timeout=20)[0] == path.read_bytes()


def test_both_directions(lab: Lab) -> None:
    alice, bob = lab.pair()
    talk = os.open(alice.contact(bob) / "talk", os.O_RDWR | os.O_CREAT)
    there = os.open(bob.incoming(alice, "talk"), os.O_RDWR)
    for message in (b"hello\n", b"how are you?\n"):
        os.write(talk, message)
        assert os.read(there, 100) == message
        os.write(there, message.upper())
        assert os.read(talk, 100) == message.upper()
    os.close(talk)
    assert os.read(there, 100) == b""
    os.close(there)


def test_partial_blocks_leave_at_once(lab: Lab) -> None:
    alice, bob = lab.pair()
    with open(alice.contact(bob) / "log", "wb", buffering=0) as log:
        reader = os.open(bob.incoming(alice, "log"), os.O_RDONLY)
        for line in (b"one\n", b"two\n", b"three\n"):
            log.write(line)
            assert os.read(reader, 100) == line
    assert os.read(reader, 100) == b""
    os.close(reader)


def test_touch_sends_nothing(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    contact = mount.contact(peer)
    assert lab.run("touch", contact / "nothing").returncode == 0
    lab.run("cp", lab.random_file(10, "something"), contact)
    peer.wait_open()
    assert len(peer.find(is_kind("open"))) == 1


def test_gaps_are_filled_with_zeros(lab: Lab) -> None:
    alice, bob = lab.pair()
    sparse = lab.folder / "sparse"
    with open(sparse, "wb") as file:
        file.write(b"begin")
        file.seek(100000)
        file.write(b"end")
        file.truncate(150000)
    assert lab.run("cp", "--sparse=always", sparse, alice.contact(bob)).returncode == 0
    assert bob.incoming(alice, "sparse").read_bytes() == sparse.read_bytes()
