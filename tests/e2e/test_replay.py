# SPDX-License-Identifier: MIT
"""A mount and recordings of other clients, in both directions: see replay.py."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from daemon import poll_until
from lab import Lab
from rawpeer import is_kind
from replay import Replay, action
from test_attributes import attribute


def offered(replay: Replay) -> Path:
    """The file that the client offers, once the mount shows it."""
    folder = replay.mount.incoming(replay.peer).parent
    return folder / poll_until(lambda: os.listdir(folder)[1:], what="an offer")[0]


def start_cp(lab: Lab, replay: Replay) -> subprocess.Popen:
    source = lab.folder / "file.bin"
    source.write_bytes(replay.content)
    return lab.spawn(
        "cp", source, replay.mount.contact(replay.peer), env=os.environ | {"LC_ALL": "C.UTF-8"}
    )


# ---- files that they send ----


@pytest.mark.parametrize(
    "capture",
    [
        "dino-sends",
        "dino-sends-small-blocks",
        "gajim-sends",
        "gajim-sends-small-blocks",
        "gloox-sends",
        "libpurple-sends",
        "libpurple-sends-empty",
        "psi-plus-sends",
        "qxmpp-sends",
        "qxmpp-sends-empty",
    ],
)
@pytest.mark.parametrize("kept", [False, True], ids=["read", "inbox"])
def test_sends(lab: Lab, capture: str, kept: bool) -> None:
    options = [f"inbox={lab.folder}/inbox"] if kept else []
    options += ["block_size=1024"] if "small-blocks" in capture else []
    replay = Replay(lab, capture, ",".join(options))
    if kept:
        replay.run()
        folder = lab.folder / "inbox" / replay.peer.jid.split("/")[0]
        poll_until(lambda: list(folder.glob("*.bin")), what="the file has its name")
        (path,) = folder.iterdir()
        assert path.read_bytes() == replay.content
    else:
        content = lab.background(lambda: offered(replay).read_bytes())
        replay.run()
        assert content.result(20) == replay.content
    if capture.startswith(("dino", "gajim")):
        assert replay.reason() == "success"
        # session-terminate follows the end of the bytestream: Dino takes an earlier one for a
        # failure.
        said = replay.peer.find(is_kind("other", "result"))
        assert action(said[-1]) == "jingle session-terminate"


def test_socks5_is_not_for_us(lab: Lab) -> None:
    """A client that queried our features would not offer this; the session ends with the reason."""
    replay = Replay(lab, "gajim-sends-s5b")
    replay.run()
    assert replay.reason() == "unsupported-transports"
    assert os.listdir(replay.mount.incoming(replay.peer).parent) == ["next"]


# ---- files that they receive ----


@pytest.mark.parametrize(
    "capture, form, state",
    [
        ("libervia-receives", "jingle", "finished"),
        ("gloox-receives", "si", "unconfirmed"),
        ("libpurple-receives", "si", "unconfirmed"),
        ("psi-plus-receives", "si", "unconfirmed"),
        # It claims to support Jingle, and would crash.
        ("psi-plus-1.4.1456-receives", "si", "unconfirmed"),
        ("qxmpp-receives", "si", "unconfirmed"),
    ],
)
def test_receives(lab: Lab, capture: str, form: str, state: str) -> None:
    replay = Replay(lab, capture, f"spool={lab.folder}/spool")
    cp = start_cp(lab, replay)
    replay.run()
    assert cp.wait(20) == 0, cp.communicate()
    if capture == "libervia-receives":  # it refuses an offer without it
        assert {"desc", "hash-used"} <= {child.tag.split("}")[1] for child in replay.file}
    path = replay.mount.contact(replay.peer) / "file.bin"
    assert (attribute(path, "format"), attribute(path, "state")) == (form, state)


@pytest.mark.once
def test_dino_receives(lab: Lab) -> None:
    """Dino saves no file and confirms none, although it acknowledges every byte: cp fails."""
    replay = Replay(lab, "dino-receives", f"spool={lab.folder}/spool")
    replay.patience_s = 60
    cp = start_cp(lab, replay)
    began = time.monotonic()
    replay.run()
    _, err = cp.communicate(timeout=20)
    assert cp.returncode == 1
    assert b"Connection timed out" in err
    assert time.monotonic() - began >= 30
    path = replay.mount.contact(replay.peer) / "file.bin"
    assert attribute(path, "state") == "unconfirmed"
    assert replay.reason() == "timeout"


def test_gajim_receives(lab: Lab) -> None:
    """It never asks its user; we end the session that it has forgotten."""
    replay = Replay(lab, "gajim-receives", f"spool={lab.folder}/spool,answer_timeout=2")
    cp = start_cp(lab, replay)
    replay.run()
    _, err = cp.communicate(timeout=20)
    assert (cp.returncode, replay.reason()) == (1, "timeout")
    assert b"Connection timed out" in err


def test_gajim_receives_mended(lab: Lab) -> None:
    replay = Replay(lab, "gajim-receives-mended", f"spool={lab.folder}/spool,timeout=2")
    cp = start_cp(lab, replay)
    replay.run()
    _, err = cp.communicate(timeout=20)
    assert (cp.returncode, replay.reason()) == (1, "timeout")
    assert b"Connection timed out" in err
