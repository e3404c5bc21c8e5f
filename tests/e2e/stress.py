# SPDX-License-Identifier: MIT
"""Stressors of file systems in each kind of directory; and what the daemons hold afterwards.

    stress.py SECONDS SEED NAME=IBBFS...

fsstress.py and fsx.py (tests/stress), and stress-ng where it is installed. Each build of ibbfs gets
SECONDS, in two rounds. Status 1 if a daemon ends, reports something or grows, if a stressor is
stuck, or if a file is not delivered afterwards.
"""

from __future__ import annotations

import collections
import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from daemon import Build, Mount, adopt_orphans, poll_until
from lab import Lab
from prosody import OWN_MODULES, Prosody
from soak import Sample, growth, sample

PROGRAMS = Path(__file__).resolve().parents[1] / "stress"
ROUNDS = 2
STUCK_SECONDS = 90  # longer than any call may wait
CLEANING_SECONDS = 300  # until stress-ng has removed what it has made
KEPT_SECONDS = 60  # a file that has ended is listed as long

# Those of the class "filesystem" that work in a directory, and do not bother the machine otherwise.
STRESS_NG = (
    "access chattr chdir chmod chown copy-file dentry dir dirdeep dirmany dnotify dup fallocate"
    " fcntl fiemap file-ioctl filename flock fpunch fsize fstat getdent hdd inode-flags inotify"
    " iomix lease link locka lockf lockofd mknod open rename symlink sync-file touch utime verity xattr"
).split()
STRESS_NG_LIMITS = (
    "--hdd-bytes 1M",
    "--copy-file-bytes 128M",
    "--iomix-bytes 1M",
    "--chdir-dirs 64",
    "--dentries 64",
    "--dir-dirs 64",
    "--dirdeep-inodes 64",
)


class Stress:
    """alice sends, bob has an inbox; whatever stress-ng makes in the directory of the sink is a
    resource that accepts its files."""

    def __init__(self, lab: Lab, seed: int):
        self.lab = lab
        self._seed = seed
        self._inbox = lab.folder / "inbox"
        common = f"timeout=5,reconnect=5,spool={lab.folder}/spool"
        self.alice, self.bob = lab.pair(common, f"{common},inbox={self._inbox}")
        (self.alice.path / "sink@localhost").mkdir()
        self.counts: collections.Counter[str] = collections.Counter()

    @property
    def _directories(self) -> list[Path]:
        """The root, a contact's, a resource's, those for what arrives, one made with mkdir."""
        contact = self.alice.contact(self.bob)
        return [
            self.alice.path,
            contact,
            contact / self.bob.resource,
            contact / "in",
            self.bob.incoming(self.alice).parent,
            self.alice.path / "sink@localhost",
        ]

    # ---- stressors ----

    def round(self, seconds: float, with_stress_ng: bool = True) -> None:
        """All stressors at once."""
        end = time.monotonic() + seconds
        here = self._inbox / self.alice.account.jid
        there = (self.alice.contact(self.bob), self.bob.incoming(self.alice).parent)
        programs = [self._start("fsx.py", *there, here)]
        programs += [self._start("fsstress.py", directory) for directory in self._directories]
        work = [self.lab.background(self._drive, program, end) for program in programs]
        if with_stress_ng and shutil.which("stress-ng"):
            work.append(self.lab.background(self._stress_ng, end))
        for future in work:
            future.result(seconds + 2 * STUCK_SECONDS + CLEANING_SECONDS)

    def _start(self, program: str, *arguments: Path) -> subprocess.Popen:
        self._seed += 1
        command = [sys.executable, PROGRAMS / program, *arguments, str(self._seed)]
        with open(self.lab.folder / f"{program}-{self._seed}.log", "w") as log:
            return self.lab.spawn(*command, stdin=subprocess.PIPE, stderr=log, text=True)

    def _drive(self, process: subprocess.Popen, end: float) -> None:
        """Lets the program work, a line at a time."""
        assert process.stdin is not None and process.stdout is not None
        while True:
            with contextlib.suppress(BrokenPipeError):  # it has ended: there is no answer
                process.stdin.write("\n")
                process.stdin.flush()
            self._count(json.loads(self._answer(process)))
            if time.monotonic() > end:
                break
        process.stdin.close()
        assert process.wait(STUCK_SECONDS) == 0

    def _answer(self, process: subprocess.Popen) -> str:
        """Its log ends with the call that is stuck, or with what it has found."""
        words = [str(word) for word in process.args[2:]]
        log = self.lab.folder / f"{Path(words[1]).name}-{words[-1]}.log"
        future = self.lab.background(process.stdout.readline)
        try:
            answer = future.result(STUCK_SECONDS)
        except TimeoutError:
            raise AssertionError(f"stuck: {words}\n{log.read_text()[-500:]}") from None
        assert answer, f"ended: {words}\n{log.read_text()[-3000:]}"
        return answer

    def _count(self, answer: Any) -> None:
        if isinstance(answer, int):
            self.counts["files of fsx"] += 1
            self.counts["their bytes"] += answer
        else:
            self.counts["successful calls of fsstress"] += sum(answer.values())

    def _stress_ng(self, end: float) -> None:
        """stress-ng fails where it cannot make its files. It counts only that it ends."""
        directories = self._directories
        for number, directory in enumerate(directories):
            share = (end - time.monotonic()) / (len(directories) - number)
            if share < 1:
                return
            words = [word for name in STRESS_NG for word in (f"--{name}", "1")]
            limits = [word for limit in STRESS_NG_LIMITS for word in limit.split()]
            process = self.lab.spawn(
                "stress-ng", "--temp-path", directory, "--timeout", f"{share:.0f}", *limits, *words,
                text=True,
            )  # fmt: skip
            process.communicate(timeout=share + CLEANING_SECONDS)
            self.counts["runs of stress-ng"] += 1

    # ---- afterwards ----

    def rest(self) -> None:
        """Waits until nothing goes on, and no name is left of what was."""
        for mount, other in ((self.alice, self.bob), (self.bob, self.alice)):
            poll_until(
                lambda: self._rests(mount, other),
                timeout=KEPT_SECONDS + STUCK_SECONDS,
                what=f"rest of {mount.jid}:\n{mount.status()}",
            )

    def _rests(self, mount: Mount, other: Mount) -> bool:
        for path in mount.incoming(other).parent.iterdir():
            if path.name != "next":
                with contextlib.suppress(OSError):
                    path.unlink()
        time.sleep(0.1)
        return "streams     0" in mount.status()

    def held(self) -> list[Sample]:
        return [sample(mount.pid) for mount in (self.alice, self.bob)]

    def deliver(self) -> None:
        """Sends a file, as if nothing had happened."""
        source = self.lab.random_file(300_000, "afterwards")
        done = self.lab.run("cp", source, self.alice.contact(self.bob))
        assert done.returncode == 0, done.stderr
        kept = self._inbox / self.alice.account.jid / source.name
        assert kept.read_bytes() == source.read_bytes()
        kept.unlink()
        for mount in (self.alice, self.bob):
            assert mount.stderr() == "", mount.stderr()


def stress(lab: Lab, seconds: float, seed: int) -> list[str]:
    """What has grown."""
    work = Stress(lab, seed)
    table = []
    for _ in range(ROUNDS):
        work.round(seconds / ROUNDS)
        work.rest()
        work.deliver()
        table.append(work.held())
    counts = ", ".join(f"{count} {name}" for name, count in work.counts.items())
    print(f"{lab.build.name}: {counts}; {table[0]}, then {table[-1]}", flush=True)
    if lab.build.name != "plain":  # the memory of sanitizers grows
        table = [[Sample(0, held.descriptors) for held in row] for row in table]
    return growth(table)


def main() -> int:
    seconds, seed = float(sys.argv[1]), int(sys.argv[2])
    pairs = [word.split("=") for word in sys.argv[3:]]
    builds = [Build(name, Path(path).resolve()) for name, path in pairs]
    adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # running tools are ended in order
    grown = []
    for build in builds:
        with tempfile.TemporaryDirectory(prefix="ibbfs-stress.") as folder:
            server = Prosody(Path(folder) / "server", modules=("sink",), settings=OWN_MODULES)
            server.start()
            lab = Lab(build, Path(folder), server)
            try:
                grown += stress(lab, seconds, seed)
            finally:
                lab.close()  # every daemon must end with status 0, and without a report
                server.stop()
    print(*grown, sep="\n")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
