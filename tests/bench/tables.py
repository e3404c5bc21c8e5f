# SPDX-License-Identifier: MIT
"""A table for each section of the measurements."""

from __future__ import annotations

from figures import Runs
from page import LABELS, block_name, both_peaks, label, mib, number, rate_figure, size_name
from page import spread, table
from sections import HELD_BYTES
from targets import rival


def distance(runs: Runs) -> str:
    text = ""
    for server in runs.kinds("server"):
        for block in runs.where(server=server).kinds("block"):
            text += f"### {LABELS[server]}, blocks: {block_name(block)}\n\n"
            text += distance_table(runs.where(server=server), block) + "\n"
    return text


def distance_table(runs: Runs, block: int) -> str:
    rows = []
    for delay_ms in runs.kinds("delay_ms"):
        there = runs.where(delay_ms=delay_ms)
        here, pump = there.where(block=block), rival(there, "pump", block)
        for name in here.kinds("implementation"):
            mine = here.where(implementation=name)
            speed, cpu = mine.median("mb_s"), mine.median("cpu_s_per_gb")
            busy = cpu * speed / 1000 if cpu is not None and speed is not None else None
            rows.append(
                [
                    str(delay_ms),
                    label(name, mine),
                    spread(mine, "mb_s"),
                    number(mine.over(pump, "mb_s")),
                    number((mine.median("bytes") or 0) / 2**20),
                    number(cpu),
                    number(mine.median("server_cpu_s_per_gb")),
                    f"{number(busy)} / {number(mine.median('server_busy'))}",
                    both_peaks(mine),
                    mib(mine.highest("server_peak_kib")),
                ]
            )
    head = ["D ms", "", "MB/s median (min-max)", "/ pump", "MiB sent", "CPU s/GB, ends"]
    head += ["server's", "cores busy, ends / server", "peak MiB, sender / receiver", "server's"]
    return table(head, rows)


def streams(runs: Runs) -> str:
    rows = []
    for server in runs.kinds("server"):
        for block in runs.kinds("block"):
            for count in runs.kinds("streams"):
                where = dict(server=server, block=block, streams=count)
                pump = runs.where(implementation="pump", **where)
                ibbfs = runs.where(implementation="ibbfs", **where)
                if not ibbfs:
                    continue
                rows.append(
                    [LABELS[server], str(block), str(count)]
                    + [spread(pump, "mb_s"), spread(ibbfs, "mb_s")]
                    + [number(runs.ratio("mb_s", "ibbfs", "pump", **where))]
                    + [number(ibbfs.median("cpu_s_per_gb")), both_peaks(ibbfs)]
                )
    head = ["server", "block", "streams", "pump MB/s", "ibbfs MB/s", "ibbfs / pump"]
    head += ["ibbfs CPU s/GB", "ibbfs peak MiB, sender / receiver"]
    text = (
        "All streams are between two accounts and open at once. Together they carry as many\n"
        "bytes as one. The time to open them is left out. The daemons stay from row to row, and\n"
        "keep the memory that the largest number of streams has needed.\n\n"
    )
    return text + table(head, rows)


def files_row(runs: Runs, at_once: int) -> list[str]:
    mine, first = runs.where(streams=at_once), runs[0]
    pump, ibbfs = mine.where(implementation="pump"), mine.where(implementation="ibbfs")
    figure, unit = rate_figure(first.file_bytes)
    return (
        [LABELS[first.server], size_name(first.file_bytes), str(first.delay_ms)]
        + [f"{ibbfs.median('files') or 1:.0f}", str(at_once)]
        + [f"{spread(pump, figure)} {unit}", f"{spread(ibbfs, figure)} {unit}"]
        + [number(ibbfs.over(pump, figure))]
    )


def files(runs: Runs) -> str:
    rows = []
    for server in runs.kinds("server"):
        for size in sorted(runs.kinds("file_bytes")):
            for delay_ms in sorted(runs.where(file_bytes=size).kinds("delay_ms")):
                here = runs.where(server=server, file_bytes=size, delay_ms=delay_ms)
                rows += [files_row(here, count) for count in here.kinds("streams")]
    text = (
        "A `cp` copies many files, one after the other, or one large file. For each small file,\n"
        "the pump opens, sends a block and closes, and waits each time. Where several `cp` run at\n"
        "once, the pump does the same for as many files at once. It sends the large file with its\n"
        "window.\n\n"
    )
    head = ["server", "size", "D ms", "files", "at once", "pump", "ibbfs", "ibbfs / pump"]
    return text + table(head, rows)


def round_trips(runs: Runs) -> str:
    rows = []
    for server in runs.kinds("server"):
        idle = runs.where(server=server, implementation="pump", beside=False).median("p50_us")
        for beside in (False, True):
            where = dict(server=server, beside=beside)
            for name in ("pump", "ibbfs"):
                mine = runs.where(implementation=name, **where)
                middle = mine.median("p50_us")
                rows.append(
                    [LABELS[server], "yes" if beside else "no"]
                    + [label(name, mine if beside else Runs())]
                    + [number(middle), number(mine.median("p99_us"))]
                    + [number(runs.ratio("p50_us", name, "pump", **where))]
                    + [number(middle / idle if middle and idle else None)]
                    + [number(mine.median("bulk_mb_s"))]
                )
    text = (
        "A byte is sent to the other side, which sends a byte back on the same stream. Through\n"
        "the mounts, both ends use `open(O_RDWR)`, `write` and `read`. A bulk copy beside it\n"
        "uses the same two connections. The pump's has 16 blocks in flight. The one of ibbfs has\n"
        "as many as its window allows. The target is the ratio to the pump in the same\n"
        "situation. The next column has the stricter ratio, to the idle pump.\n\n"
    )
    head = ["server", "bulk copy", "", "p50 µs", "p99 µs", "p50 / pump's", "p50 / pump's when idle"]
    return text + table([*head, "bulk MB/s"], rows)


def memory(runs: Runs) -> str:
    rows = []
    for run in runs:
        if run.streams > 1:
            what = f"{run.streams} streams of {HELD_BYTES} bytes, nobody reads"
        elif run.file_bytes > 0:
            what = f"a file of {size_name(run.file_bytes)}"
        else:
            what = "64 MiB, the reader has stopped"
        got = run.figures
        rows.append(
            [LABELS[run.server], LABELS[run.implementation], what]
            + [mib(got.get(f"{who}_peak_kib")) for who in ("sender", "receiver", "server")]
        )
    head = ["server", "", "what", "sender, peak MiB", "receiver", "server"]
    return table(head, rows)


def inbox(runs: Runs) -> str:
    rows = []
    for server in runs.kinds("server"):
        for size in sorted(runs.kinds("file_bytes")):
            figure, unit = rate_figure(size)
            here = runs.where(server=server, file_bytes=size)
            for count in here.kinds("streams"):
                for name in here.where(streams=count).kinds("implementation"):
                    mine = here.where(implementation=name, streams=count)
                    ratios = [
                        here.ratio(figure, name, other, streams=count)
                        for other in ("unsynced", "ibbfs", "dd")
                    ]
                    rows.append(
                        [LABELS[server], size_name(size)]
                        + [f"{mine.median('files') or 1:.0f}", str(count)]
                        + ["no inbox" if name == "ibbfs" else LABELS[name]]
                        + [f"{spread(mine, figure)} {unit}", *map(number, ratios)]
                    )
    text = (
        "`cp` into a mount, and the receiver stores the file in its inbox, in the build\n"
        "directory (the file system is in the table above). When `cp` ends, the file is on disk\n"
        "or, with `inbox_sync=no`, in the page cache. Without an inbox, a large file is read, and\n"
        "small ones are not. `dd` writes the same files to the same disk, one process after the\n"
        "other.\n\n"
    )
    head = ["server", "size", "files", "`cp` at once", "", "median (min-max)"]
    return text + table([*head, "/ `inbox_sync=no`", "/ no inbox", "/ `dd`"], rows)


def first(runs: Runs) -> str:
    rows = []
    for server in runs.kinds("server"):
        for block in runs.where(server=server).kinds("block"):
            mine = runs.where(server=server, block=block)
            rows.append(
                [LABELS[server], str(mine[0].delay_ms), block_name(block)]
                + [spread(mine, "first_seconds"), spread(mine, "second_seconds")]
                + [number((mine.median("full_bytes") or 0) / 2**20)]
                + [spread(mine, "full_seconds"), spread(mine, "round_trips")]
            )
    text = (
        "A large file, twice, through mounts that have just started. The window is full when as\n"
        "many bytes are in flight as the second file delivers in a round-trip time of 4 D. The\n"
        "time until then begins when `cp` starts, and whole round-trip times are counted.\n\n"
    )
    head = ["server", "D ms", "block", "first, s", "second, s", "window, MiB", "full after s"]
    return text + table([*head, "round trips"], rows)


def cost(runs: Runs) -> str:
    rows = []
    for server in runs.kinds("server"):
        here = runs.where(server=server)
        without = here.where(implementation="unresumable")
        for name in ("unresumable", "resumable"):
            mine = here.where(implementation=name)
            rows.append([LABELS[server], LABELS[name]])
            for figure in ("mb_s", "cpu_s_per_gb"):
                rows[-1] += [spread(mine, figure), number(mine.over(without, figure))]
    text = (
        "A large file into an inbox with `inbox_sync=no`, twice in a round. By default the\n"
        "receiver keeps a journal, and both ends compute digests of pieces. With `reconnect=0` at\n"
        "the receiver they do neither.\n\n"
    )
    return text + table(["server", "receiver", "MB/s", "ratio", "CPU s/GB", "ratio"], rows)
