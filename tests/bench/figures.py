# SPDX-License-Identifier: MIT
"""Figures of the kernel about a process and the machine, and the figures of one run."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from daemon import status_kib

TICKS = os.sysconf("SC_CLK_TCK")
PACKAGES = [
    "prosody",
    "ejabberd",
    "libstrophe0",
    "fuse3",
    "python3-slixmpp",
    "libqxmpp3",
    "libgloox18",
    "openssl",
]


# ---- processes ----


def cpu_seconds(*pids: int) -> float:
    """User and system time so far; counted in ticks of 10 ms."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def reset_peak(*pids: int) -> None:
    for pid in pids:
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_kib(pid: int) -> int:
    return status_kib(pid, "VmHWM")


# ---- the machine ----


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def package_version(package: str) -> str:
    answer = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True
    )
    return answer.stdout or "unknown"


def file_system(folder: Path) -> str:
    answer = subprocess.run(
        ["findmnt", "-n", "-o", "FSTYPE", "-T", folder], capture_output=True, text=True
    )
    return answer.stdout.strip() or "unknown"


def os_name() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.split("=", 1)[1].strip('"')
    return platform.system()


def machine() -> dict[str, str]:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    about = {
        "CPU": f"{cpu_model()}, {os.cpu_count()} cores",
        "memory": f"{memory / 2**30:.0f} GiB",
        "kernel": platform.release(),
        "system": os_name(),
        "file system of the inbox": file_system(Path(__file__)),
    }
    return about | {package: package_version(package) for package in PACKAGES}


# ---- runs ----


@dataclass(frozen=True)
class Run:
    """One run of one implementation; `figures` are numbers by name."""

    section: str
    server: str
    implementation: str
    round: int
    block: int = 4096
    delay_ms: int = 0
    streams: int = 1
    file_bytes: int = 0
    beside: bool = False
    figures: dict[str, float] = field(default_factory=dict)


class Runs(list[Run]):
    def where(self, **wanted: Any) -> Runs:
        return Runs(
            run for run in self if all(getattr(run, name) == wanted[name] for name in wanted)
        )

    def values(self, figure: str) -> list[float]:
        return [run.figures[figure] for run in self if figure in run.figures]

    def median(self, figure: str) -> float | None:
        values = self.values(figure)
        return statistics.median(values) if values else None

    def highest(self, figure: str) -> float | None:
        return max(self.values(figure), default=None)

    def over(self, others: Runs, figure: str) -> float | None:
        """The median over the rounds of the ratio to the other's in the same round."""
        theirs = {run.round: run.figures[figure] for run in others if figure in run.figures}
        ratios = [
            run.figures[figure] / theirs[run.round]
            for run in self
            if figure in run.figures and run.round in theirs
        ]
        return statistics.median(ratios) if ratios else None

    def ratio(self, figure: str, implementation: str, other: str, **wanted: Any) -> float | None:
        mine = self.where(implementation=implementation, **wanted)
        return mine.over(self.where(implementation=other, **wanted), figure)

    def kinds(self, name: str) -> list[Any]:
        """The values of a field, in the order measured."""
        return list(dict.fromkeys(getattr(run, name) for run in self))

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(run) for run in self]
