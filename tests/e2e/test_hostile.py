# SPDX-License-Identifier: MIT
"""Peers that break the rules: each gets the XEP's error, and only its own stream can fail."""

import base64
import errno
import os
import re
from xml.sax.saxutils import quoteattr

import pytest

from daemon import Mount, bare, poll_until
from lab import Lab, wait_blocked
from prosody import Prosody
from rawpeer import (
    NS_CLIENT,
    NS_IBB,
    NS_IBBFS,
    NS_INFO,
    NS_PING,
    NS_RESUME,
    NS_ROSTER,
    NS_XML,
    RawPeer,
    Stanza,
    accept,
    condition,
    error,
    error_type,
    is_kind,
    kind,
    payload,
    result,
    silence,
)
from test_attributes import attribute

WRITE = os.O_WRONLY | os.O_CREAT


def still_serves(lab: Lab, mount: Mount, peer: RawPeer, name: str = "proof") -> None:
    """The same peer sends and gets a file."""
    content = os.urandom(5000)
    peer.send_file(mount.jid, name, content)
    assert mount.incoming(peer, name).read_bytes() == content
    path = lab.random_file(5000, name)
    peer.rules.update(open=accept, data=accept, close=accept)
    before = len(peer.find(is_kind("open")))
    assert lab.run("cp", path, mount.contact(peer)).returncode == 0
    sid = payload(peer.wait_open(before + 1)).get("sid")
    assert peer.received(sid) == path.read_bytes()


def is_error(answer: Stanza, name: str, type_: str) -> bool:
    return (condition(answer), error_type(answer)) == (name, type_)


# ---- data ----


@pytest.mark.parametrize("seqs", [[1], [0, 0], [0, 2], [0, 1, 0], [0, 65535]])
def test_wrong_seq(lab: Lab, seqs: list[int]) -> None:
    mount, peer = lab.with_raw()
    peer.open(mount.jid, "s1")
    *good, wrong = seqs
    for seq in good:
        assert peer.data(mount.jid, "s1", seq, b"x").get("type") == "result"
    assert is_error(peer.data(mount.jid, "s1", wrong, b"x"), "unexpected-request", "cancel")
    peer.wait_for(is_kind("close", sid="s1"))
    assert is_error(peer.data(mount.jid, "s1", len(good), b"x"), "item-not-found", "cancel")
    still_serves(lab, mount, peer)


def test_a_message_that_repeats_a_block(lab: Lab) -> None:
    """Only an <iq/> has an answer, also on a stream on which blocks may be retransmitted."""
    mount, peer = lab.with_raw()
    resume = f"<resume xmlns='{NS_RESUME}'/>"
    peer.request(
        mount.jid, f"<open xmlns='{NS_IBB}' sid='s1' block-size='100'>{resume}</open>"
    )
    peer.data(mount.jid, "s1", 0, b"x")
    data = f"<data xmlns='{NS_IBB}' sid='s1' seq='0'>eA==</data>"
    peer.send(f"<message to='{mount.jid}' id='m1'>{data}</message>")
    peer.wait_for(is_kind("close", sid="s1"))
    assert peer.find(lambda s: s.get("id") == "m1") == []
    still_serves(lab, mount, peer)


BAD_BASE64 = [
    "A", "AA", "AAA", "AAAAA", "AA=A", "A===", "====", "=", "AAA=AAAA", "AAAA=", "AB==", "AAB=",
    "AA A", "AAA\n", "AA==\nAA==", "AAA*", "-_-_", "éAAA", "AAAA!!!!", "AAAA\u00a0", "AAAA\u2028",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_BASE64, ids=ascii)
def test_bad_base64(lab: Lab, text: str) -> None:
    mount, peer = lab.with_raw()
    peer.open(mount.jid, "s1")
    assert is_error(peer.data(mount.jid, "s1", 0, text), "bad-request", "cancel")
    peer.wait_for(is_kind("close", sid="s1"))
    assert is_error(peer.data(mount.jid, "s1", 0, b"x"), "item-not-found", "cancel")
    still_serves(lab, mount, peer)


# tkabber and xmpp4r break lines; the schema of XEP-0047 allows all of these.
@pytest.mark.parametrize("space", ["\n", "\r\n", "&#13;&#10;", " ", "\t \n\n"], ids=ascii)
def test_white_space_in_base64(lab: Lab, space: str) -> None:
    mount, peer = lab.with_raw()
    content = os.urandom(4096)
    peer.open(mount.jid, "s1")
    for seq, block in enumerate((content[:100], content[100:])):
        lines = base64.encodebytes(block).decode().replace("\n", space)
        assert peer.data(mount.jid, "s1", seq, f"{space}{lines}").get("type") == "result"
    assert peer.close(mount.jid, "s1").get("type") == "result"
    assert mount.incoming(peer, "s1").read_bytes() == content


@pytest.mark.parametrize("seq", ["", "-1", "x", "0x0", "1.5"])
def test_seq_that_is_no_number(lab: Lab, seq: str) -> None:
    mount, peer = lab.with_raw()
    peer.open(mount.jid, "s1")
    assert condition(peer.data(mount.jid, "s1", seq, b"x")) == "bad-request"
    still_serves(lab, mount, peer)


@pytest.mark.parametrize("size", [101, 4096, 65536, 150000])
def test_oversized_block(lab: Lab, size: int) -> None:
    mount, peer = lab.with_raw()
    peer.open(mount.jid, "s1", block_size=100)
    assert peer.data(mount.jid, "s1", 0, b"x" * 100).get("type") == "result"
    assert is_error(peer.data(mount.jid, "s1", 1, b"x" * size), "bad-request", "cancel")
    peer.wait_for(is_kind("close", sid="s1"))
    still_serves(lab, mount, peer)


BLOCKS = "".join(f"<data xmlns='{NS_IBB}' sid='s1' seq='{n}'>AAAA</data>" for n in (0, 1))


@pytest.mark.parametrize("first", ["open", "data", "close"])
def test_two_requests_in_one(lab: Lab, first: str) -> None:
    """Prosody does not even carry it (RFC 6120 section 8.2.3: exactly one child)."""
    mount, peer = lab.with_raw()
    peer.open(mount.jid, "s1")
    block = f"<data xmlns='{NS_IBB}' sid='s1' seq='0'>AAAA</data>"
    request = {
        "open": f"<open xmlns='{NS_IBB}' sid='s2' block-size='100'/>",
        "data": block,
        "close": f"<close xmlns='{NS_IBB}' sid='s1'/>",
    }[first]
    assert condition(peer.request(mount.jid, request + block)) == "bad-request"
    assert peer.data(mount.jid, "s1", 0, b"x").get("type") == "result"
    still_serves(lab, mount, peer)


def test_two_blocks_in_a_message(lab: Lab) -> None:
    """Neither is taken: the second would be lost, and nobody would know."""
    mount, peer = lab.with_raw()
    peer.open(mount.jid, "s1", stanza="message")
    peer.send(f"<message to={quoteattr(mount.jid)}>{BLOCKS}</message>")
    peer.wait_for(is_kind("close", sid="s1"))
    with pytest.raises(OSError) as caught:
        mount.incoming(peer, "s1").read_bytes()
    assert caught.value.errno == errno.EPROTO
    still_serves(lab, mount, peer)


def test_unknown_sid(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    assert is_error(peer.data(mount.jid, "none", 0, b"x"), "item-not-found", "cancel")
    assert is_error(peer.close(mount.jid, "none"), "item-not-found", "cancel")
    still_serves(lab, mount, peer)


def test_data_after_close(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    peer.send_file(mount.jid, "s1", b"content")
    assert is_error(peer.data(mount.jid, "s1", 1, b"more"), "item-not-found", "cancel")
    assert is_error(peer.close(mount.jid, "s1"), "item-not-found", "cancel")
    assert mount.incoming(peer, "s1").read_bytes() == b"content"


def test_foreign_sender_with_a_known_sid(lab: Lab) -> None:
    """Another contact, and another resource of the same one."""
    alice, bob, mallory = lab.accounts("alice", "bob", "mallory")
    mount = lab.mount(alice)
    peer = lab.raw(bob)
    foreigners = [lab.raw(mallory), lab.raw(bob, "other")]
    for online in (peer, *foreigners):
        mount.wait_online(online.jid)
    peer.open(mount.jid, "s1")
    peer.data(mount.jid, "s1", 0, b"good")
    for foreigner in foreigners:
        answer = foreigner.data(mount.jid, "s1", 1, b"evil")
        assert is_error(answer, "item-not-found", "cancel")
        assert is_error(foreigner.close(mount.jid, "s1"), "item-not-found", "cancel")
    peer.data(mount.jid, "s1", 1, b" too")
    peer.close(mount.jid, "s1")
    assert mount.incoming(peer, "s1").read_bytes() == b"good too"


def test_foreign_sender_with_another_from(lab: Lab) -> None:
    """An attribute of another namespace is not the `from` that the server vouches for."""
    alice, bob, mallory = lab.accounts("alice", "bob", "mallory")
    mount = lab.mount(alice)
    peer, foreigner = lab.raw(bob), lab.raw(mallory)
    for online in (peer, foreigner):
        mount.wait_online(online.jid)
    peer.open(mount.jid, "s1")
    peer.data(mount.jid, "s1", 0, b"good")
    # A server may write attributes in any order.
    for number in range(10):
        foreigner.send(
            f"<iq type='set' to='{mount.jid}' id='evil-{number}' xmlns:n{number}='urn:n{number}'"
            f" n{number}:from='{peer.jid}'><data xmlns='{NS_IBB}' sid='s1' seq='1'>ZXZpbA==</data>"
            "</iq>"
        )
    peer.rules["data"] = silence
    path = lab.random_file(100)
    copy = lab.spawn("cp", path, mount.contact(peer))
    request = peer.wait_for(is_kind("data"))
    for number in range(10):
        foreigner.send(
            f"<iq type='result' to='{mount.jid}' id='{request.get('id')}'"
            f" xmlns:n{number}='urn:n{number}' n{number}:from='{peer.jid}'/>"
        )
    foreigner.request(mount.jid, f"<ping xmlns='{NS_PING}'/>", type_="get")  # has arrived
    wait_blocked(copy.pid)
    peer.send(result(request))
    assert copy.wait(20) == 0
    peer.data(mount.jid, "s1", 1, b" too")
    peer.close(mount.jid, "s1")
    assert mount.incoming(peer, "s1").read_bytes() == b"good too"


def test_the_same_sid_from_two_peers(lab: Lab) -> None:
    alice, bob, carol = lab.accounts("alice", "bob", "carol")
    mount = lab.mount(alice)
    peers = [lab.raw(bob), lab.raw(carol)]
    for peer in peers:
        mount.wait_online(peer.jid)
        assert peer.open(mount.jid, "same").get("type") == "result"
    for peer in peers:
        peer.data(mount.jid, "same", 0, peer.jid.encode())
        peer.close(mount.jid, "same")
    for peer in peers:
        assert mount.incoming(peer, "same").read_bytes() == peer.jid.encode()


def test_blocks_wait_for_the_reader(lab: Lab) -> None:
    """Blocks that fit in `buffer` are acknowledged, the others when they are read; no byte is
    lost."""
    mount, peer = lab.with_raw("buffer=64K")
    peer.open(mount.jid, "s1")
    blocks = [os.urandom(4096) for _ in range(20)]
    before = len(peer.find(is_kind("result")))
    for seq, block in enumerate(blocks):
        peer.data(mount.jid, "s1", seq, block, wait=False)
    peer.wait_for(is_kind("result"), count=before + 16)
    peer.request(mount.jid, f"<ping xmlns='{NS_PING}'/>", type_="get")  # the barrier
    assert len(peer.find(is_kind("result"))) == before + 16 + 1
    fd = os.open(mount.incoming(peer, "s1"), os.O_RDONLY)
    got = b""
    while len(got) < 20 * 4096:
        got += os.read(fd, 65536)
    peer.wait_for(is_kind("result"), count=before + 20 + 1)
    peer.close(mount.jid, "s1")
    assert os.read(fd, 10) == b""
    os.close(fd)
    assert got == b"".join(blocks)


def test_a_flood_beyond_the_buffer_ends_the_stream(lab: Lab) -> None:
    """64 KiB are acknowledged, 1 MiB is held for a sender that waits, and no more."""
    mount, peer = lab.with_raw("buffer=64K")
    peer.open(mount.jid, "s1")
    for seq in range((64 + 1024) // 4 + 1):
        peer.data(mount.jid, "s1", seq, b"x" * 4096, wait=False)
    peer.wait_for(is_kind("close", sid="s1"))
    peer.wait_for(lambda s: condition(s) == "resource-constraint")
    still_serves(lab, mount, peer)


# ---- open ----


@pytest.mark.parametrize(
    "attributes",
    [
        "sid='s1'",
        "sid='s1' block-size=''",
        "sid='s1' block-size='0'",
        "sid='s1' block-size='-1'",
        "sid='s1' block-size='65536'",
        "sid='s1' block-size='99999999999999999999'",
        "sid='s1' block-size='4096x'",
        "sid='' block-size='4096'",
        "block-size='4096'",
        f"sid={quoteattr('x' * 3000)} block-size='4096'",
        "sid='s1' block-size='4096' stanza='pigeon'",
    ],
    ids=lambda a: a[:40],
)
def test_misshapen_open(lab: Lab, attributes: str) -> None:
    mount, peer = lab.with_raw()
    answer = peer.request(mount.jid, f"<open xmlns='{NS_IBB}' {attributes}/>")
    assert condition(answer) == "bad-request"
    assert os.listdir(mount.contact(peer) / "in") == ["next"]
    still_serves(lab, mount, peer)


def test_a_block_size_beyond_ours(lab: Lab) -> None:
    mount, peer = lab.with_raw("block_size=1000")
    answer = peer.open(mount.jid, "s1", block_size=1001)
    assert is_error(answer, "resource-constraint", "modify")
    assert peer.open(mount.jid, "s1", block_size=1000).get("type") == "result"


def test_a_sid_that_is_in_use(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    peer.open(mount.jid, "s1")
    assert condition(peer.open(mount.jid, "s1")) == "not-acceptable"
    assert peer.data(mount.jid, "s1", 0, b"good").get("type") == "result"
    peer.close(mount.jid, "s1")
    assert mount.incoming(peer, "s1").read_bytes() == b"good"


def test_more_streams_than_we_take(lab: Lab) -> None:
    mount, peer = lab.with_raw("max_streams=3")
    for i in range(3):
        assert peer.open(mount.jid, f"s{i}").get("type") == "result"
    assert peer.open(mount.jid, "s3").get("type") == "error"
    for i in range(3):
        peer.close(mount.jid, f"s{i}")
        assert mount.incoming(peer, f"s{i}").read_bytes() == b""


def test_many_requests_for_nothing(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    for i in range(2000):
        peer.data(mount.jid, f"none-{i}", i, b"x", wait=False)
    peer.wait_for(lambda s: condition(s) == "item-not-found", count=2000, timeout=60)
    still_serves(lab, mount, peer)


# ---- strangers ----

STRANGERS_REQUESTS = {
    "open": ("set", f"<open xmlns='{NS_IBB}' sid='s1' block-size='4096'/>"),
    "open-large": ("set", f"<open xmlns='{NS_IBB}' sid='s1' block-size='65535'/>"),
    "open-misshapen": ("set", f"<open xmlns='{NS_IBB}'/>"),
    "open-get": ("get", f"<open xmlns='{NS_IBB}' sid='s1' block-size='4096'/>"),
    "data": ("set", f"<data xmlns='{NS_IBB}' sid='s1' seq='0'>AAAA</data>"),
    "data-bad": ("set", f"<data xmlns='{NS_IBB}' sid='s1' seq='x'>!</data>"),
    "close": ("set", f"<close xmlns='{NS_IBB}' sid='s1'/>"),
    "resume": ("set", f"<resume xmlns='{NS_RESUME}' sid='s1'/>"),
    "resume-misshapen": ("set", f"<resume xmlns='{NS_RESUME}'/>"),
    "info": ("get", f"<query xmlns='{NS_INFO}'/>"),
    "info-node": ("get", f"<query xmlns='{NS_INFO}' node='{NS_IBBFS}#x'/>"),
    "info-set": ("set", f"<query xmlns='{NS_INFO}'/>"),
    "items": ("get", "<query xmlns='http://jabber.org/protocol/disco#items'/>"),
    "ping": ("get", f"<ping xmlns='{NS_PING}'/>"),
    "ping-set": ("set", f"<ping xmlns='{NS_PING}'/>"),
    "version": ("get", "<query xmlns='jabber:iq:version'/>"),
    "last": ("get", "<query xmlns='jabber:iq:last'/>"),
    "time": ("get", "<time xmlns='urn:xmpp:time'/>"),
    "roster": ("get", f"<query xmlns='{NS_ROSTER}'/>"),
    "roster-set": ("set", f"<query xmlns='{NS_ROSTER}'><item jid='a@b'/></query>"),
    "command": ("set", "<command xmlns='http://jabber.org/protocol/commands' node='x'/>"),
    "jingle": (
        "set",
        "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='j1'>"
        "<content creator='initiator' name='a'><transport xmlns='urn:xmpp:jingle:transports:ibb:1'"
        " block-size='4096' sid='s1'/></content></jingle>",
    ),
    "si": ("set", "<si xmlns='http://jabber.org/protocol/si' id='a'/>"),
    "unknown": ("get", "<a xmlns='b'>c</a>"),
}


def shape(stanza: Stanza) -> tuple:
    """The stanza without its addresses and language."""
    names = sorted(set(stanza.keys()) - {"from", "to", f"{{{NS_XML}}}lang"})
    return stanza.tag, [(n, stanza.get(n)) for n in names], stanza.text, [shape(s) for s in stanza]


@pytest.fixture
def stranger(lab: Lab) -> tuple[Mount, RawPeer, str]:
    """A mount, a peer that is not its contact, and the full JID of a resource that is offline."""
    alice, _bob = lab.accounts("alice", "bob")
    mount = lab.mount(alice)
    return mount, lab.raw(lab.accounts("stranger")[0]), f"{alice.jid}/absent"


Stranger = tuple[Mount, RawPeer, str]


@pytest.mark.parametrize("name", STRANGERS_REQUESTS)
def test_to_a_stranger_nobody_is_there(stranger: Stranger, name: str) -> None:
    mount, peer, absent = stranger
    type_, child = STRANGERS_REQUESTS[name]
    answers = []
    for to in (mount.jid, absent):
        for ident in ("short", "long" * 1000):
            peer.send(f"<iq type='{type_}' to='{to}' id='{ident}{to}'>{child}</iq>")
            wanted = ident + to
            answer = peer.wait_for(lambda s, wanted=wanted: s.get("id") == wanted)
            assert is_error(answer, "service-unavailable", "cancel")
            answer.attrib.pop("id")
            answers.append(shape(answer))
    if isinstance(mount.server, Prosody):
        assert answers == answers[:1] * 4
    # ejabberd's answer for an absent resource also has the request, and a text of its own.
    bob = mount.account.jid.replace("alice", "bob")
    assert sorted(os.listdir(mount.path)) == sorted(["incoming", "status", bob])


STRANGERS_STANZAS = {
    "result": "<iq type='result' to='{}' id='o1.0'/>",
    "error": "<iq type='error' to='{}' id='o1.0'/>",
    "presence": "<presence to='{}'/>",
    "unavailable": "<presence type='unavailable' to='{}'/>",
    "probe": "<presence type='probe' to='{}'/>",
    "subscribe": "<presence type='subscribe' to='{}'/>",
    "bounce": f"<message type='error' to='{{}}'><data xmlns='{NS_IBB}' sid='s1' seq='0'/></message>",
}


@pytest.mark.parametrize("name", STRANGERS_STANZAS)
def test_a_stranger_gets_nothing_else(stranger: Stranger, name: str) -> None:
    """No presence above all."""
    mount, peer, absent = stranger
    came: dict[str, list] = {}
    for to in (mount.jid, absent):
        before = len(peer.stanzas)
        peer.send(STRANGERS_STANZAS[name].format(to))
        for asked in (mount.jid, absent, mount.jid):
            # Two round trips between the servers: every earlier stanza has arrived then.
            peer.request(asked, f"<ping xmlns='{NS_PING}'/>", type_="get")
        came[to] = [
            shape(s)
            for s in peer.stanzas[before:]
            if bare(s.get("from", "")) == mount.account.jid and s.tag != f"{{{NS_CLIENT}}}iq"
        ]
    assert came[mount.jid] == came[absent]
    assert peer.find(lambda s: s.get("from") == mount.jid and not is_kind("error")(s)) == []


@pytest.mark.parametrize("type_", ["normal", "chat", "headline"])
def test_data_in_a_message_of_a_stranger_has_no_answer(stranger: Stranger, type_: str) -> None:
    """Not even the error for <close/>, which a contact gets. Servers handle it differently while
    the account is offline; most store it, which looks the same."""
    mount, peer, _ = stranger
    data = f"<data xmlns='{NS_IBB}' sid='s1' seq='0'>AAAA</data>"
    peer.send(f"<message type='{type_}' to='{mount.jid}'>{data}</message>")
    answer = peer.request(mount.jid, f"<ping xmlns='{NS_PING}'/>", type_="get")
    assert peer.find(lambda s: s.get("from") == mount.jid) == [answer]


def test_accept_anyone(lab: Lab) -> None:
    mount = lab.mount(lab.accounts("alice")[0], "accept=anyone")
    stranger = lab.raw(lab.accounts("stranger")[0])
    stranger.send_file(mount.jid, "s1", b"content")
    assert mount.incoming(stranger, "s1").read_bytes() == b"content"


def test_accept_none(lab: Lab) -> None:
    mount, peer = lab.with_raw("accept=none")
    assert is_error(peer.open(mount.jid, "s1"), "service-unavailable", "cancel")
    path = lab.random_file(100)
    assert lab.run("cp", path, mount.contact(peer)).returncode == 0  # sending is another matter


def test_an_address_made_by_mkdir_is_a_contact(lab: Lab) -> None:
    mount = lab.mount(lab.accounts("alice")[0])
    friend = lab.raw(lab.accounts("friend")[0])
    assert is_error(friend.open(mount.jid, "s1"), "service-unavailable", "cancel")
    mount.contact(friend).mkdir()
    friend.send_file(mount.jid, "s1", b"content")
    assert mount.incoming(friend, "s1").read_bytes() == b"content"
    (mount.path / friend.jid).mkdir()
    path = lab.random_file(100)
    assert lab.run("cp", path, mount.path / friend.jid).returncode == 0
    assert friend.received(payload(friend.wait_open()).get("sid")) == path.read_bytes()


# ---- answers ----


@pytest.mark.parametrize("request_kind", ["open", "data", "close"])
def test_answer_from_the_wrong_jid(lab: Lab, request_kind: str) -> None:
    """The right id from another JID is no answer; neither is an error from there."""
    alice, bob, mallory = lab.accounts("alice", "bob", "mallory")
    mount = lab.mount(alice)
    peer = lab.raw(bob)
    foreigners = [lab.raw(mallory), lab.raw(bob, "other", priority=-1)]
    for online in (peer, *foreigners):
        mount.wait_online(online.jid)
    peer.rules[request_kind] = silence
    path = lab.random_file(100)
    copy = lab.spawn("cp", path, mount.contact(bob))
    request = peer.wait_for(is_kind(request_kind))
    for foreigner in foreigners:
        foreigner.send(result(request))
        foreigner.send(error(request, "not-acceptable"))
        foreigner.request(mount.jid, f"<ping xmlns='{NS_PING}'/>", type_="get")  # has arrived
    if request_kind == "close":
        assert copy.wait(20) == 0  # close(2) does not wait for that answer
    else:
        wait_blocked(copy.pid)
    peer.send(result(request))
    assert copy.wait(20) == 0
    assert peer.received(payload(peer.wait_open()).get("sid")) == path.read_bytes()


FORGED = ["o{n}.0", "d{n}.0", "d{n}.1", "a{n}.0", "a{n}.0.1", "b{n}.0", "b{n}.1", "b{n}.2",
          "b{n}.ffff", "c{n}.0", "p{n}.0", "r{n}.0", "r{n}.1", "i{n}", "a{n}"]  # fmt: skip


@pytest.mark.once
@pytest.mark.parametrize("stanza", ["iq", "message"])
def test_answers_that_acknowledge_nothing(lab: Lab, stanza: str) -> None:
    """Only the answer to the request itself acknowledges, and only from its recipient. No id of a
    request that was never sent does, and no <resume/>, <close/> or number of bytes."""
    alice, bob = lab.accounts("alice", "bob")
    mount = lab.mount(alice, f"stanza={stanza}")
    features = (NS_INFO, NS_PING, NS_IBB, NS_IBBFS, NS_RESUME)
    peer, other = lab.raw(bob, features=features), lab.raw(bob, "other", priority=-1)
    for online in (peer, other):
        mount.wait_online(online.jid)
    question = "data" if stanza == "iq" else "other"
    peer.rules.update(data=silence, other=silence, close=silence)
    path = lab.random_file(100)
    copy = lab.spawn("cp", path, mount.contact(bob))
    asked = peer.wait_for(
        lambda s: kind(s) == question and s.get("type") == "set" and s.get("id", "") != ""
    )
    number = asked.get("id")[1:].split(".")[0]
    sid = payload(peer.wait_open()).get("sid")
    if stanza == "iq":
        peer.wait_for(is_kind("close"))  # it follows the block at once
    sent = {s.get("id") for s in peer.find(lambda s: s.get("type") == "set")}
    forged = {ident.format(n=number) for ident in FORGED} - sent
    for sender, idents in ((other, forged | sent), (peer, forged)):
        for ident in idents:
            sender.send(f"<iq type='result' to='{mount.jid}' id='{ident}'/>")
        resume = f"<resume xmlns='{NS_RESUME}' sid='{sid}'/>"
        sender.request(mount.jid, resume)
        sender.request(mount.jid, f"<ping xmlns='{NS_PING}'/>", type_="get")  # all has arrived
        wait_blocked(copy.pid)
    assert condition(other.close(mount.jid, sid)) == "item-not-found"
    peer.rules.update(data=accept, other=accept, close=accept)
    for request in peer.find(is_kind("data", "other", "close")):
        if request.get("type") == "set":
            peer.send(result(request))
    assert copy.wait(20) == 0
    # A close in good order, with all the bytes that there are, acknowledges none either.
    peer.rules.update(data=silence, other=silence, close=silence)
    before = len(peer.find(is_kind("open")))
    copy = lab.spawn("cp", path, mount.contact(bob) / "again")
    sid = payload(peer.wait_open(before + 1)).get("sid")
    # Before ours, it would be asked for the bytes that it claims to have sent.
    peer.wait_for(is_kind("close" if stanza == "iq" else "data", sid=sid))
    peer.close(mount.jid, sid, child=f"<sent xmlns='{NS_IBBFS}' bytes='100'/>")
    assert copy.wait(20) == 1


def test_a_close_that_claims_bytes(lab: Lab) -> None:
    """The peer has them, and nothing of ours is acknowledged: the writer does not succeed."""
    alice, bob = lab.accounts("alice", "bob")
    mount = lab.mount(alice, "timeout=2,reconnect=3")
    peer = lab.raw(bob, features=(NS_INFO, NS_PING, NS_IBB, NS_IBBFS, NS_RESUME))
    mount.wait_online(peer.jid)
    peer.rules.update(data=silence, other=silence, close=silence)
    fd = os.open(mount.contact(bob) / "f", os.O_WRONLY | os.O_CREAT)
    os.write(fd, bytes(100))
    sid = payload(peer.wait_open()).get("sid")
    peer.wait_for(is_kind("data", sid=sid))
    answer = peer.close(mount.jid, sid, child=f"<sent xmlns='{NS_IBBFS}' bytes='100'/>")
    assert condition(answer) == "unexpected-request"
    with pytest.raises(OSError) as caught:
        os.close(fd)
    assert caught.value.errno in (errno.ETIMEDOUT, errno.ECONNRESET)


@pytest.mark.once
@pytest.mark.parametrize("form", ["raw", "inbox"])
def test_a_number_of_bytes_that_is_not_true(lab: Lab, form: str) -> None:
    """A wrong number of bytes completes no file."""
    mount, peer = lab.with_raw(f"inbox={lab.folder}/inbox" if form == "inbox" else "")
    for n, number in enumerate(["x", "", "-1", "4.0", "18446744073709551620", "5", "3"]):
        peer.open(mount.jid, f"s{n}")
        peer.data(mount.jid, f"s{n}", 0, b"four", wait=False)
        answer = peer.close(
            mount.jid, f"s{n}", child=f"<sent xmlns='{NS_IBBFS}' bytes='{number}'/>"
        )
        malformed = number not in ("5", "3")
        if malformed or form == "inbox":
            assert condition(answer) == ("bad-request" if malformed else "not-acceptable")
        if malformed:
            peer.close(mount.jid, f"s{n}", child=f"<reset xmlns='{NS_IBBFS}'/>")
        path = mount.incoming(peer, f"s{n}")
        poll_until(lambda path=path: attribute(path, "state") == "broken", what="broken")
        with pytest.raises(ConnectionResetError), open(path, "rb", buffering=0) as file:
            while file.read(100):
                pass
    peer.open(mount.jid, "true")
    peer.data(mount.jid, "true", 0, b"four")
    peer.close(mount.jid, "true", child=f"<sent xmlns='{NS_IBBFS}' bytes='4'/>")
    assert mount.incoming(peer, "true").read_bytes() == b"four"


def test_late_answer(lab: Lab) -> None:
    mount, peer = lab.with_raw("timeout=2")
    peer.rules["open"] = silence
    with pytest.raises(OSError) as failure:
        os.open(mount.contact(peer) / "file", WRITE)
    assert failure.value.errno == errno.ETIMEDOUT
    late = peer.wait_open()
    peer.send(result(late))
    answer = peer.data(mount.jid, payload(late).get("sid"), 0, b"x")
    assert condition(answer) == "item-not-found"
    still_serves(lab, mount, peer)


def test_late_acknowledgement(lab: Lab) -> None:
    mount, peer = lab.with_raw("timeout=2")
    peer.rules["data"] = silence
    fd = os.open(mount.contact(peer) / "file", WRITE)
    os.write(fd, b"x")
    with pytest.raises(OSError) as failure:
        os.close(fd)
    assert failure.value.errno == errno.ETIMEDOUT
    peer.send(result(peer.wait_for(is_kind("data"))))
    still_serves(lab, mount, peer)


@pytest.mark.parametrize("answer", ["result", "error"])
def test_answer_to_an_earlier_process(lab: Lab, answer: str) -> None:
    """A process that is restarted has the same full JID, and gets what was answered to the other:
    that says nothing of its own requests."""
    alice, bob = lab.accounts("alice", "bob")
    mount, peer = lab.mount(alice), lab.raw(bob)
    mount.wait_online(peer.jid)
    peer.rules["data"] = silence
    path = lab.random_file(100)
    lab.spawn("cp", path, mount.contact(peer))
    late = peer.wait_for(is_kind("data"))
    mount.kill()
    mount = lab.mount(alice, name="again")
    mount.wait_online(peer.jid)
    copy = lab.spawn("cp", path, mount.contact(peer))
    own = peer.wait_for(is_kind("data"), count=2)
    peer.send(result(late) if answer == "result" else error(late, "item-not-found"))
    peer.request(mount.jid, f"<ping xmlns='{NS_PING}'/>", type_="get")  # has arrived
    wait_blocked(copy.pid)
    peer.send(result(own))
    assert copy.wait(20) == 0
    assert peer.received(payload(peer.wait_open(2)).get("sid")) == path.read_bytes()


def test_every_answer_twice(lab: Lab) -> None:
    mount, peer = lab.with_raw()

    def twice(_peer: RawPeer, stanza: Stanza) -> str:
        return result(stanza) * 2

    peer.rules.update(open=twice, data=twice, close=twice)
    path = lab.random_file(50000)
    assert lab.run("cp", path, mount.contact(peer)).returncode == 0
    assert peer.received(payload(peer.wait_open()).get("sid")) == path.read_bytes()
    still_serves(lab, mount, peer)


def test_answers_to_nothing(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    ids = ["", "x", "o1.0", "d1.0", "dffffffffffffffff.ffffffffffffffff", "c0.0", "p1.", "o."]
    for ident in (*ids, "d-1.-1", "y" * 5000):
        for type_ in ("result", "error"):
            peer.send(f"<iq type='{type_}' to='{mount.jid}' id='{ident}'/>")
    still_serves(lab, mount, peer)


def test_acknowledgements_out_of_order(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    held: list[Stanza] = []

    def backward(_peer: RawPeer, stanza: Stanza) -> "str | None":
        """Answers two blocks at a time, the second one first. A lone block is answered when no
        other one comes."""
        held.append(stanza)
        if len(held) < 2 and int(payload(stanza).get("seq")) < 9:
            return None
        answers = "".join(result(s) for s in reversed(held))
        held.clear()
        return answers

    def first_alone(peer: RawPeer, stanza: Stanza) -> "str | None":
        if payload(stanza).get("seq") == "0":
            peer.rules["data"] = backward
            return result(stanza)
        return backward(peer, stanza)

    peer.rules["data"] = first_alone
    path = lab.random_file(10 * 4096)
    copy = lab.run("cp", path, mount.contact(peer), timeout=90)
    assert (copy.returncode, copy.stderr) == (0, "")
    assert peer.received(payload(peer.wait_open()).get("sid")) == path.read_bytes()


def test_closed_at_once(lab: Lab) -> None:
    mount, peer = lab.with_raw()

    def accept_and_close(_peer: RawPeer, stanza: Stanza) -> str:
        close = f"<close xmlns='{NS_IBB}' sid={quoteattr(payload(stanza).get('sid'))}/>"
        return result(stanza) + f"<iq type='set' to='{stanza.get('from')}' id='now'>{close}</iq>"

    peer.rules["open"] = accept_and_close
    copy = lab.run("cp", lab.random_file(500000), mount.contact(peer))
    assert copy.returncode == 1
    assert copy.stderr.endswith(f": {os.strerror(errno.ECONNRESET)}\n")
    still_serves(lab, mount, peer)


def test_close_is_never_answered(lab: Lab) -> None:
    """libpurple never answers it. Acknowledged bytes were delivered all the same."""
    mount, peer = lab.with_raw()
    peer.rules["close"] = silence
    path = lab.random_file(10000)
    copy = lab.run("cp", path, mount.contact(peer))
    assert (copy.returncode, copy.stderr) == (0, "")
    peer.wait_for(is_kind("close"))
    still_serves(lab, mount, peer)


@pytest.mark.parametrize("type_", ["modify", "cancel", "wait"])
def test_smaller_blocks_on_resource_constraint(lab: Lab, type_: str) -> None:
    mount, peer = lab.with_raw()

    def at_most_1000(_peer: RawPeer, stanza: Stanza) -> str:
        if int(payload(stanza).get("block-size")) <= 1000:
            return result(stanza)
        return error(stanza, "resource-constraint", type_)

    peer.rules["open"] = at_most_1000
    path = lab.random_file(20000)
    copy = lab.run("cp", path, mount.contact(peer))
    assert (copy.returncode, copy.stderr) == (0, "")
    opens = peer.find(is_kind("open"))
    assert [int(payload(s).get("block-size")) for s in opens] == [4096, 2048, 1024, 512]
    assert peer.received(payload(opens[-1]).get("sid")) == path.read_bytes()
    lengths = {len(payload(s).text) for s in peer.find(is_kind("data"))}
    assert max(lengths) <= (512 + 2) // 3 * 4


def test_seq_and_sid_of_what_we_send(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    lab.run("cp", lab.random_file(20 * 4096), mount.contact(peer))
    lab.run("cp", lab.random_file(4096, "other"), mount.contact(peer))
    sids = [payload(s).get("sid") for s in peer.find(is_kind("open"))]
    assert len(set(sids)) == 2
    for sid in sids:
        assert re.fullmatch(r"[\w.:-]+", sid)  # NMTOKEN
        seqs = [int(payload(s).get("seq")) for s in peer.find(is_kind("data", sid=sid))]
        assert seqs == list(range(len(seqs)))
        poll_until(lambda: peer.find(is_kind("close", sid=sid)), what="<close/>")
    assert len({s.get("id") for s in peer.stanzas if s.get("type") == "set"}) == len(
        [s for s in peer.stanzas if s.get("type") == "set"]
    )


def test_presence_and_messages_that_mean_nothing(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    for stanza in (
        f"<message to='{mount.jid}'><body>hello</body></message>",
        f"<message to='{mount.jid}' type='error'/>",
        f"<message to='{mount.jid}'><data xmlns='{NS_IBB}' sid='x' seq='0'>AAAA</data></message>",
        f"<message to='{mount.jid}' type='error'><data xmlns='{NS_IBB}' sid='x'/></message>",
        f"<presence to='{mount.jid}' type='subscribe'/>",
        f"<presence to='{mount.jid}'><priority>lots</priority></presence>",
        f"<iq to='{mount.jid}' id='1' type='set'/>",
        f"<iq to='{mount.jid}' id='1' type='get'><a xmlns='b'/></iq>",
    ):
        peer.send(stanza)
    still_serves(lab, mount, peer)


@pytest.mark.server("ejabberd", "Prosody does not pass on what the test sends")
def test_a_presence_error_is_an_absence(lab: Lab) -> None:
    """The resource is offline until presence arrives again."""
    mount, peer = lab.with_raw()
    peer.send(f"<presence to='{mount.jid}' type='error'/>")
    mount.wait_offline(peer.jid)
    peer.send("<presence/>")
    mount.wait_online(peer.jid)
    still_serves(lab, mount, peer)


def test_a_roster_push_from_a_peer_is_not_believed(lab: Lab) -> None:
    mount, peer = lab.with_raw()
    query = "<query xmlns='jabber:iq:roster'><item jid='evil@example.org'/></query>"
    assert peer.request(mount.jid, query).get("type") == "error"
    assert not (mount.path / "evil@example.org").exists()
    assert bare(peer) in os.listdir(mount.path)
