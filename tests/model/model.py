#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Searches for a sequence of calls that the model does not allow (scripts/model).

    model.py IBBFS SECONDS [SEED]

The first failing sequence is shrunk and printed as a test.
"""

from __future__ import annotations

import collections
import itertools
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "tests" / "e2e")]

from daemon import KNOWN_LEAK, Build, Mount, adopt_orphans  # noqa: E402
from lab import Lab  # noqa: E402
from inboxmodel import InboxRun  # noqa: E402
from pair import Pair  # noqa: E402
from pipemodel import Wrong  # noqa: E402
from prosody import Prosody  # noqa: E402
from spoolmodel import SpoolRun  # noqa: E402
from sequence import Run, Step, as_test, generate, shrink  # noqa: E402

# Small, so that they are full soon. The receiver has an inbox, and connections break, where they
# end in these words.
SMALL = "window=32K,buffer=32K"
INBOX = ",inbox"
FAULTS = ",faults"
OFFERS = ("format=si", "format=jingle")  # an attribute of the contact
OPTIONS = (
    SMALL,
    f"{SMALL},stanza=message",
    "",
    f"{SMALL}{INBOX}",
    f"stanza=message{INBOX}",
    *(f"{offer}{INBOX}" for offer in OFFERS),
    f"{SMALL}{FAULTS}",
    f"{SMALL}{INBOX}{FAULTS}",
    f"stanza=message{INBOX}{FAULTS}",
    *(f"{offer}{INBOX}{FAULTS}" for offer in OFFERS),
)
RATE = 500_000  # bytes a second: what was written is in flight for a moment, when a cut comes
OVERFLOW = 24 * 1024  # a block, of those in flight, less than the buffer


class Model:
    """Pairs of mounts, by their options; each sequence has a stream of its own."""

    def __init__(self, lab: Lab):
        os.environ.update(KNOWN_LEAK)
        self._lab = lab
        self._folder = lab.folder / "inbox"
        self._pairs: dict[str, Pair] = {}
        self._numbers = itertools.count(1)

    def run(self, options: str, steps: list[Step], name: str = "") -> None:
        """Wrong says all that is needed to find out why."""
        pair = self._pair(options)
        run = self._new_run(options, pair)
        try:
            run.run(steps)
        except Wrong as wrong:
            why = f"{name}: {wrong}" if name else str(wrong)
            raise Wrong(why + report(options, steps, run, pair)) from None
        finally:
            if any(run.stream.gone):
                for mount in self._pairs.pop(options).mounts:
                    mount.stop()

    def _pair(self, options: str) -> Pair:
        """Where connections break, they are whole at first."""
        if options not in self._pairs:
            self._pairs[options] = self._new_pair(options)
        pair = self._pairs[options]
        if pair.can_break:
            pair.settle()
        return pair

    def _new_pair(self, options: str) -> Pair:
        new = self._slow_pair if options.endswith(FAULTS) else self._lab.pair
        common = options.removesuffix(FAULTS).removesuffix(INBOX)
        inbox = f"inbox={self._folder}" if INBOX in options else ""
        if common not in OFFERS:
            return Pair(new(common, f"{common},{inbox}".rstrip(",")))
        alice, bob = new(f"spool={self._lab.folder}/spool", inbox)
        form = common.removeprefix("format=")
        os.setxattr(alice.contact(bob), "user.ibb.format", form.encode())
        return Pair((alice, bob))

    def _slow_pair(self, alice_options: str, bob_options: str) -> tuple[Mount, Mount]:
        alice, bob = self._lab.pair_via_proxies(alice_options, bob_options)
        for mount in (alice, bob):
            assert mount.via
            mount.via.rate = RATE
        return alice, bob

    def _new_run(self, options: str, pair: Pair) -> Run:
        alice, bob = pair.mounts
        name = f"stream-{os.getpid()}-{next(self._numbers)}"
        paths = (alice.contact(bob) / name, bob.incoming(alice, name))
        if INBOX not in options:
            return Run(pair, paths, OVERFLOW if "message" in options else None)
        folder = self._folder / alice.account.jid
        new = SpoolRun if options.startswith(OFFERS) else InboxRun
        return new(pair, paths, folder / f"{name}.part", folder / name, options.startswith(SMALL))


def report(options: str, steps: list[Step], run: Run, pair: Pair) -> str:
    """Each line of calls has the seconds since the beginning."""
    lines = [
        f"\noptions {options!r}, load {os.getloadavg()}, causes of errors: {run.stream.causes}",
        as_test("again", options, steps, "the same sequence"),
        *run.log,
        *(f"{mount.path.name}: {mount.stderr()}{mount.reports()}" for mount in pair.mounts),
    ]
    return "\n".join(lines)


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
        options = OPTIONS[seed % len(OPTIONS)]
        steps = generate(seed, options.endswith(FAULTS))
        if why := failure_of(model, options, steps):
            print(f"seed {seed}: {why}", flush=True)
            steps = shrink(steps, lambda part: bool(failure_of(model, options, part)))
            why = failure_of(model, options, steps) or why
            print(why, as_test(f"seed_{seed}", options, steps, why.splitlines()[0]), sep="\n\n")
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
