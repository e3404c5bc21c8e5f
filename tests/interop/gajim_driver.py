#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Gajim without a user: an account that is logged in, and files that are sent by a line of input.

    gajim_driver.py FOLDER JID PASSWORD

Lines "send JID PATH" on standard input; events on standard output as tests/peers/peer.h has them.
From Gajim 2 on, files are not sent: it has no Jingle file transfer any more.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

FOLDER, ADDRESS, PASSWORD = sys.argv[1:]
ACCOUNT = "interop"
sys.argv = ["gajim", "--config-path", FOLDER, "--verbose"]

import gi  # noqa: E402

HAS_MAIN = importlib.util.find_spec("gajim.main") is not None  # from 2.0 on
GTK = "4.0" if HAS_MAIN else "3.0"
gi.require_version("Gtk", GTK)
gi.require_version("Gdk", GTK)
from gajim.common import app, configpaths  # noqa: E402
from gajim.common.setting_values import ACCOUNT_SETTINGS  # noqa: E402
from gajim.common.settings import Settings  # noqa: E402
from gi.repository import GLib  # noqa: E402
from nbxmpp.namespaces import Namespace  # noqa: E402
from nbxmpp.protocol import JID  # noqa: E402


def make_account() -> None:
    configpaths.set_config_root(FOLDER)
    configpaths.init()
    configpaths.create_paths()
    settings = Settings()
    settings.init()
    settings.set_app_setting("use_keyring", False)
    settings.set_app_setting("check_for_update", False)
    settings.add_account(ACCOUNT)
    bare, resource = ADDRESS.split("/")
    user, host = bare.split("@")
    for name, value in {
        "account_label": ACCOUNT,
        "address": bare,  # of newer ones
        "name": user,  # of older ones
        "hostname": host,
        "password": PASSWORD,
        "savepass": True,
        "resource": resource,
        "active": True,
        "autoconnect": True,
        "use_custom_host": True,
        "custom_host": host,
        "custom_port": 5222,
        "custom_type": "START TLS",
    }.items():
        if name in ACCOUNT_SETTINGS["account"]:
            settings.set_account_setting(ACCOUNT, name, value)
    settings.close()


def tell(event: str) -> None:
    print(event, flush=True)


def send(address: str, path: str) -> bool:
    """Tries again until its contact is online with the features for a file."""
    if not app.account_is_available(ACCOUNT):
        return GLib.SOURCE_CONTINUE
    jid = JID.from_string(address)
    client = app.get_client(ACCOUNT)
    contact = client.get_module("Contacts").get_contact(jid.bare)
    resources = {str(c.jid): c for c in contact.iter_resources()}
    if address not in resources or not resources[address].supports(Namespace.JINGLE_IBB):
        return GLib.SOURCE_CONTINUE
    if HAS_MAIN:
        tell("refused")
        return GLib.SOURCE_REMOVE
    window = app.interface.instances["file_transfers"]
    window.send_file(ACCOUNT, resources[address], jid, path)
    tell("started")
    return GLib.SOURCE_REMOVE


def obey(_source: int, _condition: int) -> bool:
    line = os.read(0, 4096).decode().strip()
    if line.startswith("send "):
        _, address, path = line.split(" ", 2)
        GLib.timeout_add(500, send, address, path)
    return bool(line)


def watch() -> bool:
    if not app.account_is_available(ACCOUNT):
        return GLib.SOURCE_CONTINUE
    tell(f"ready {ADDRESS}")
    return GLib.SOURCE_REMOVE


if not (Path(FOLDER) / "settings.sqlite").exists():
    if os.fork() == 0:
        make_account()
        os._exit(0)
    os.wait()

if HAS_MAIN:
    from gajim.main import run
else:
    from gajim.gajim import main as run

GLib.timeout_add(500, watch)
GLib.io_add_watch(0, GLib.IO_IN | GLib.IO_HUP, obey)
run()
