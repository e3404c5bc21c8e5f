# SPDX-License-Identifier: MIT
"""What a disk takes, without a network."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from world import World


@dataclass
class Disk:
    """dd conv=fsync."""

    world: World
    folder: Path
    name = "dd"

    def store(self, sources: list[Path]) -> dict[str, float]:
        """One after the other."""
        self.folder.mkdir(exist_ok=True)
        dd = 'dd if="$f" of="$d/${f##*/}" bs=1M conv=fsync status=none'
        script = f"d=$1; shift; for f; do {dd}; done"
        started = time.monotonic()
        self.world.run("sh", "-ec", script, "sh", self.folder, *sources)
        seconds = time.monotonic() - started
        size = sum(source.stat().st_size for source in sources)
        shutil.rmtree(self.folder)
        return {
            "bytes": size,
            "files": len(sources),
            "seconds": seconds,
            "mb_s": size / 1e6 / seconds,
            "files_s": len(sources) / seconds,
        }
