# SPDX-License-Identifier: MIT
"""Random sequences of calls, checked by a model (tests/model); `scripts/model` tries others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lab import Lab

sys.path.append(str(Path(__file__).resolve().parents[1] / "model"))

from actor import WAITS  # noqa: E402
from model import FAULTS, INBOX, OPTIONS, SMALL, Model  # noqa: E402
from sequence import HOWS, Step, generate  # noqa: E402


SEEDS = 3


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("first", [0, 100])
def test_random_calls(lab: Lab, options: str, first: int) -> None:
    model = Model(lab)
    for seed in range(first, first + SEEDS):
        model.run(options, generate(seed, options.endswith(FAULTS)), f"seed {seed}")


# ---- calls that are rare in random sequences ----

O_SYNC = HOWS  # added to `how` of an open
OPENED = [Step(0, "open"), Step(0, "write", size=4096), Step(1, "open", how=2)]
READ = Step(1, "read", size=100)
RARE = {
    # Of a file that will be offered, they fail.
    "synced by another process": [
        *OPENED,
        *(Step(2, "sync"), READ, Step(2, "sync", how=3), Step(0, "close"), Step(2, "sync", how=1)),
    ],
    "written with O_SYNC": [
        *(Step(0, "open", how=O_SYNC), Step(0, "write", size=100), Step(1, "open", how=2)),
        *(READ, Step(0, "pwrite", how=4, size=9)),
    ],
    "written with RWF_DSYNC": [
        *(*OPENED, Step(0, "dup"), Step(0, "write_sync", size=9), Step(0, "close", 1), READ),
    ],
    # The close fails.
    "written in part": [
        *(Step(0, "open", how=2), Step(0, "write", size=1), Step(1, "open")),
        *(Step(0, "write", size=150000), Step(0, "write", size=150000)),
        *(Step(0, "dup"), Step(0, "close", 1), READ, Step(0, "close")),
    ],
    # The close is successful.
    "written in part, and extended": [
        *(Step(0, "open", how=2), Step(0, "write", size=150000), Step(0, "ftruncate", how=5)),
        *(Step(1, "open"), Step(0, "close")),
    ],
    # What it does not keep is closed.
    "executed, and all is closed": [*OPENED, Step(0, "watch"), Step(0, "execve")],
    "executed, and a file is kept": [
        *(*OPENED, Step(0, "dup"), Step(0, "execve", how=1), Step(0, "write", size=9)),
        Step(0, "execve"),
    ],
    # It does not end well though one process has closed it.
    "unmounted while a child has it": [
        *(*OPENED, Step(0, "fork"), Step(0, "close"), Step(0, "unmount")),
    ],
    "forced away while a child has it": [
        *(*OPENED, Step(0, "fork"), Step(0, "close"), Step(0, "unmount", how=1)),
    ],
}


@pytest.mark.parametrize("options", [SMALL, f"{SMALL}{INBOX}", f"format=jingle{INBOX}"])
def test_rare_calls(lab: Lab, options: str) -> None:
    model = Model(lab)
    for name, steps in RARE.items():
        model.run(options, steps, name)


# ---- found by scripts/model ----


def test_the_end_of_both_directions(lab: Lab) -> None:
    """When the last close returns, a file is in the inbox only if it was opened for writing
    alone."""
    Model(lab).run(f"{SMALL}{INBOX}", [Step(0, "open", how=1), Step(0, "write", size=4095)])


def test_each_poller_has_its_own_events(lab: Lab) -> None:
    """A poller keeps its events when another one polls later, and goes away."""
    poll_in, poll_out = 1, 3
    steps = [Step(0, "open", how=1), Step(0, "write", size=1), Step(1, "open", how=7)]
    for mode in range(len(WAITS)):
        steps += [
            Step(0, "watch", how=mode * HOWS + poll_in),
            Step(0, "watch", how=(mode + 1) % len(WAITS) * HOWS + poll_out),
            Step(0, "unwatch", how=1),
            Step(1, "write", size=100),
            Step(0, "watched"),
            Step(0, "read", size=100),
        ]
    Model(lab).run("", steps)


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


def test_an_incoming_stream_that_is_not_used(lab: Lab) -> None:
    """A write that the kernel refuses is none: the stream waits to be opened again."""
    steps = [Step(0, "open", how=1), Step(0, "write", size=4095), Step(1, "open", how=7)]
    steps += [Step(1, "copy_file_range", size=100), Step(1, "kill"), Step(0, "read", size=100)]
    Model(lab).run(SMALL, steps)
