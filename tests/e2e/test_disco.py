# SPDX-License-Identifier: MIT
"""Our answers to service discovery, and who gets them."""

import base64
import hashlib

from daemon import Mount
from lab import Lab
from rawpeer import (
    NS_CAPS,
    NS_FILE,
    NS_IBB,
    NS_IBBFS,
    NS_INFO,
    NS_PING,
    RawPeer,
    Stanza,
    condition,
    is_kind,
    payload,
    silence,
)


def info(mount: Mount, peer: RawPeer, node: str = "") -> Stanza:
    attribute = f" node='{node}'" if node else ""
    answer = peer.request(mount.jid, f"<query xmlns='{NS_INFO}'{attribute}/>", type_="get")
    assert answer.get("type") == "result"
    return payload(answer)


def features(query: Stanza) -> list[str]:
    return [f.get("var") for f in query.findall(f"{{{NS_INFO}}}feature")]


def verification_string(query: Stanza) -> str:
    """XEP-0115 section 5.1; there are no forms."""
    lang = "{http://www.w3.org/XML/1998/namespace}lang"
    identities = sorted(
        f"{i.get('category')}/{i.get('type')}/{i.get(lang, '')}/{i.get('name', '')}<"
        for i in query.findall(f"{{{NS_INFO}}}identity")
    )
    text = "".join(identities) + "".join(f + "<" for f in sorted(features(query)))
    return base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()


def capabilities(mount: Mount, peer: RawPeer) -> Stanza:
    presence = peer.wait_for(
        lambda s: is_kind("presence")(s) and s.get("from") == mount.jid and not s.get("type")
    )
    return presence.find(f"{{{NS_CAPS}}}c")


def test_features(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    query = info(mount, peer)
    assert set(features(query)) >= {NS_INFO, NS_CAPS, NS_PING, NS_IBB, NS_IBBFS}
    assert len(features(query)) == len(set(features(query)))
    assert len(query.findall(f"{{{NS_INFO}}}identity")) == 1


def test_capabilities_in_presence(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    c = capabilities(mount, peer)
    assert c.get("hash") == "sha-1"
    assert c.get("ver") == verification_string(info(mount, peer))
    node = f"{c.get('node')}#{c.get('ver')}"
    query = info(mount, peer, node)
    assert query.get("node") == node
    assert c.get("ver") == verification_string(query)


def test_who_has_our_capabilities_is_not_asked(lab: Lab) -> None:
    """XEP-0115: clients with the same hash have the same features."""
    mount, peer = lab.with_raw()
    c = capabilities(mount, peer)
    peer.rules["info"] = silence
    same = f"<c xmlns='{NS_CAPS}' hash='sha-1' node='n' ver='{c.get('ver')}'/>"
    peer.send(f"<presence>{same}</presence>")
    pong = peer.request(mount.jid, f"<ping xmlns='{NS_PING}'/>", type_="get")
    assert pong.get("type") == "result"  # and so it has the presence
    copy = lab.run("cp", lab.random_file(10, "named"), mount.contact(peer))
    assert copy.returncode == 0, copy.stderr
    assert payload(peer.wait_open()).findtext(f"{{{NS_FILE}}}file/{{{NS_FILE}}}name") == "named"
    assert not peer.find(lambda s: is_kind("info")(s) and s.get("from") == mount.jid)


def test_priority_is_negative(lab: Lab) -> None:
    """This keeps chat messages away."""
    mount, peer = lab.with_raw()
    presence = peer.wait_for(lambda s: is_kind("presence")(s) and s.get("from") == mount.jid)
    assert int(presence.findtext("{jabber:client}priority")) < 0


def test_ping(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    answer = peer.request(mount.jid, f"<ping xmlns='{NS_PING}'/>", type_="get")
    assert (answer.get("type"), answer.get("from"), len(answer)) == ("result", mount.jid, 0)


def test_unknown_request(lab: Lab) -> None:
    """RFC 6120 section 8.4."""
    mount, peer = lab.with_raw()
    for type_ in ("get", "set"):
        answer = peer.request(mount.jid, "<query xmlns='urn:example:unknown'/>", type_=type_)
        assert condition(answer) == "service-unavailable"


def opened_by_cp(lab: Lab, mount: Mount, peer: RawPeer) -> Stanza:
    lab.run("cp", lab.random_file(123, "my <name>&.txt"), mount.contact(peer))
    return payload(peer.wait_open())


def test_name_is_sent_to_an_ibbfs(lab: Lab) -> None:
    mount, peer = lab.with_raw(features=(NS_INFO, NS_IBB, NS_IBBFS))
    opened = opened_by_cp(lab, mount, peer)
    assert opened.findtext(f"{{{NS_FILE}}}file/{{{NS_FILE}}}name") == "my <name>&.txt"


def test_name_is_not_sent_to_others(lab: Lab) -> None:
    mount, peer = lab.with_raw(features=(NS_INFO, NS_IBB))
    assert len(opened_by_cp(lab, mount, peer)) == 0


def test_name_is_not_sent_to_slixmpp(lab: Lab) -> None:
    mount, peer = lab.with_slixmpp()
    lab.run("cp", lab.random_file(123, "secret-name"), mount.contact(peer))
    peer.received.get(timeout=20)
    assert len(peer.opens) == 1 and "secret-name" not in peer.opens[0]


def test_features_are_asked_for_once(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    for name in ("one", "two", "three"):
        lab.run("cp", lab.random_file(10, name), mount.contact(peer))
    assert len(peer.find(is_kind("info"))) == 1


def test_a_resource_that_can_take_a_stream_is_preferred(lab: Lab) -> None:
    alice, bob = lab.accounts("alice", "bob")
    mount = lab.mount(alice)
    chat = lab.raw(bob, "chat", priority=10, features=(NS_INFO,))
    files = lab.raw(bob, "files", priority=-5)
    for peer in (chat, files):
        mount.wait_online(peer.jid)
    path = lab.random_file(100)
    assert lab.run("cp", path, mount.contact(bob)).returncode == 0
    assert files.received(payload(files.wait_open()).get("sid")) == path.read_bytes()
    assert chat.find(is_kind("open")) == []


def test_a_resource_that_does_not_answer_does_not_hold_up_another(lab: Lab) -> None:
    alice, bob = lab.accounts("alice", "bob")
    mount = lab.mount(alice, "timeout=5")
    mute, files = lab.raw(bob, "mute"), lab.raw(bob, "files")
    mute.rules.clear()
    for peer in (mute, files):
        mount.wait_online(peer.jid)
    path = lab.random_file(100)
    copy = lab.run("cp", path, mount.contact(bob))
    assert (copy.returncode, copy.stderr) == (0, "")
    assert files.received(payload(files.wait_open()).get("sid")) == path.read_bytes()


def test_a_client_that_ignores_disco_can_still_take_a_stream(lab: Lab) -> None:
    mount, peer = lab.with_raw("timeout=5")
    peer.rules["info"] = silence
    path = lab.random_file(100)
    copy = lab.run("cp", path, mount.contact(peer))
    assert (copy.returncode, copy.stderr) == (0, "")
    assert peer.received(payload(peer.wait_open()).get("sid")) == path.read_bytes()
