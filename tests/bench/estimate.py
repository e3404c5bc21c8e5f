# SPDX-License-Identifier: MIT
"""How long a plan takes, in seconds: roughly, on the machine of docs/bench.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from plan import Plan
from sections import PIECES
from world import LARGEST

MB_S = {"prosody": 15, "ejabberd": 60}  # over all block sizes
START = 0.2  # of a program, with what is compared at its end
MOUNTS = 1  # both, until they see each other, and their end


def log_in(delay_ms: int) -> float:
    """Both ends, one after the other."""
    return START + 34 * delay_ms / 1000


def copy(server: str, delay_ms: int, most: float = 100) -> float:
    return min(LARGEST / 1e6 / MB_S[server], most) + 8 * delay_ms / 1000 + START


def trials(plan: Plan, server: str, delay_ms: int) -> float:
    """To find the best window of the pump with one block size."""
    windows = len(plan.far_windows if delay_ms else plan.near_windows) * len(PIECES[server])
    one = plan.trial_seconds + 16 * delay_ms / 1000
    return windows * (4 * log_in(delay_ms) + 3 * one)


def distance(plan: Plan, server: str) -> float:
    spent = 0.0
    for delay_ms in plan.delays_ms:
        # ibbfs also with blocks that it chooses itself; pump and gloox.
        blocks = len(plan.blocks)
        most = plan.seconds_at(delay_ms)
        fast = (3 * blocks + 1) * copy(server, delay_ms, most) + 2 * blocks * log_in(delay_ms)
        waiting = (blocks + 1) * (0.8 * plan.seconds + log_in(delay_ms))
        spent += (plan.rounds + 2) * fast + (plan.waiting_rounds + 1) * waiting
        spent += blocks * trials(plan, server, delay_ms) + (blocks + 1) * MOUNTS
    return spent


def first(plan: Plan, server: str) -> float:
    return plan.rounds * (MOUNTS + 2 * copy(server, plan.first_delay_ms))


def streams(plan: Plan, server: str) -> float:
    run = 2 * copy(server, 0) + 3 * START
    cell = plan.rounds * len(plan.streams) * run
    return len(plan.blocks) * (trials(plan, server, 0) + cell + MOUNTS)


def files(plan: Plan, server: str) -> float:
    spent = trials(plan, server, 0) + plan.rounds * 2 * copy(server, 0)
    for _, delay_ms, count in plan.small_files:
        each = 0.0025 + 5 * 4 * delay_ms / 1000
        spent += MOUNTS + plan.rounds * (count * each + log_in(delay_ms))
    return spent


def roundtrips(plan: Plan, server: str) -> float:
    return 2 * plan.rounds * (MOUNTS + plan.round_trip_seconds + 4 * START)


def memory(plan: Plan, server: str) -> float:
    return 2 * (MOUNTS + plan.stalled_seconds) + 4


def inbox(plan: Plan, server: str) -> float:
    cell = MOUNTS + 2 * plan.inbox_files * 0.0015 + copy(server, 0)
    return plan.rounds * (3 * cell + plan.inbox_files * 0.003)


def cost(plan: Plan, server: str) -> float:
    return 2 * MOUNTS + plan.rounds * plan.cost_pairs * 2 * copy(server, 0)


ESTIMATES: dict[str, Callable[[Plan, str], float]] = {
    estimate.__name__: estimate
    for estimate in (distance, first, streams, files, roundtrips, memory, inbox, cost)
}


def total(plan: Plan, wanted: Iterable[tuple[str, str]]) -> float:
    """Of pairs of a server and a section."""
    return sum(ESTIMATES[section](plan, server) for server, section in wanted)
