#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Searches for a sequence of calls that the model does not allow (scripts/model).

    model.py IBBFS SECONDS [SEED]

The first failing sequence is shrunk and printed as a test.
"""

from __future__ import annotations

import collections
import itertools
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "tests" / "e2e")]

from daemon import Build, Mount, adopt_orphans  # noqa: E402
from lab import Lab  # noqa: E402
from pipemodel import Wrong  # noqa: E402
from prosody import Prosody  # noqa: E402
from sequence import Run, Step, as_test, generate, shrink  # noqa: E402

# Small, so that they are full soon.
SMALL = "window=32K,buffer=32K"
OPTIONS = (SMALL, f"{SMALL},stanza=message", "")
OVERFLOW = 24 * 1024  # a block, of those in flight, less than the buffer


class Model:
    """Pairs of mounts, by their options; each sequence has a stream of its own."""

    def __init__(self, lab: Lab):
        self._lab = lab
        self._pairs: dict[str, tuple[Mount, Mount]] = {}
        self._numbers = itertools.count(1)

    def run(self, options: str, steps: list[Step]) -> Run:
        if options not in self._pairs:
            self._pairs[options] = self._lab.pair(options, options)
        alice, bob = self._pairs[options]
        name = f"stream-{next(self._numbers)}"
        overflow = OVERFLOW if "message" in options else None
        run = Run((alice.contact(bob) / name, bob.incoming(alice, name)), overflow)
        run.run(steps)
        return run


def failure_of(model: Model, options: str, steps: list[Step]) -> str:
    try:
        model.run(options, steps)
    except Wrong as wrong:
        return str(wrong)
    return ""


def search(model: Model, seconds: float, seed: int) -> int:
    end = time.monotonic() + seconds
    calls: collections.Counter[str] = collections.Counter()
    sequences = 0
    while time.monotonic() < end:
        options, steps = OPTIONS[seed % len(OPTIONS)], generate(seed)
        if why := failure_of(model, options, steps):
            print(f"seed {seed}: {why}", flush=True)
            steps = shrink(steps, lambda part: bool(failure_of(model, options, part)))
            why = failure_of(model, options, steps) or why
            print(as_test(f"seed_{seed}", options, steps, why))
            return 1
        calls.update(step.call for step in steps)
        sequences += 1
        seed += 1
    counts = ", ".join(f"{call} {count}" for call, count in calls.most_common())
    print(f"{sequences} sequences, {calls.total()} steps, none failed: {counts}")
    return 0


def main() -> int:
    binary, seconds = Path(sys.argv[1]).resolve(), float(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else int(time.time())
    adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="ibbfs-model-") as folder:
        server = Prosody(Path(folder) / "server")
        server.start()
        lab = Lab(Build("model", binary), Path(folder), server)
        try:
            return search(Model(lab), seconds, seed)
        finally:
            lab.close()
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
