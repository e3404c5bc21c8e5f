# SPDX-License-Identifier: MIT
"""Stressors of file systems on mounts, for a moment; `scripts/stress` goes on for longer."""

from __future__ import annotations

from collections.abc import Callable

import stress
from lab import Lab
from prosody import OWN_MODULES


def test_stressors(limited_lab: Callable[..., Lab]) -> None:
    lab = limited_lab(modules=("sink",), settings=OWN_MODULES)
    work = stress.Stress(lab, seed=1)
    work.round(2, with_stress_ng=False)
    work.deliver()
    assert work.counts["files of fsx"] > 0
    assert work.counts["successful calls of fsstress"] > 0
