# SPDX-License-Identifier: MIT
"""Every byte, once and in order, whatever the size."""

import pytest

from daemon import Mount
from lab import Lab, wait_blocked

pytestmark = pytest.mark.federated

BLOCK = 4096


def transfer(lab: Lab, sender: Mount, receiver: Mount, size: int, timeout: float = 60) -> None:
    """cp on one side, cat on the other, at the same time."""
    path = lab.random_file(size, f"file-{size}")
    got = lab.folder / f"got-{size}"
    with open(got, "wb") as output:
        reader = lab.spawn("cat", receiver.incoming(sender), stdout=output)
        copy = lab.run("cp", path, sender.contact(receiver), timeout=timeout)
        assert (copy.returncode, copy.stderr) == (0, "")
        assert reader.wait(timeout) == 0
    assert got.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 10 * BLOCK])
def test_about_one_block(lab: Lab, size: int) -> None:
    alice, bob = lab.pair(f"block_size={BLOCK}")
    transfer(lab, alice, bob, size)


@pytest.mark.parametrize("block_size", [1, 1000, 65535])
def test_block_sizes(lab: Lab, block_size: int) -> None:
    options = f"block_size={block_size}"
    alice, bob = lab.pair(options, options)
    transfer(lab, alice, bob, min(3 * block_size + 1, 200000))


@pytest.mark.large
@pytest.mark.timeout(200)
def test_ten_mebibytes(lab: Lab) -> None:
    alice, bob = lab.pair()
    transfer(lab, alice, bob, 10 * 1024 * 1024, timeout=150)


def test_one_mebibyte(lab: Lab) -> None:
    alice, bob = lab.pair()
    transfer(lab, alice, bob, 1024 * 1024)


@pytest.mark.slow  # test_resume has it with cuts
@pytest.mark.large
@pytest.mark.timeout(400)
def test_seq_wraps(lab: Lab) -> None:
    alice, bob = lab.pair("block_size=7")
    transfer(lab, alice, bob, 65537 * 7, timeout=350)


def test_ten_files_at_once(lab: Lab) -> None:
    alice, bob = lab.pair()
    paths = [lab.random_file(50000 + i, f"file-{i}") for i in range(10)]
    copies = [lab.spawn("cp", path, alice.contact(bob)) for path in paths]
    for copy in copies:
        assert copy.wait(60) == 0
    readers = [lab.spawn("cat", bob.incoming(alice, path.name)) for path in paths]
    for path, reader in zip(paths, readers):
        assert reader.communicate(timeout=60)[0] == path.read_bytes()
        assert reader.returncode == 0


def test_a_window_larger_than_the_buffer(lab: Lab) -> None:
    """There is no reader yet: the receiver holds the bytes in flight, and loses none."""
    alice, bob = lab.pair("window=1M", "buffer=64K")
    path = lab.random_file(2 * 1024 * 1024)
    copy = lab.spawn("cp", path, alice.contact(bob))
    wait_blocked(copy.pid)
    got = lab.spawn("cat", bob.incoming(alice))
    assert got.communicate(timeout=60)[0] == path.read_bytes()
    assert copy.wait(20) == 0


def test_more_than_the_buffer_waits_for_the_reader(lab: Lab) -> None:
    alice, bob = lab.pair("", "buffer=64K")
    path = lab.random_file(400000)
    copy = lab.spawn("cp", path, alice.contact(bob))
    got = lab.spawn("cat", bob.incoming(alice))
    assert got.communicate(timeout=60)[0] == path.read_bytes()
    assert copy.wait(20) == 0
