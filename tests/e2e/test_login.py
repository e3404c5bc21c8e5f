# SPDX-License-Identifier: MIT
"""Logging in: the mechanism, the number of attempts, and the message of a refusal."""

import base64
import contextlib
import re
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon import Mount, is_mounted, poll_until
from lab import Lab
from loginserver import NS_BIND, NS_SASL, PASSWORD, STARTTLS, USER, LoginServer, mechanisms
from server import HOST, Account

SCRAMS = ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512")
PLUSES = tuple(f"{name}-PLUS" for name in SCRAMS)

# This module has servers of its own, neither Prosody nor ejabberd.
pytestmark = pytest.mark.once


def can_bind() -> bool:
    """Whether libstrophe knows the -PLUS mechanisms: from 0.13 on."""
    library = next(Path("/usr/lib").glob("*/libstrophe.so.0"))
    return b"SCRAM-SHA-1-PLUS" in library.read_bytes()


BINDS = can_bind()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., LoginServer]]:
    started: list[LoginServer] = []

    def start(**how: object) -> LoginServer:
        started.append(LoginServer(tmp_path / f"server{len(started)}", **how))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def mount_at(lab: Lab, server: LoginServer, password: str = PASSWORD, **options: str) -> Mount:
    """Prepared, not started."""
    account = Account(f"{USER}@{server.host}", password)
    mount = Mount(lab.build, server, account, "mount", lab.folder / "mnt")
    mount.options = ",".join(f"{k}={v}" for k, v in options.items())
    mount.path.mkdir()
    return mount


def refusal(mount: Mount) -> str:
    """The one line that a failed start prints."""
    done = subprocess.run(
        mount.command(), capture_output=True, text=True, timeout=50, stdin=subprocess.DEVNULL,
        env=mount.environment(),
    )  # fmt: skip
    assert done.returncode == 1, done
    assert not is_mounted(mount.path)
    assert mount.reports() == ""
    lines = done.stderr.splitlines()
    return lines[-1]


def expect_login(mount: Mount) -> str:
    """Mounts, and ends in order; returns what was logged."""
    try:
        mount.start().stop()
    finally:
        mount.remove_left_over()
    return mount.stderr()


# ---- one refused password is one attempt ----


@pytest.mark.parametrize(
    "offers, used",
    [
        (("PLAIN",), "PLAIN"),
        (("DIGEST-MD5", "PLAIN", "SCRAM-SHA-1"), "SCRAM-SHA-1"),
        (("SCRAM-SHA-1", "SCRAM-SHA-256", "PLAIN", "X-OAUTH2"), "SCRAM-SHA-256"),
        ((*SCRAMS, "DIGEST-MD5", "PLAIN"), "SCRAM-SHA-512"),
    ],
)
def test_a_wrong_password_is_tried_once(
    lab: Lab, serve: Callable[..., LoginServer], offers: tuple[str, ...], used: str
) -> None:
    server = serve(offers=offers)
    line = refusal(mount_at(lab, server, "wrong"))
    assert line == f"ibbfs: {USER}@{HOST}: the server refused the password"
    assert server.auths == [used]
    poll_until(lambda: server.ends == 1, what="the end of the stream in good order")


# A refusal of the account, or of the request, does not depend on the mechanism.
FINAL = [
    "not-authorized",
    "credentials-expired",
    "account-disabled",
    "temporary-auth-failure",
    "invalid-authzid",
    "incorrect-encoding",
    "malformed-request",
    "aborted",
    "no-condition-of-the-rfc",
]


@pytest.mark.parametrize("condition", FINAL)
def test_no_second_attempt_after(
    lab: Lab, serve: Callable[..., LoginServer], condition: str
) -> None:
    server = serve(offers=SCRAMS, refuses=dict.fromkeys(SCRAMS, condition))
    line = refusal(mount_at(lab, server))
    assert server.auths == ["SCRAM-SHA-512"]
    said = {
        "not-authorized": "the server refused the password",
        "no-condition-of-the-rfc": "the server refused the password",
    }
    expected = said.get(condition, f"the server refused the login: {condition}")
    assert line == f"ibbfs: {USER}@{HOST}: {expected}"


@pytest.mark.parametrize("condition", ["invalid-mechanism", "mechanism-too-weak", "encryption-required"])
def test_a_refused_mechanism_leads_to_the_next(
    lab: Lab, serve: Callable[..., LoginServer], condition: str
) -> None:
    server = serve(offers=SCRAMS, refuses={"SCRAM-SHA-512": condition})
    expect_login(mount_at(lab, server))
    assert server.auths == ["SCRAM-SHA-512", "SCRAM-SHA-256"]


def test_a_refused_mechanism_and_a_wrong_password(
    lab: Lab, serve: Callable[..., LoginServer]
) -> None:
    server = serve(offers=SCRAMS, refuses={"SCRAM-SHA-512": "invalid-mechanism"})
    line = refusal(mount_at(lab, server, "wrong"))
    assert line == f"ibbfs: {USER}@{HOST}: the server refused the password"
    assert server.auths == ["SCRAM-SHA-512", "SCRAM-SHA-256"]


def test_every_mechanism_is_refused_once(lab: Lab, serve: Callable[..., LoginServer]) -> None:
    server = serve(offers=SCRAMS, refuses=dict.fromkeys(SCRAMS, "mechanism-too-weak"))
    line = refusal(mount_at(lab, server))
    assert line == f"ibbfs: {USER}@{HOST}: the server refused the login: mechanism-too-weak"
    assert server.auths == list(reversed(SCRAMS))


def test_plain_only_where_nothing_else_is_known(
    lab: Lab, serve: Callable[..., LoginServer]
) -> None:
    server = serve(offers=("PLAIN", "SCRAM-SHA-1"), refuses={"SCRAM-SHA-1": "invalid-mechanism"})
    refusal(mount_at(lab, server))
    assert server.auths == ["SCRAM-SHA-1"]


# ---- the right password ----


@pytest.mark.parametrize("name", [*SCRAMS, "PLAIN"])
def test_each_mechanism(lab: Lab, serve: Callable[..., LoginServer], name: str) -> None:
    server = serve(offers=(name,))
    assert expect_login(mount_at(lab, server)) == ""
    assert server.auths == [name]


def test_plain_without_tls_to_loopback(lab: Lab, serve: Callable[..., LoginServer]) -> None:
    server = serve(offers=("PLAIN",), tls=False)
    expect_login(mount_at(lab, server, tls="off"))
    assert server.auths == ["PLAIN"]


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_binds_only_as_we_cannot(
    lab: Lab, serve: Callable[..., LoginServer], newest: ssl.TLSVersion
) -> None:
    """The server must not be told that we cannot bind: it would have to take that for a
    downgrade."""
    server = serve(offers=(*SCRAMS, *PLUSES), binds=("tls-server-end-point",), newest=newest)
    said = expect_login(mount_at(lab, server))
    assert server.auths == ["SCRAM-SHA-512"]
    assert server.headers == ["n"]
    assert re.fullmatch(r"ibbfs: localhost: the server binds a login [^\n]*; logging in without\n", said)


def test_one_that_binds_only_as_the_version_of_tls_cannot(
    lab: Lab, serve: Callable[..., LoginServer]
) -> None:
    server = serve(
        offers=(*SCRAMS, *PLUSES), binds=("tls-exporter",), newest=ssl.TLSVersion.TLSv1_2
    )
    said = expect_login(mount_at(lab, server))
    assert (server.auths, server.headers) == (["SCRAM-SHA-512"], ["n"])
    assert "logging in without" in said


@pytest.mark.parametrize("binds", [None, ("tls-server-end-point", "tls-unique")])
def test_one_that_binds_as_we_can(
    lab: Lab, serve: Callable[..., LoginServer], binds: tuple[str, ...] | None
) -> None:
    server = serve(offers=(*SCRAMS, *PLUSES), binds=binds, newest=ssl.TLSVersion.TLSv1_2)
    said = expect_login(mount_at(lab, server))
    used = ("SCRAM-SHA-512-PLUS", "p=tls-unique") if BINDS else ("SCRAM-SHA-512", "n")
    assert (server.auths, server.headers) == ([used[0]], [used[1]])
    assert said == ""


def test_a_server_that_was_kept_from_offering_to_bind(
    lab: Lab, serve: Callable[..., LoginServer]
) -> None:
    """The server is told that we could bind: it notices if the offer was removed on the path."""
    server = serve(offers=SCRAMS)
    expect_login(mount_at(lab, server))
    assert server.headers == ["y" if BINDS else "n"]


# ---- what the server does not offer ----


@pytest.mark.parametrize(
    "offers, more, said",
    [
        (("X-OAUTH2", "GSSAPI"), "", "that we know: X-OAUTH2 GSSAPI"),
        ((), "", "that we know"),
        # as Prosody ends a stream on which nothing can follow
        (
            (),
            "<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
            "</stream:error></stream:stream>",
            "that we know",
        ),
    ],
)  # fmt: skip
def test_no_mechanism_that_we_know(
    lab: Lab, serve: Callable[..., LoginServer], offers: tuple[str, ...], more: str, said: str
) -> None:
    server = serve(offers=offers, after_features=more)
    line = refusal(mount_at(lab, server))
    assert line == f"ibbfs: {USER}@{HOST}: the server offers no way to log in {said}"
    assert server.auths == []


# ---- how the connection ends ----


@pytest.mark.parametrize("tls", ["starttls", "off"])
def test_a_reset_during_the_login(
    lab: Lab, serve: Callable[..., LoginServer], tls: str
) -> None:
    server = serve(resets=True, tls=tls != "off")
    line = refusal(mount_at(lab, server, tls=tls))
    assert line == f"ibbfs: 127.0.0.1:{server.port}: the connection was lost"


# ---- what was said before TLS ----

OTHERS_BEFORE_TLS = {
    "mechanisms": STARTTLS + mechanisms(("PLAIN", "SCRAM-SHA-1")),
    "mechanisms first": mechanisms(("PLAIN", "SCRAM-SHA-1")) + STARTTLS,
}


@pytest.mark.parametrize("before", OTHERS_BEFORE_TLS)
def test_mechanisms_that_are_gone_after_tls(
    lab: Lab, serve: Callable[..., LoginServer], before: str
) -> None:
    server = serve(offers=(), before_tls=OTHERS_BEFORE_TLS[before])
    line = refusal(mount_at(lab, server))
    assert line == f"ibbfs: {USER}@{HOST}: the server offers no way to log in that we know"
    assert server.auths == []


def test_a_stronger_mechanism_that_is_gone_after_tls(
    lab: Lab, serve: Callable[..., LoginServer]
) -> None:
    server = serve(offers=("PLAIN",), before_tls=STARTTLS + mechanisms(SCRAMS))
    expect_login(mount_at(lab, server))
    assert server.auths == ["PLAIN"]


def test_a_stream_without_bind_after_the_login(
    lab: Lab, serve: Callable[..., LoginServer]
) -> None:
    bind = "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
    server = serve(before_tls=STARTTLS + bind, after_login="")
    line = refusal(mount_at(lab, server))
    assert line == f"ibbfs: {USER}@{HOST}: the server refused the resource"
    assert "iq" not in server.stanzas


NO_ADDRESS = {
    "nothing": "",
    "no address": f"<bind xmlns='{NS_BIND}'/>",
    "an empty address": f"<bind xmlns='{NS_BIND}'><jid/></bind>",
    "a bare address": f"<bind xmlns='{NS_BIND}'><jid>{USER}@{HOST}</jid></bind>",
    "no local part": f"<bind xmlns='{NS_BIND}'><jid>{HOST}/x</jid></bind>",
    "too long": f"<bind xmlns='{NS_BIND}'><jid>{USER}@{HOST}/{'x' * 4000}</jid></bind>",
}


@pytest.mark.parametrize("what", NO_ADDRESS)
def test_a_server_that_binds_no_full_address(
    lab: Lab, serve: Callable[..., LoginServer], what: str
) -> None:
    server = serve(bound=NO_ADDRESS[what])
    line = refusal(mount_at(lab, server))
    assert line == f"ibbfs: {USER}@{HOST}: the server refused the resource"


@pytest.mark.parametrize(
    "kind, condition",
    [("cancel", "internal-server-error"), ("wait", "undefined-condition")],
)
def test_a_server_that_cannot_give_the_roster_now(
    lab: Lab, serve: Callable[..., LoginServer], kind: str, condition: str
) -> None:
    server = serve(roster_error=(kind, condition))
    line = refusal(mount_at(lab, server))
    assert line == f"ibbfs: 127.0.0.1:{server.port}: the server gives no roster: {condition}"


@pytest.mark.parametrize("condition", ["service-unavailable", "feature-not-implemented"])
def test_a_server_without_rosters(
    lab: Lab, serve: Callable[..., LoginServer], condition: str
) -> None:
    expect_login(mount_at(lab, serve(roster_error=("cancel", condition))))


def test_the_roster_outlives_an_error(lab: Lab, serve: Callable[..., LoginServer]) -> None:
    """Of a server that is not quite up again."""
    server = serve(roster=("<item jid='bob@example.org' subscription='both'/>",))
    mount = mount_at(lab, server)
    try:
        mount.start()
        assert (mount.path / "bob@example.org").is_dir()
        server.roster_error = ("wait", "internal-server-error")
        with contextlib.suppress(ConnectionResetError):
            server.client.reset()
        poll_until(lambda: server.logins >= 3, what="another login")
        assert (mount.path / "bob@example.org").is_dir()
        server.roster_error = None
        mount.wait_connected()
        assert (mount.path / "bob@example.org").is_dir()
    finally:
        mount.stop()
        mount.remove_left_over()


@pytest.mark.parametrize("error", ["", "policy-violation"])
def test_a_server_that_ends_each_stream_at_once(
    lab: Lab, serve: Callable[..., LoginServer], error: str
) -> None:
    """Each login is a load for the server, and a reason to lock us out."""
    namespace = "urn:ietf:params:xml:ns:xmpp-streams"
    sent = error and f"<stream:error><{error} xmlns='{namespace}'/></stream:error>"
    server = serve(kicks=sent)
    mount = mount_at(lab, server)
    try:
        mount.start()
        began = time.monotonic()
        poll_until(lambda: server.logins >= 4, what="the fourth login")
        assert time.monotonic() - began > 2  # 0.2, 1 and 2 s, and jitter
    finally:
        mount.stop()
        mount.remove_left_over()


MISSHAPEN = {
    "a long salt": ("SCRAM-SHA-1", b"r=x,s=%s,i=4096" % base64.b64encode(bytes(125))),
    "rounds for an hour": ("SCRAM-SHA-1", b"r=x,s=c2FsdA==,i=2000000000"),
    "negative rounds": ("SCRAM-SHA-512", b"r=x,s=c2FsdA==,i=-1"),
    "no nonce": ("DIGEST-MD5", b'realm="x"'),
    "nothing": ("DIGEST-MD5", b""),
}


@pytest.mark.parametrize("what", MISSHAPEN)
def test_a_misshapen_challenge(lab: Lab, serve: Callable[..., LoginServer], what: str) -> None:
    """libstrophe would crash, or compute for an hour."""
    mechanism, challenge = MISSHAPEN[what]
    server = serve(offers=(mechanism,), challenges={mechanism: challenge})
    line = refusal(mount_at(lab, server))
    assert line == f"ibbfs: 127.0.0.1:{server.port}: the server's challenge is malformed"


@pytest.mark.parametrize("when", ["in the login", "online"])
def test_a_stream_error_without_a_condition(
    lab: Lab, serve: Callable[..., LoginServer], when: str
) -> None:
    error = "<stream:error/></stream:stream>"
    server = serve(after_features=error) if when == "in the login" else serve()
    mount = mount_at(lab, server)
    if when == "in the login":
        line = refusal(mount)
        assert line.endswith(": the server closed the stream: undefined-condition")
        return
    try:
        mount.start()
        server.client.send(error)
        poll_until(lambda: server.logins == 2, what="another login")
        poll_until(lambda: "online" in mount.status(), what="the new connection")
        mount.stop()
    finally:
        mount.remove_left_over()


STRANGERS = {
    "success": f"<success xmlns='{NS_SASL}'/>",
    "failure": f"<failure xmlns='{NS_SASL}'><not-authorized/></failure>",
    "features": f"<stream:features>{mechanisms(('PLAIN',))}</stream:features>",
    "roster push": (
        f"<iq type='set' id='x' to='{USER}@{HOST}'><query xmlns='jabber:iq:roster'>"
        "<item jid='eve@evil.example' subscription='both'/></query></iq>"
    ),
    "presence": f"<presence from='{USER}@{HOST}/x' to='{USER}@{HOST}'/>",
    "stream error": (
        "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
    ),
    "long": "<iq>" + "<a/>" * 500 + "</iq>",
    "end": "</stream:stream>",
}


@pytest.mark.parametrize("what", STRANGERS)
def test_what_comes_behind_proceed_is_dropped(
    lab: Lab, serve: Callable[..., LoginServer], what: str
) -> None:
    server = serve(offers=SCRAMS, with_proceed=STRANGERS[what])
    mount = mount_at(lab, server)
    try:
        mount.start()
        assert (mount.path / "status").read_text().startswith(f"account     {USER}@{HOST}/mount\n")
        assert not (mount.path / "eve@evil.example").exists()
        mount.stop()
    finally:
        mount.remove_left_over()
    assert server.auths == ["SCRAM-SHA-512"]
    assert server.logins == 1


@pytest.mark.parametrize("what", ["success", "failure", "roster push", "presence"])
def test_what_comes_before_proceed_changes_nothing(
    lab: Lab, serve: Callable[..., LoginServer], what: str
) -> None:
    """The forged features follow the first ones, and are followed by others."""
    before = f"{STARTTLS}</stream:features>{STRANGERS[what]}<stream:features>"
    server = serve(offers=SCRAMS, before_tls=before)
    line = refusal(mount_at(lab, server, "wrong"))
    assert line == f"ibbfs: {USER}@{HOST}: the server refused the password"
    assert server.auths == ["SCRAM-SHA-512"]


def test_a_refusal_before_tls_is_none_of_the_password(
    lab: Lab, serve: Callable[..., LoginServer]
) -> None:
    """A man in the middle could send the refusal, and the login would never be tried again."""
    before = f"</stream:features>{STRANGERS['failure']}</stream:stream><stream:features>"
    server = serve(before_tls=before)
    line = refusal(mount_at(lab, server))
    assert "password" not in line and server.auths == []


# ---- internationalized domains ----


@pytest.mark.parametrize("tls", ["starttls", "direct"])
@pytest.mark.parametrize("typed", ["plä.example", "PLÄ.example", "xn--pl-wia.example"])
def test_internationalized_domain(
    lab: Lab, serve: Callable[..., LoginServer], typed: str, tls: str
) -> None:
    """A-labels for SNI and the certificate, U-labels on the wire (RFC 7622, RFC 9525)."""
    server = serve(host="plä.example", starttls=tls == "starttls")
    mount = mount_at(lab, server, tls=tls)
    mount.account = Account(f"{USER}@{typed}", PASSWORD)
    mount.start()
    assert f"account     {USER}@plä.example/mount\n" in mount.status()
    mount.stop()
    assert server.names == ["xn--pl-wia.example"]
    assert set(server.domains) == {"plä.example"}


def test_certificate_of_another_internationalized_domain(
    lab: Lab, serve: Callable[..., LoginServer]
) -> None:
    server = serve(host="plä.example")
    mount = mount_at(lab, server)
    mount.account = Account(f"{USER}@plö.example", PASSWORD)
    assert "plö.example" in refusal(mount)
    assert server.auths == []
