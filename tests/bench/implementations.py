# SPDX-License-Identifier: MIT
"""One transfer of each implementation, as figures: seconds, mb_s, cpu_s_per_gb, peak_kib, ...

MB are 10^6 bytes of payload, GB 10^9. Seconds run from when the transfer is asked for to its last
acknowledgement. CPU seconds and memory are both ends'; the server's are beside them.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon import Mount, poll_until
from figures import cpu_seconds, peak_kib, reset_peak
from lab import end_process
from progress import Progress
from world import World

BENCH = Path(__file__).resolve().parent
Figures = dict[str, float]
BUFFER = 2**20  # bytes that ibbfs accepts without a reader


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def per_gb(cpu_s: float, size: float) -> float:
    return cpu_s / (size / 1e9)


@contextmanager
def watching_server(world: World, figures: Figures) -> Iterator[None]:
    """Adds the server's usage meanwhile; `bytes` must be known at the end."""
    pid = world.server_pid
    reset_peak(pid)
    before, started = cpu_seconds(pid), time.monotonic()
    yield
    spent = cpu_seconds(pid) - before
    figures["server_cpu_s_per_gb"] = per_gb(spent, figures["bytes"])
    figures["server_busy"] = spent / (time.monotonic() - started)
    figures["server_peak_kib"] = peak_kib(pid)


@dataclass
class Pump:
    """The limit."""

    world: World
    block: int = 4096
    delay_ms: int = 0
    window: int = 16
    piece: int = 0  # if not 0: bytes of a TLS record, filled with spaces
    name = "pump"

    def run(self, mode: str, **options: int | bool) -> dict[str, Any]:
        server = self.world.endpoint(self.delay_ms)
        options = {
            "block": self.block,
            "window": self.window,
            "piece": self.piece,
        } | options
        words = [
            f"--{name}" if value is True else f"--{name}={value}"
            for name, value in options.items()
            if value is not False
        ]
        output = self.world.run(
            *[self.world.program("pump"), "--accounts", self.world.accounts_file("pump")],
            *["--ports", f"{server.port},{server.port}", "--cafile", server.cafile],
            *words,
            mode,
        )
        return json.loads(output)

    def transfer(self, size: int) -> Figures:
        figures: Figures = {"window": self.window, "piece": self.piece}
        with watching_server(self.world, figures):
            got = self.run("bulk", bytes=size)
            figures["bytes"] = got["bytes"]
        figures["seconds"] = got["open_seconds"] + got["seconds"]
        figures["mb_s"] = size / 1e6 / figures["seconds"]
        figures["cpu_s_per_gb"] = per_gb(got["cpu_s"], size)
        return figures

    def streams(self, size: int, count: int) -> Figures:
        """Without the time to open them."""
        got = self.run("bulk", bytes=size, streams=count)
        seconds = got["seconds"]
        return {"bytes": size, "seconds": seconds, "mb_s": size / 1e6 / seconds}

    def files(self, count: int, at_once: int) -> Figures:
        """As large as a block."""
        seconds = self.run("files", **{"count": count, "at-once": at_once})["seconds"]
        return {"files": count, "seconds": seconds, "files_s": count / seconds}

    def round_trips(self, count: int, beside: bool) -> Figures:
        got = self.run("pingpong", count=count, beside=beside)
        figures = {name: got[name] for name in ("p50_us", "p99_us", "round_trips")}
        figures["window"] = self.window
        if beside:
            figures["bulk_mb_s"] = got["bytes"] / 1e6 / got["seconds"]
        return figures


@dataclass
class Ibbfs:
    """Two mounts that stay, and the file tools."""

    world: World
    first: Mount
    second: Mount
    name = "ibbfs"

    @property
    def pids(self) -> list[int]:
        return [self.first.pid, self.second.pid]

    @property
    def directory(self) -> Path:
        return self.first.contact(self.second)

    def _peaks(self) -> Figures:
        sender, receiver = map(peak_kib, self.pids)
        return {
            "sender_peak_kib": sender,
            "receiver_peak_kib": receiver,
            "peak_kib": max(sender, receiver),
        }

    def progress(self, interval: float = 0.05) -> Progress:
        return Progress(self.directory / "file", self.second.incoming(self.first, "file"), interval)

    def transfer(self, size: int, progress: Progress | None = None) -> Figures:
        """cp here, cat there."""
        progress = progress or self.progress()
        source, target = self.world.source(size), self.world.folder / "target"
        figures: Figures = {"bytes": size}
        reset_peak(*self.pids)
        with watching_server(self.world, figures):
            before = cpu_seconds(*self.pids)
            with target.open("wb") as file:
                cat = self.world.spawn("cat", self.second.incoming(self.first), stdout=file)
            started = time.monotonic()
            cp = self.world.spawn("cp", source, self.directory / "file")
            progress.watch(cp, cat)
            cp.wait(300)
            figures["seconds"] = time.monotonic() - started
            progress.stop()
            cat.wait(60)
            cpu_s = cpu_seconds(*self.pids) - before
        for process in (cp, cat):
            self.world.check(process)
        if sha256(target) != sha256(source):
            raise RuntimeError("ibbfs: what was received is not what was sent")
        figures["mb_s"] = size / 1e6 / figures["seconds"]
        figures["cpu_s_per_gb"] = per_gb(cpu_s, size)
        figures["in_flight"], figures["unread"] = progress.most_in_flight, progress.most_unread
        return figures | self._peaks()

    def first_file(self, size: int, rtt_s: float) -> Figures:
        """The first one of these mounts. Its window is full when the bandwidth-delay product is in
        flight, at the rate of the second file."""
        first, second = self.progress(0.01), self.progress(0.01)
        figures = {"first_seconds": self.transfer(size, first)["seconds"]}
        figures["second_seconds"] = self.transfer(size, second)["seconds"]
        figures["full_bytes"] = second.rate(size) * rtt_s
        figures["full_seconds"] = first.seconds_until(figures["full_bytes"])
        figures["round_trips"] = figures["full_seconds"] // rtt_s
        return figures

    def streams(self, size: int, count: int) -> Figures:
        """Without the time to open them."""
        source, many = self.world.source(size), self.world.program("many")
        reset_peak(*self.pids)
        receiver = self.world.spawn(
            *[many, "receive", source, self.second.path, str(count)], stdout=subprocess.PIPE
        )
        assert receiver.stdout and receiver.stdout.readline() == "ready\n", self.world.last_errors()
        before = cpu_seconds(*self.pids)
        got = json.loads(self.world.run(many, "send", source, self.directory, str(count)))
        output, _ = receiver.communicate(timeout=60)
        cpu_s = cpu_seconds(*self.pids) - before
        self.world.check(receiver)
        assert output == "ok\n"
        seconds = got["seconds"]
        figures = {"bytes": size, "seconds": seconds, "mb_s": size / 1e6 / seconds}
        return figures | {"cpu_s_per_gb": per_gb(cpu_s, size)} | self._peaks()

    def small_files(self, count: int, size: int) -> list[Path]:
        folder = self.world.folder / f"files-{count}-{size}"
        if not folder.exists():
            folder.mkdir()
            for number in range(count):
                (folder / f"small{number:04}").write_bytes(os.urandom(size))
        return sorted(folder.iterdir())

    def files(self, count: int, size: int, at_once: int, kept: Path | None = None) -> Figures:
        """So many cp at once. `kept`: where the files are then. None: they are read after the clock
        has stopped."""
        sources = self.small_files(count, size)
        started = time.monotonic()
        copies = [
            self.world.spawn("cp", *sources[n::at_once], self.directory) for n in range(at_once)
        ]
        for copy in copies:
            copy.wait(300)
        seconds = time.monotonic() - started
        for copy in copies:
            self.world.check(copy)
        for source in sources:
            path = self.second.incoming(self.first, source.name)
            if (kept / source.name if kept else path).read_bytes() != source.read_bytes():
                raise RuntimeError(f"ibbfs: {source.name} is not what was sent")
            if kept:
                path.unlink()
        return {"files": count, "seconds": seconds, "files_s": count / seconds}

    def store(self, size: int, kept: Path) -> Figures:
        """A large file into an inbox, which is in the directory `kept` when cp has ended."""
        source, before = self.world.source(size), cpu_seconds(*self.pids)
        started = time.monotonic()
        self.world.run("cp", source, self.directory / "large")
        seconds = time.monotonic() - started
        cpu_s = cpu_seconds(*self.pids) - before
        if sha256(kept / "large") != sha256(source):
            raise RuntimeError("ibbfs: what was stored is not what was sent")
        self.second.incoming(self.first, "large").unlink()
        return {
            "bytes": size,
            "seconds": seconds,
            "mb_s": size / 1e6 / seconds,
            "cpu_s_per_gb": per_gb(cpu_s, size),
        }

    def round_trips(self, count: int, seconds: float, beside: bool) -> Figures:
        echo, ping = self._start_ping(count, seconds)
        if beside:
            cat, flood = self._start_flood()
        before = self._sent("flood") if beside else 0
        assert ping.stdin
        started = time.monotonic()
        try:
            output, _ = ping.communicate("go\n", timeout=seconds + 20)
        except subprocess.TimeoutExpired as error:
            statuses = f"{self.first.status()}\n{self.second.status()}"
            raise RuntimeError(f"no round trip any more\n{statuses}") from error
        elapsed = time.monotonic() - started
        self.world.check(ping)
        echo.wait(20)
        self.world.check(echo)
        times = sorted(json.loads(output))
        figures: Figures = {
            "round_trips": len(times),
            "p50_us": times[len(times) // 2],
            "p99_us": times[len(times) * 99 // 100],
        }
        if beside:
            if flood.poll() is not None:
                raise RuntimeError(f"the bulk copy has ended\n{self.world.last_errors()}")
            figures["bulk_mb_s"] = (self._sent("flood") - before) / 1e6 / elapsed
            end_process(flood)
            cat.wait(60)  # with an error: the copy was killed
        return figures

    def _start_ping(self, count: int, seconds: float) -> tuple[subprocess.Popen, subprocess.Popen]:
        program = BENCH / "through_mounts.py"
        ping = self.world.spawn(
            *[program, "ping", self.directory / "ping", str(count), str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert ping.stdout and ping.stdout.readline() == "open\n", self.world.last_errors()
        return self.world.spawn(program, "echo", self.second.incoming(self.first, "ping")), ping

    def _start_flood(self) -> tuple[subprocess.Popen, subprocess.Popen]:
        """A running bulk copy that does not end."""
        flood = self.world.spawn(BENCH / "through_mounts.py", "flood", self.directory / "flood")
        incoming = self.second.incoming(self.first, "flood")
        poll_until(incoming.exists, what="the bulk copy has arrived")
        with open(os.devnull, "wb") as null:
            cat = self.world.spawn("cat", incoming, stdout=null)
        poll_until(lambda: self._sent("flood") > 2 * BUFFER, what="the bulk copy is read")
        return cat, flood

    def _sent(self, name: str) -> int:
        path = self.directory / name
        return int(os.getxattr(path, "user.ibb.sent")) if path.exists() else 0

    def hold(self, count: int, size: int) -> Figures:
        """Streams that are open, delivered, and not read."""
        reset_peak(*self.pids)
        hold = self.world.spawn(
            *[BENCH / "through_mounts.py", "hold", self.directory, str(count), str(size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert hold.stdout and hold.stdout.readline() == "held\n", self.world.last_errors()
        figures = self._peaks()
        hold.communicate()
        self.world.check(hold)
        return figures

    def stalled(self, size: int, seconds: float) -> Figures:
        """A copy that nobody reads."""
        figures: Figures = {"bytes": size}
        reset_peak(*self.pids)
        with watching_server(self.world, figures):
            cp = self.world.spawn("cp", self.world.source(size), self.directory / "stalled")
            time.sleep(seconds)
            figures["left_sender"] = float(os.getxattr(self.directory / "stalled", "user.ibb.sent"))
        figures |= self._peaks()
        end_process(cp)
        return figures


@dataclass
class Peer:
    """Another implementation, a process at each end."""

    world: World
    name: str
    block: int = 4096
    delay_ms: int = 0

    @property
    def program(self) -> Path:
        return BENCH / "slix.py" if self.name == "slixmpp" else self.world.program(self.name)

    def _arguments(self, size: int) -> list[str | Path]:
        server = self.world.endpoint(self.delay_ms)
        accounts, source = self.world.accounts_file(self.name), self.world.source(size)
        return [accounts, str(server.port), server.cafile, source, str(self.block)]

    def _receiver(self, how: str, size: int) -> subprocess.Popen:
        receiver = self.world.spawn(
            *[self.program, how, *self._arguments(size)], stdout=subprocess.PIPE
        )
        assert receiver.stdout and receiver.stdout.readline() == "ready\n", self.world.last_errors()
        return receiver

    def transfer(self, size: int) -> Figures:
        figures: Figures = {"bytes": size}
        receiver = self._receiver("receive", size)
        try:
            with watching_server(self.world, figures):
                sent = json.loads(self.world.run(self.program, "send", *self._arguments(size)))
                output, _ = receiver.communicate(timeout=60)
        finally:
            end_process(receiver)
        self.world.check(receiver)
        got = json.loads(output)
        if got["sha256"] != sha256(self.world.source(size)):
            raise RuntimeError(f"{self.name}: what was received is not what was sent")
        return figures | {
            "seconds": sent["seconds"],
            "mb_s": size / 1e6 / sent["seconds"],
            "cpu_s_per_gb": per_gb(sent["cpu_s"] + got["cpu_s"], size),
            "sender_peak_kib": sent["rss_kib"],
            "receiver_peak_kib": got["rss_kib"],
            "peak_kib": max(sent["rss_kib"], got["rss_kib"]),
        }

    def stalled(self, size: int, seconds: float) -> Figures:
        """A copy whose receiver has stopped to read."""
        figures: Figures = {"bytes": size}
        receiver = self._receiver("receive-nothing", size)
        with watching_server(self.world, figures):
            sender = self.world.spawn(self.program, "send", *self._arguments(size))
            time.sleep(seconds)
        figures["sender_peak_kib"] = peak_kib(sender.pid)
        figures["receiver_peak_kib"] = peak_kib(receiver.pid)
        end_process(sender)
        end_process(receiver)
        return figures


def fit_size(
    transfer: Callable[[int], Figures], seconds: float, delay_ms: int, unit: int, most: int
) -> int:
    """How many bytes take between half of `seconds` and all of them: a unit times a power of two,
    tried until a run is that long, as the first ones may be slower. The time for the first request
    and the last answer is the same for any size."""
    fixed = 2 * 4 * delay_ms / 1000
    size = unit
    while 2 * size <= most:
        spent = max(transfer(size)["seconds"] - fixed, 1e-3)
        if 2 * spent > seconds:
            break
        size = size * 4 if 8 * spent < seconds and 4 * size <= most else size * 2
    return size
