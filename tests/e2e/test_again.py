# SPDX-License-Identifier: MIT
"""The name of a finished stream, written again: what was sent before is not there any more, and no
tool that believes it is gets zeros in its place."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from lab import Lab

RWF_APPEND = 0x10
EARLIER = b"y" * 500

pytestmark = pytest.mark.once


@pytest.fixture(params=["raw", "si"])
def target(lab: Lab, request: pytest.FixtureRequest) -> Path:
    """A file that was sent before."""
    alice, bob = lab.pair(f"spool={lab.folder}/spool", f"inbox={lab.folder}/inbox")
    os.setxattr(alice.contact(bob), "user.ibb.format", request.param.encode())
    target = alice.contact(bob) / "f"
    target.write_bytes(EARLIER)
    return target


def received(lab: Lab) -> list[bytes]:
    files = (lab.folder / "inbox").glob("*@*/*")
    return [f.read_bytes() for f in sorted(files) if f.suffix != ".part"]


def expect_refused(lab: Lab, target: Path, *flags: int, at: int = len(EARLIER)) -> None:
    fd = os.open(target, os.O_WRONLY)
    with pytest.raises(OSError) as refused:
        os.pwritev(fd, [b"more"], at, *flags)
    assert refused.value.errno == errno.ESPIPE
    with pytest.raises(OSError):
        os.close(fd)
    assert received(lab) == [EARLIER]


def test_rsync_appends(lab: Lab, target: Path) -> None:
    source = lab.folder / "f"
    source.write_bytes(EARLIER + b"more")
    done = lab.run("rsync", "--append", source, target.parent)
    assert "Illegal seek" in done.stderr
    assert done.returncode != 0
    assert received(lab) == [EARLIER]


def test_append_to_the_size_that_the_kernel_knows(lab: Lab, target: Path) -> None:
    expect_refused(lab, target, RWF_APPEND, at=0)


@pytest.mark.parametrize("at", [1, 2 * len(EARLIER)])
def test_write_elsewhere(lab: Lab, target: Path, at: int) -> None:
    expect_refused(lab, target, at=at)


def test_gap_after_truncation(lab: Lab, target: Path) -> None:
    fd = os.open(target, os.O_WRONLY | os.O_TRUNC)
    os.pwrite(fd, b"new", len(EARLIER))
    os.close(fd)
    assert received(lab) == [EARLIER, bytes(len(EARLIER)) + b"new"]


def test_gap_behind_what_was_there(lab: Lab, target: Path) -> None:
    new = b"x" * len(EARLIER)
    fd = os.open(target, os.O_WRONLY)
    os.write(fd, new)
    os.pwrite(fd, b"new", len(EARLIER) + 3)
    os.close(fd)
    assert received(lab) == [EARLIER, new + b"\0\0\0new"]
