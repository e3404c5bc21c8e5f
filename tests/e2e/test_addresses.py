# SPDX-License-Identifier: MIT
"""How the server of a domain is found: SRV records, addresses, and dead ones.

RFC 6120 section 3.2, RFC 2782, RFC 8305, XEP-0368. Each test has a name server and a network of its
own (address_world.py). The sanitizers run the tests that end in a different way.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon import KNOWN_LEAK, Build
from nameserver import ANSWER, SRV, Question, encoded, message

WORLD = Path(__file__).with_name("address_world.py")
TOWARD = "xmpp-client"
DIRECT = "xmpps-client"

# libstrophe's limit for one address is 5 s, that of the system's resolver 5 s for one question.
PATIENCE_S = 4

ATTEMPT_S = 10  # the time limit of an attempt


class World:
    """Calls of methods of address_world.World."""

    def __init__(self, folder: Path, build: Build):
        words = ["unshare", "--mount", "--net", sys.executable, WORLD, folder, build.binary]
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=build.environment(folder / "sanitizer")
            | KNOWN_LEAK  # of an address that is given up for another one
            | {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        )
        self._answer()

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            self._process.stdin.write(json.dumps([name, arguments]) + "\n")
            self._process.stdin.flush()
            return self._answer()

        return call

    def _answer(self) -> Any:
        line = self._process.stdout.readline()
        assert line, "the world has ended"
        answer = json.loads(line)
        assert not (isinstance(answer, dict) and "error" in answer), answer["error"]
        return answer

    def close(self) -> None:
        self._process.stdin.close()
        assert self._process.wait(60) == 0


@pytest.fixture(scope="module")
def shared_world(
    name_spaces: None, build: Build, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("world"), build)
    yield world
    world.close()


@pytest.fixture
def world(shared_world: World) -> World:
    shared_world.reset()
    return shared_world


def expect_mount(world: World, seconds: float = PATIENCE_S, **arguments: str) -> None:
    """Mounting is quick, and a copy runs at full speed: as fast as with the server's address given.
    (A connection that is not polled takes 40 times as long.)"""
    done = world.mount(**arguments)
    assert done["stderr"] == "" and done["status"] == 0
    expect_speed(world)
    world.stop()
    assert done["seconds"] < seconds + 5 * world.seconds_of_a_mount()


def expect_speed(world: World) -> None:
    there = min(world.copy() for _ in range(2))
    back = min(world.copy(back=True) for _ in range(2))
    assert there < 8 * back + 1, f"{there:.2f} s there, {back:.2f} s back"
    assert back < 8 * there + 1, f"{there:.2f} s there, {back:.2f} s back"


def expect_failure(world: World, line: str, seconds: float = 35, **arguments: str) -> None:
    done = world.mount(**arguments)
    assert done["status"] == 1 and not done["mounted"] and done["reports"] == ""
    assert re.fullmatch(rf"ibbfs: {line}\n", done["stderr"]), done["stderr"]
    assert done["seconds"] < seconds + 5 * world.seconds_of_a_mount()


def two_targets(world: World) -> None:
    """one.example.org:5001 is preferred to two.example.org:5002, where the server is."""
    world.srv(kind=TOWARD, host="one.example.org", port=5001, priority=1)
    world.srv(kind=TOWARD, host="two.example.org", port=5002, priority=2)
    world.address(name="one.example.org", address="127.0.0.11")
    world.address(name="two.example.org", address="127.0.0.12")
    world.relay(address="127.0.0.12", port=5002)


# ---- targets ----


@pytest.mark.large
def test_a_target(world: World) -> None:
    world.srv(kind=TOWARD, host="one.example.org", port=5001)
    world.address(name="one.example.org", address="127.0.0.11")
    world.relay(address="127.0.0.11", port=5001)
    expect_mount(world)


def test_the_first_target_refuses(world: World) -> None:
    two_targets(world)
    expect_mount(world)


def test_the_first_target_is_silent(world: World) -> None:
    two_targets(world)
    world.deafen(address="127.0.0.11", port=5001)
    expect_mount(world)


def test_the_first_target_takes_connections_and_says_nothing(world: World) -> None:
    two_targets(world)
    world.deafen(address="127.0.0.11", port=5001, mute=True)
    expect_mount(world)


def test_the_name_of_the_first_target_is_not_answered(world: World) -> None:
    two_targets(world)
    world.silent(name="one.example.org")
    expect_mount(world)


@pytest.mark.large
def test_the_first_target_has_no_address(world: World) -> None:
    world.srv(kind=TOWARD, host="nowhere.example.org", port=5001, priority=1)
    world.exists(name="nowhere.example.org")
    two_targets(world)
    expect_mount(world)


@pytest.mark.large
def test_the_preferred_target_is_used(world: World) -> None:
    two_targets(world)
    world.relay(address="127.0.0.11", port=5001)
    expect_mount(world)
    world.stop_relay(address="127.0.0.12", port=5002)
    expect_mount(world)


@pytest.mark.large
def test_direct_tls(world: World) -> None:
    world.srv(kind=DIRECT, host="one.example.org", port=5001)
    world.address(name="one.example.org", address="127.0.0.11")
    world.relay(address="127.0.0.11", port=5001, direct=True)
    expect_mount(world)
    expect_mount(world, options="tls=direct")


@pytest.mark.large
def test_both_kinds_are_one_list(world: World) -> None:
    """The preferred target is of one kind and dead, the other is of the other kind."""
    world.srv(kind=TOWARD, host="one.example.org", port=5001, priority=1)
    world.srv(kind=DIRECT, host="two.example.org", port=5002, priority=2)
    world.address(name="one.example.org", address="127.0.0.11")
    world.address(name="two.example.org", address="127.0.0.12")
    world.relay(address="127.0.0.12", port=5002, direct=True)
    expect_mount(world)
    refused = r"one\.example\.org:5001 \(127\.0\.0\.11\): Connection refused"
    expect_failure(world, refused, options="tls=starttls")


def test_direct_tls_is_mute(world: World) -> None:
    """We send the first message of the handshake, and get no answer."""
    world.srv(kind=DIRECT, host="one.example.org", port=5001, priority=1)
    world.srv(kind=TOWARD, host="two.example.org", port=5002, priority=2)
    world.address(name="one.example.org", address="127.0.0.11")
    world.address(name="two.example.org", address="127.0.0.12")
    world.deafen(address="127.0.0.11", port=5001, mute=True)
    world.relay(address="127.0.0.12", port=5002)
    expect_mount(world)


# ---- addresses ----


@pytest.mark.parametrize("first", ["refused", "silent"])
def test_ipv6_is_dead(world: World, first: str) -> None:
    world.address(name="example.org", address="::1")
    world.address(name="example.org", address="127.0.0.11")
    if first == "silent":
        world.deafen(address="::1", port=5222)
    world.relay(address="127.0.0.11", port=5222)
    expect_mount(world)


@pytest.mark.large
def test_a_slow_server_is_worth_more_than_a_silent_address(world: World) -> None:
    """If the slow server were given up, the silent address would be tried for ten seconds."""
    world.address(name="example.org", address="::1")
    world.address(name="example.org", address="127.0.0.11")
    world.deafen(address="::1", port=5222)
    world.relay(address="127.0.0.11", port=5222, delay=3)
    done = world.mount()
    assert done["stderr"] == "" and done["status"] == 0
    assert done["seconds"] < ATTEMPT_S


@pytest.mark.large
def test_ipv6_only(world: World) -> None:
    world.srv(kind=TOWARD, host="one.example.org", port=5001)
    world.address(name="one.example.org", address="::1")
    world.relay(address="::1", port=5001)
    expect_mount(world)


@pytest.mark.large
def test_no_srv(world: World) -> None:
    world.address(name="example.org", address="127.0.0.11")
    world.relay(address="127.0.0.11", port=5222)
    expect_mount(world)


@pytest.mark.large
def test_no_srv_for_direct_tls(world: World) -> None:
    world.address(name="example.org", address="127.0.0.11")
    world.relay(address="127.0.0.11", port=5223, direct=True)
    expect_mount(world, options="tls=direct")


@pytest.mark.large
@pytest.mark.parametrize("silent", [f"_{TOWARD}._tcp.example.org", f"_{DIRECT}._tcp.example.org"])
def test_one_kind_of_srv_is_not_answered(world: World, silent: str) -> None:
    """The records of the other kind name the server."""
    world.silent(name=silent)
    for kind, host, address in ((TOWARD, "one", "127.0.0.11"), (DIRECT, "two", "127.0.0.12")):
        world.srv(kind=kind, host=f"{host}.example.org", port=5001)
        world.address(name=f"{host}.example.org", address=address)
        world.relay(address=address, port=5001, direct=kind == DIRECT)
    expect_mount(world)


@pytest.mark.large
def test_the_address_of_one_family_is_not_answered(world: World) -> None:
    """Some name servers drop queries for AAAA: the result is the same as without AAAA records."""
    world.srv(kind=TOWARD, host="one.example.org", port=5001)
    world.address(name="one.example.org", address="127.0.0.11")
    world.silent(name="one.example.org", kinds=["AAAA"])
    world.relay(address="127.0.0.11", port=5001)
    expect_mount(world)


@pytest.mark.large
def test_server_option_with_several_addresses(world: World) -> None:
    world.address(name="one.example.org", address="::1")
    world.address(name="one.example.org", address="127.0.0.11")
    world.deafen(address="::1", port=5001)
    world.relay(address="127.0.0.11", port=5001)
    expect_mount(world, options="server=one.example.org:5001")


# ---- failures ----


@pytest.mark.large
def test_all_targets_refuse(world: World) -> None:
    two_targets(world)
    world.stop_relay(address="127.0.0.12", port=5002)
    expect_failure(
        world, r"one\.example\.org:5001 \(127\.0\.0\.11\): Connection refused", PATIENCE_S
    )


def test_all_targets_are_silent(world: World) -> None:
    two_targets(world)
    world.stop_relay(address="127.0.0.12", port=5002)
    world.deafen(address="127.0.0.11", port=5001)
    world.deafen(address="127.0.0.12", port=5002)
    expect_failure(world, r"one\.example\.org:5001 \(127\.0\.0\.11\): Connection timed out")


@pytest.mark.large
def test_a_target_without_address(world: World) -> None:
    world.srv(kind=TOWARD, host="nowhere.invalid", port=5222)
    expect_failure(world, r"nowhere\.invalid:5222: host not found: .+", PATIENCE_S)


@pytest.mark.large
def test_a_name_without_addresses(world: World) -> None:
    world.exists(name="example.org")
    expect_failure(world, r"example\.org:5222: host not found: .+", PATIENCE_S)


@pytest.mark.large
def test_an_unknown_domain(world: World) -> None:
    expect_failure(world, r"example\.org:5222: host not found: .+", PATIENCE_S)


@pytest.mark.large
def test_no_service(world: World) -> None:
    """RFC 2782: a target "."; the domain's own address is not tried."""
    world.srv(kind=TOWARD, host=".", port=0)
    world.srv(kind=DIRECT, host=".", port=0)
    world.address(name="example.org", address="127.0.0.11")
    world.relay(address="127.0.0.11", port=5222)
    none = r"example\.org: the domain says that it has no XMPP service"
    expect_failure(world, none, PATIENCE_S)


@pytest.mark.large
def test_no_service_of_one_kind(world: World) -> None:
    world.srv(kind=DIRECT, host=".", port=0)
    world.address(name="example.org", address="127.0.0.11")
    world.relay(address="127.0.0.11", port=5222)
    expect_mount(world)
    none = r"example\.org: the domain says that it has no XMPP service"
    expect_failure(world, none, PATIENCE_S, options="tls=direct")


@pytest.mark.large
def test_the_name_server_does_not_answer(world: World) -> None:
    world.silent()
    expect_failure(world, r"example\.org:5222: host not found: .+")


# ---- hostile answers ----


def raw_answer(count: int, records: list[bytes]) -> str:
    """In hex, with a header that says `count` records."""
    name = f"_{TOWARD}._tcp.example.org"
    question = Question(name, SRV, encoded(name) + b"\x00\x21\x00\x01")
    answer = bytearray(message(ANSWER, question, records))
    answer[4:6] = count.to_bytes(2, "big")
    return answer.hex()


def record(host: bytes, port: int = 5001) -> bytes:
    return b"\x00\x01\x00\x00" + port.to_bytes(2, "big") + host


GARBAGE = {
    "nothing behind the id": "",
    "no more than a header": raw_answer(0, [])[:20],
    "more records than there are": raw_answer(60000, [record(encoded("one.example.org"))]),
    "a pointer to itself": raw_answer(1, [record(b"\xc0\x41")]),
    "a name of control characters": raw_answer(1, [record(b"\x04a\nb\x01\x03org\x00")]),
    "records of no length": raw_answer(3, [b"", b"", b""]),
    "port 0": raw_answer(1, [record(encoded("one.example.org"), 0)]),
    "random": "8180" + "ff" * 300,
}


@pytest.mark.large
@pytest.mark.parametrize("garbage", GARBAGE)
def test_malformed(world: World, garbage: str) -> None:
    """The result is the same as without an SRV record or an answer: the domain's address is
    tried."""
    world.raw(kind=TOWARD, answer=GARBAGE[garbage])
    world.address(name="example.org", address="127.0.0.11")
    world.address(name="one.example.org", address="127.0.0.11")
    world.relay(address="127.0.0.11", port=5222)
    world.relay(address="127.0.0.11", port=5001)
    expect_mount(world, seconds=20)


@pytest.mark.large
def test_five_hundred_targets(world: World) -> None:
    """All of them are dead. They are not tried without end."""
    for i in range(500):
        world.srv(kind=TOWARD, host="one.example.org", port=5001 + i, priority=i)
    world.address(name="one.example.org", address="127.0.0.11")
    refused = r"one\.example\.org:5001 \(127\.0\.0\.11\): Connection refused"
    expect_failure(world, refused, PATIENCE_S)


@pytest.mark.large
def test_many_dead_targets_and_one_that_lives(world: World) -> None:
    for i in range(10):
        world.srv(kind=TOWARD, host="one.example.org", port=5001 + i, priority=i)
    world.address(name="one.example.org", address="127.0.0.11")
    world.relay(address="127.0.0.11", port=5010)
    expect_mount(world)


@pytest.mark.large
def test_many_addresses(world: World) -> None:
    for i in range(200):
        world.address(name="example.org", address=f"127.0.1.{i}")
    expect_failure(world, r"example\.org:5222 \(127\.0\.1\.\d+\): Connection refused", PATIENCE_S)


@pytest.mark.large
def test_many_dead_addresses_of_one_family(world: World) -> None:
    for i in range(20):
        world.address(name="example.org", address=f"2001:db8::{i + 1}")
    world.address(name="example.org", address="127.0.0.11")
    world.relay(address="127.0.0.11", port=5222)
    expect_mount(world)


# ---- a connection that is made again ----


def test_the_server_moves(world: World) -> None:
    """The first target died while we were online: the second is used."""
    two_targets(world)
    world.relay(address="127.0.0.11", port=5001)
    assert world.mount()["status"] == 0
    world.replace_relay(address="127.0.0.11", port=5001)
    world.wait_connected_through(address="127.0.0.12", port=5002)
    expect_speed(world)
    world.stop()


@pytest.mark.large
def test_names_are_looked_up_anew(world: World) -> None:
    two_targets(world)
    assert world.mount()["status"] == 0
    world.forget()
    world.srv(kind=TOWARD, host="three.example.org", port=5003)
    world.address(name="three.example.org", address="::1")
    world.relay(address="::1", port=5003)
    world.stop_relay(address="127.0.0.12", port=5002)
    world.wait_connected_through(address="::1", port=5003)
    expect_speed(world)
    world.stop()


def test_a_silent_name_server_holds_up_nobody(world: World) -> None:
    """During a look-up, calls are answered, and the daemon can be ended."""
    two_targets(world)
    assert world.mount()["status"] == 0
    world.silent()
    world.stop_relay(address="127.0.0.12", port=5002)
    world.wait_disconnected()
    assert world.seconds_of_a_look() < 2
    assert world.stop() < PATIENCE_S


def test_internationalized_domain(world: World) -> None:
    """It is looked up by its A-labels (RFC 6120 section 3.2.1). The server is another's."""
    world.address(name="xn--pl-wia.example", address="127.0.0.2")
    world.relay(address="127.0.0.2", port=5222)
    for domain in ("plä.example", "xn--pl-wia.example"):
        done = world.mount(jid=f"me@{domain}")
        assert done["status"] == 1 and not done["mounted"] and done["reports"] == ""
        assert "xn--pl-wia.example:5222 (127.0.0.2)" in done["stderr"]
