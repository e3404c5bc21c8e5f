# SPDX-License-Identifier: MIT
"""Contacts behind a gateway: their presence comes from the bare JID, and so do their stanzas."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from gateway import BEHIND, Gateway, component
from lab import Lab
from rawpeer import NS_IBB, NS_IBBFS, NS_INFO, NS_PING, payload, refuse
from test_errors import expect_open

WRITE = os.O_WRONLY | os.O_CREAT


@pytest.mark.server("prosody", "components need a port of their own, which only its lab opens")
@pytest.mark.parametrize(
    "features", [(NS_INFO, NS_PING, NS_IBB), (NS_INFO, NS_PING, NS_IBB, NS_IBBFS)]
)
def test_in_both_directions(limited_lab: Callable[..., Lab], features: tuple[str, ...]) -> None:
    port, settings = component()
    lab = limited_lab(settings=settings)
    mount = lab.mount(lab.server.add_account("alice", (BEHIND,)))
    directory, source = mount.contact(BEHIND), lab.random_file(10_000)

    def expect_offline() -> None:
        with pytest.raises(OSError) as failure:
            os.open(directory / "f", WRITE)
        assert failure.value.errno == errno.EHOSTDOWN

    expect_offline()
    peer = Gateway(port, features=features)
    peer.send(f"<presence to='{mount.account.jid}'/>")
    # Stanzas stay in order: the presence is there when the answer is.
    assert peer.request(mount.jid, f"<ping xmlns='{NS_PING}'/>", type_="get").get("type") == "result"
    copy = lab.run("cp", source, directory / "report.pdf")
    assert copy.returncode == 0, copy.stderr
    sid = payload(peer.wait_open()).get("sid")
    assert peer.received(sid) == source.read_bytes()
    assert os.getxattr(directory / "report.pdf", "user.ibb.peer") == BEHIND.encode()
    assert sorted(os.listdir(directory)) == ["in", "report.pdf"]

    peer.send_file(mount.jid, "photo", source.read_bytes(), name="photo.jpg")
    assert mount.incoming(BEHIND, "photo.jpg").read_bytes() == source.read_bytes()

    # It goes offline: a stream to it is lost, and another cannot begin.
    fd = os.open(directory / "g", WRITE)
    peer.send(f"<presence to='{mount.account.jid}' type='unavailable'/>")
    peer.request(mount.jid, f"<ping xmlns='{NS_PING}'/>", type_="get")
    expect_offline()
    peer.send(f"<presence to='{mount.account.jid}'/>")
    peer.request(mount.jid, f"<ping xmlns='{NS_PING}'/>", type_="get")
    assert lab.run("cp", source, directory / "h").returncode == 0
    with pytest.raises(OSError) as failure:
        os.write(fd, b"x")
    assert failure.value.errno == errno.ECONNRESET
    with pytest.raises(OSError):
        os.close(fd)
    peer.stop()


@pytest.mark.server("prosody", "components need a port of their own, which only its lab opens")
def test_a_presence_error_of_a_bare_jid(limited_lab: Callable[..., Lab]) -> None:
    """Our presence was not delivered, as when a server could not connect to that of the contact.
    The contact's own presence, which came by another connection, stays."""
    port, settings = component()
    lab = limited_lab(settings=settings)
    mount = lab.mount(lab.server.add_account("alice", (BEHIND,)))
    peer = Gateway(port)
    peer.jid = f"{BEHIND}/phone"
    peer.send(f"<presence to='{mount.account.jid}'/>")
    mount.wait_online(peer.jid)
    peer.jid = BEHIND
    error = "<error type='cancel'><remote-server-timeout xmlns='{}'/></error>"
    error = error.format("urn:ietf:params:xml:ns:xmpp-stanzas")
    peer.send(f"<presence to='{mount.jid}' type='error'>{error}</presence>")
    # Stanzas stay in order: the presence is there when the answer is.
    peer.request(mount.jid, f"<ping xmlns='{NS_PING}'/>", type_="get")
    peer.jid = f"{BEHIND}/phone"
    peer.rules["open"] = refuse("not-acceptable")
    expect_open(lab, mount.contact(BEHIND) / "f", errno.ECONNREFUSED)
    peer.stop()
