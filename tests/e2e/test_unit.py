# SPDX-License-Identifier: MIT
"""The unit ibbfs@.service, under a real systemd --user in name spaces of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from booted import SPACES, WORLD
from lab import Lab
from test_config import furnish

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make the name spaces"),
]

ROOT = Path(__file__).resolve().parents[2]
SYSTEMD = Path("/lib/systemd/systemd")

# The manager wants a system that systemd has booted, and cgroups of its own.
SCRIPT = """
mkdir -p /run/user/0/systemd/user
chmod 700 /run/user/0
group=$(mktemp -d /sys/fs/cgroup/ibbfs-XXXXXX)
echo $$ >"$group/cgroup.procs"
leave() {
	echo $$ >/sys/fs/cgroup/cgroup.procs
	find "$group" -depth -type d -exec rmdir {} +
}
trap leave EXIT
export XDG_RUNTIME_DIR=/run/user/0
cp "$1" "/run/user/0/systemd/user/ibbfs@.service"
unit=ibbfs@$2.service mnt=$HOME/xmpp/$2
systemd-analyze --user --man=no verify "/run/user/0/systemd/user/$unit" >&2
{systemd} --user --log-target=console --log-level=info &
manager=$!
while ! systemctl --user is-system-running >/dev/null 2>&1; do sleep 0.1; done
is_mounted() { if mountpoint -q "$mnt"; then echo yes; else echo no; fi; }
tell() { systemctl --user show -P "$1" "$unit"; }
systemctl --user start "$unit" || { systemctl --user status "$unit" >&2; exit 1; }
mounted=$(is_mounted) first=$(tell MainPID)
systemctl --user reload "$unit"
reloaded=$(tell ActiveState) second=$(tell MainPID) status=$(tell StatusText)
kill -KILL "$second"
while [ "$(tell ActiveState)" = active ]; do sleep 0.1; done
killed=$(is_mounted)
systemctl --user stop "$unit"
systemctl --user reset-failed "$unit" 2>/dev/null || true
systemctl --user start "$unit"
systemctl --user stop "$unit"
printf '{"mounted": "%s", "reloaded": "%s", "same": "%s", "status": "%s", "killed": "%s",
"result": "%s", "stopped": "%s"}' "$mounted" "$reloaded" "$((first == second))" "$status" "$killed" \
"$(tell Result)" "$(is_mounted)"
kill "$manager"
wait "$manager" || true
"""


def test_a_user_unit(request: pytest.FixtureRequest, lab: Lab) -> None:
    """Mounted when it is started, alive after a reload, with no mount left of a killed daemon."""
    if not SYSTEMD.exists() or not shutil.which("systemctl"):
        if request.config.getoption("--require-fuse"):
            pytest.fail("systemd is not installed")
        pytest.skip("systemd is not installed")
    (me,) = lab.accounts("me")
    config, environment = furnish(lab, me)
    config.with_name("password").rename(config.with_suffix(".password"))
    config.write_text(re.sub("password_file.*\n", "", config.read_text()))
    text = (ROOT / "packaging" / "systemd" / "ibbfs@.service.in").read_text()
    unit = lab.folder / "ibbfs@.service"
    log = lab.folder / "log"
    text = text.replace("UMask=", f"StandardError=append:{log}\nUMask=")
    unit.write_text(text.replace("@bindir@/ibbfs", str(lab.build.binary)))
    script = WORLD + SCRIPT.replace("{systemd}", str(SYSTEMD))
    done = subprocess.run(
        [*SPACES, "bash", "-c", script, "bash", unit, me.jid],
        capture_output=True,
        text=True,
        env=environment,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr + log.read_text()
    told = json.loads(done.stdout.replace("\n", ""))
    status = told.pop("status")
    assert re.fullmatch(rf"{me.jid}/ibbfs-[0-9a-f]+: online, 0 streams", status)
    assert told == {
        "mounted": "yes",
        "reloaded": "active",
        "same": "1",
        "killed": "no",
        "result": "success",
        "stopped": "no",
    }
