# SPDX-License-Identifier: MIT
"""What systemd wants of a system, in name spaces of its own: for the tests of units."""

SPACES = ("unshare", "--mount", "--pid", "--fork", "--cgroup", "--mount-proc", "--kill-child")

# The beginning of a script in them.
WORLD = """
set -eu
mount --make-rshared /
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
"""
