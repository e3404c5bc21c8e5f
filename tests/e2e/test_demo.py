# SPDX-License-Identifier: MIT
"""The command that shows everything at once."""

import os
import subprocess
from pathlib import Path

import pytest

from daemon import Build, processes_with_argument

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.once
@pytest.mark.timeout(300)
def test_demo_once(build: Build, tmp_path: Path) -> None:
    """The demo makes a build of its own; `build` only has the test run once."""
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [ROOT / "scripts" / "demo", "--once"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for shown in ("$ cp ", "$ cat ", "incoming", "status"):
        assert shown in done.stdout
    assert list(tmp_path.iterdir()) == [], "the demo left something behind"
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    assert [p for p in processes_with_argument("prosody") if runs_below(p, tmp_path)] == []


def runs_below(pid: int, folder: Path) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return os.fsencode(folder) in words
