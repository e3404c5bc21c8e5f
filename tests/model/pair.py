# SPDX-License-Identifier: MIT
"""The two mounts of a sequence, and what can happen to them meanwhile."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field

from daemon import Mount, poll_until
from faultproxy import FaultProxy


@dataclass
class Pair:
    """`mounts`: of the side that opens the stream, and of the other."""

    mounts: tuple[Mount, Mount]
    _before: dict[int, int] = field(default_factory=dict)  # connections before a cut, by side

    @property
    def can_break(self) -> bool:
        """Whether its connections can be cut, and its receiver may be killed."""
        return all(mount.via for mount in self.mounts)

    def _proxy(self, side: int) -> FaultProxy:
        proxy = self.mounts[side].via
        assert proxy
        return proxy

    def cut(self, side: int, after: int) -> None:
        """The connection breaks now, or after so many bytes."""
        proxy = self._proxy(side)
        self._before[side] = proxy.connections
        if after:
            proxy.cut_after(after)
        else:
            proxy.cut()

    def restart(self, side: int) -> None:
        """As a machine that has lost its power, but for its disk."""
        self._before.pop(side, None)
        self.mounts[side].kill()
        self._proxy(side).spare()
        self.mounts[side].start()

    def settle(self) -> None:
        """No connection breaks any more, and both see each other."""
        for side, before in self._before.items():
            proxy = self._proxy(side)
            if proxy.spare():
                continue  # it was not cut
            poll_until(lambda: proxy.connections > before, 60, "a new connection")
        self._before.clear()
        first, second = self.mounts
        for mount, other in ((first, second), (second, first)):
            mount.wait_connected()
            mount.wait_online(other.jid)

    def end(self, side: int, forced: bool) -> None:
        mount = self.mounts[side]
        if forced and os.geteuid() == 0:
            subprocess.run(["umount", "-i", "-f", "-l", mount.path], check=True)
            mount.expect_exit(0)
        else:
            mount.stop()
