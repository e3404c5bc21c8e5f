# SPDX-License-Identifier: MIT
"""The command that shows everything at once."""

import os
import subprocess
from pathlib import Path

import pytest

from daemon import Build, processes_with_argument

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.once
def test_demo_once(build: Build, tmp_path: Path) -> None:
    run_demo(tmp_path, "--program", str(build.binary))


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_demo_with_a_build_of_its_own(build: Build, tmp_path: Path) -> None:
    """`build` only has the test run once."""
    run_demo(tmp_path)


@pytest.mark.parametrize("words", [["--program"], ["--program", "/bin/true"], ["--twice"]])
def test_wrong_words(words: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "demo", "--once", *words],
        capture_output=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        timeout=60,
    )
    assert done.returncode in (1, 2) and done.stderr and not done.stdout
    assert list(tmp_path.iterdir()) == []


def run_demo(tmp_path: Path, *words: str) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [ROOT / "scripts" / "demo", "--once", *words],
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
