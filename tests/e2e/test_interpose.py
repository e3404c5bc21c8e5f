# SPDX-License-Identifier: MIT
"""Functions that replace a library's for libstrophe: an error names one that is not in effect."""

import re
import subprocess
from pathlib import Path

import pytest

from daemon import Build
from lab import Lab

ROOT = Path(__file__).resolve().parents[2]
HEADER = ROOT / "src/xmpp/interpose.h"
NAMES = re.findall(r"\sX\((\w+)\)", HEADER.read_text())


def without(build: Build, name: str, folder: Path) -> Build:
    """A copy of the program that exports the function `name` under another."""
    exported = b"\0" + name.encode() + b"\0"
    program = build.binary.read_bytes()
    assert exported in program
    copy = folder / "ibbfs"
    # .dynstr comes first; a name there may be the end of a longer one.
    copy.write_bytes(program.replace(exported, b"\0~" + exported[2:], 1))
    copy.chmod(0o755)
    return Build(build.name, copy)


def bindings(build: Build) -> subprocess.CompletedProcess:
    return subprocess.run(
        [ROOT / "tests/unit/xmpp/interposed.sh", build.binary, HEADER],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_one_that_is_not_bound_is_found(lab: Lab, name: str) -> None:
    assert bindings(lab.build).returncode == 0
    done = bindings(without(lab.build, name, lab.folder))
    assert done.returncode == 1
    assert f"calls of {name} do not reach" in done.stdout
    assert done.stdout.count("do not reach") == 1


# The last of the other calls comes when the connection is closed.
@pytest.mark.parametrize("name", [n for n in NAMES if n != "XML_ParserFree"])
def test_a_mount_without_one_says_so(lab: Lab, name: str) -> None:
    lab.build = without(lab.build, name, lab.folder)
    mount = lab.mount(lab.accounts("alice")[0])
    assert f"libstrophe does not call our {name}" in mount.stderr()
    mount.stop()


def test_a_mount_with_all_says_nothing(lab: Lab) -> None:
    mount = lab.mount(lab.accounts("alice")[0])
    assert mount.stderr() == ""
    mount.stop()
