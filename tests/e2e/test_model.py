# SPDX-License-Identifier: MIT
"""Random sequences of calls, checked by a model (tests/model); `scripts/model` tries others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lab import Lab

sys.path.append(str(Path(__file__).resolve().parents[1] / "model"))

from model import OPTIONS, Model  # noqa: E402
from sequence import Step, generate  # noqa: E402


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("first", [0, 100])
def test_random_calls(lab: Lab, options: str, first: int) -> None:
    model = Model(lab)
    for seed in range(first, first + 5):
        model.run(options, generate(seed))


# ---- found by scripts/model ----


@pytest.mark.large
def test_a_gap_that_does_not_fit(lab: Lab) -> None:
    """EAGAIN left the zeros of the gap in the stream."""
    Model(lab).run(
        "",
        [
            Step(0, "open", how=6),
            Step(0, "sendfile", size=150000, how=4),
            Step(0, "pwrite", size=40000, how=6),
            Step(0, "write", size=4096, how=4),
        ],
    )
