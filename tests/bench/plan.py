# SPDX-License-Identifier: MIT
"""What is measured, and how often."""

from __future__ import annotations

from dataclasses import dataclass, replace

from world import LARGEST


@dataclass(frozen=True)
class Plan:
    rounds: int = 5
    waiting_rounds: int = 2  # of WAITING, whose figures hardly vary
    seconds: float = 3  # of one run, at most about that
    trial_seconds: float = 0.8  # of a run that only looks for a window
    servers: tuple[str, ...] = ("prosody", "ejabberd")
    blocks: tuple[int, ...] = (4096, 16384)
    delays_ms: tuple[int, ...] = (0, 10, 50)
    whole_when_far: tuple[str, ...] = ("ejabberd",)  # always a large file there
    near_windows: tuple[int, ...] = (4, 16, 64, 256)
    far_windows: tuple[int, ...] = (256, 1024, 2048, 4096)
    streams: tuple[int, ...] = (1, 10, 100, 1000)
    # Bytes of each, delay, how many.
    small_files: tuple[tuple[int, int, int], ...] = (
        (1, 0, 1000),
        (4096, 0, 1000),
        (4096, 10, 20),
        (4096, 50, 5),
    )
    large_file: int = LARGEST
    round_trips: int = 1000
    round_trip_seconds: float = 3
    stalled_seconds: float = 8
    inbox_files: int = 1000
    copies: tuple[int, ...] = (1, 16)  # at once
    first_delay_ms: int = 50
    first_bytes: int = LARGEST
    cost_pairs: int = 2  # a round

    def seconds_at(self, delay_ms: int) -> float:
        """At least 25 round trips, so that opening and closing are a small part."""
        return max(self.seconds, 25 * 4 * delay_ms / 1000)

    def with_rounds(self, rounds: int) -> Plan:
        return replace(self, rounds=rounds)

    def with_delay(self, delay_ms: int) -> Plan:
        files = tuple(cell for cell in self.small_files if cell[1] == delay_ms)
        return replace(self, delays_ms=(delay_ms,), small_files=files)


QUICK = Plan(
    rounds=1,
    waiting_rounds=1,
    seconds=0.6,
    trial_seconds=0.2,
    blocks=(4096,),
    delays_ms=(0, 10),
    near_windows=(16,),
    far_windows=(256,),
    streams=(1, 100),
    small_files=((4096, 0, 100),),
    large_file=4 * 2**20,
    round_trips=200,
    round_trip_seconds=1,
    stalled_seconds=2,
    inbox_files=100,
    first_delay_ms=10,
    first_bytes=8 * 2**20,
    whole_when_far=(),
    cost_pairs=1,
)
