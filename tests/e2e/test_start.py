# SPDX-License-Identifier: MIT
"""The command: its failures, its output, its end."""

import contextlib
import os
import pty
import re
import resource
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from certificates import make_certificates
from daemon import Mount, is_mounted, poll_until, processes_with_argument, reap
from lab import Lab
from rawpeer import is_kind, silence
from server import HOST, Account


@pytest.fixture
def mount(lab: Lab) -> Iterator[Mount]:
    """Prepared, not started."""
    account = lab.accounts("alice")[0]
    path = lab.folder / "mnt"
    path.mkdir()
    prepared = Mount(lab.build, lab.server, account, "mount", path)
    yield prepared
    prepared.remove_left_over()


def run(mount: Mount, command: list[str], **arguments: object) -> subprocess.CompletedProcess:
    """The command without a terminal, to its end."""
    environment = {k: v for k, v in mount.environment().items() if k != "IBBFS_PASSWORD"}
    arguments = {"stdin": subprocess.DEVNULL, "env": environment} | arguments
    return subprocess.run(
        command, capture_output=True, text=True, timeout=50, start_new_session=True, **arguments
    )


def expect_failure(mount: Mount, command: list[str], cause: str, **arguments: object) -> None:
    done = run(mount, command, **arguments)
    assert done.returncode > 0, "status 0, or ended by a signal"
    assert done.stdout == ""
    assert re.fullmatch(r"ibbfs: [^\n]+\n", done.stderr), f"not one line: {done.stderr!r}"
    assert re.search(cause, done.stderr, re.IGNORECASE), done.stderr
    assert not is_mounted(mount.path)
    options = next((word for word in command if word.startswith("server=")), command[-1])
    assert processes_with_argument(options) == [], "a daemon is left"
    assert mount.reports() == ""


def with_options(mount: Mount, **options: str | None) -> list[str]:
    """The command with `options` replaced, or left out where None."""
    command = mount.command()
    pairs = dict(word.partition("=")[::2] for word in command[2].split(","))
    pairs |= options
    command[2] = ",".join(f"{k}={v}" if v else k for k, v in pairs.items() if v is not None)
    return command


# ---- failures ----


def test_wrong_password(mount: Mount) -> None:
    command = mount.command()
    mount.beside(".password").write_text("wrong\n")
    expect_failure(mount, command, "password|authenticat|log in")


def test_a_wrong_password_is_one_attempt(mount: Mount) -> None:
    """Whatever the server offers."""
    command = mount.command()
    command.insert(1, "-d")
    mount.beside(".password").write_text("wrong\n")
    done = run(mount, command)
    assert done.returncode == 1
    assert "the server refused the password" in done.stderr
    assert done.stderr.count("SENT: <auth ") == 1
    assert mount.reports() == ""


def test_unknown_account(mount: Mount) -> None:
    mount.account = Account(f"nobody@{mount.server.host}", "x")
    expect_failure(mount, mount.command(), "password|authenticat|log in")


def test_untrusted_certificate(mount: Mount, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    make_certificates(tmp_path / "other", HOST)
    command = with_options(mount, cafile=str(tmp_path / "other" / "ca.crt"))
    expect_failure(mount, command, "certificate")


def test_certificate_not_in_the_systems_store(mount: Mount) -> None:
    expect_failure(mount, with_options(mount, cafile=None), "certificate")


@contextlib.contextmanager
def impostor(folder: Path, host: str) -> Iterator[tuple[int, Path]]:
    """Port of a TLS server that has a certificate for `host`, and the CA that signed it."""
    folder.mkdir()
    make_certificates(folder, host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            # The client hangs up, as it should.
            with contextlib.suppress(OSError):
                with context.wrap_socket(listener.accept()[0], server_side=True) as client:
                    client.recv(65536)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1], folder / "ca.crt"


def test_certificate_for_another_host(lab: Lab, mount: Mount) -> None:
    with impostor(lab.folder / "impostor", "example.org") as (port, cafile):
        command = with_options(mount, server=f"127.0.0.1:{port}", cafile=str(cafile), tls="direct")
        expect_failure(mount, command, "certificate")


def test_missing_cafile(mount: Mount) -> None:
    expect_failure(mount, with_options(mount, cafile="/nonexistent/ca.crt"), "/nonexistent/ca.crt")


def test_unreachable_server(mount: Mount) -> None:
    with socket.socket() as bound:  # and nobody listens
        bound.bind(("127.0.0.1", 0))
        command = with_options(mount, server=f"127.0.0.1:{bound.getsockname()[1]}")
        for _ in range(20):  # failing may come before anybody waits for it, or after
            expect_failure(mount, command, "refused|connect|reach")


def test_unknown_host_name(mount: Mount) -> None:
    command = with_options(mount, server="no-such-host.invalid")
    expect_failure(mount, command, "no-such-host.invalid|connect|reach|resolve|look")


def test_account_of_another_server(mount: Mount) -> None:
    mount.account = Account("alice@example.org", "x")
    expect_failure(mount, mount.command(), "example.org|host|server|certificate")


class Script(threading.Thread):
    """A server that answers each thing it receives with the next of its lines, then waits."""

    def __init__(self, lines: list[str], hang_up: bool):
        super().__init__(daemon=True)
        self.lines, self.hang_up = lines, hang_up
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def run(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            for line in self.lines:
                connection.recv(65536)
                connection.sendall(line.encode())
            while not self.hang_up and connection.recv(65536):
                pass


HEADER = (
    f"<?xml version='1.0'?><stream:stream xmlns='jabber:client' id='1' version='1.0' from='{HOST}'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
)
FEATURES = "<stream:features>{}</stream:features>"
PLAIN_ONLY = (
    "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>"
)
TLS = "urn:ietf:params:xml:ns:xmpp-tls"
STARTTLS = f"<starttls xmlns='{TLS}'/>"

# name: what it says, whether it hangs up then, what the one line must speak of
SERVERS = {
    "says nothing": ([], False, "time|answer"),
    "hangs up": ([HEADER], True, "connection|closed|server|lost"),
    "is no XMPP server": (["HTTP/1.1 400 Bad Request\r\n\r\n"], True, "server|connection|XMPP"),
    "offers no TLS": ([HEADER + FEATURES.format(PLAIN_ONLY)], False, "TLS|encrypt"),
    "refuses TLS": (
        [HEADER + FEATURES.format(STARTTLS), f"<failure xmlns='{TLS}'/></stream:stream>"],
        True,
        "TLS|encrypt|closed",
    ),
    "stalls in the handshake": (
        [HEADER + FEATURES.format(STARTTLS), f"<proceed xmlns='{TLS}'/>"],
        False,
        "time|answer|TLS",
    ),
}


@pytest.mark.parametrize("server", SERVERS)
def test_server_that(mount: Mount, server: str) -> None:
    lines, hang_up, cause = SERVERS[server]
    script = Script(lines, hang_up)
    script.start()
    options = {"server": f"127.0.0.1:{script.port}", "timeout": "3"}
    expect_failure(mount, with_options(mount, **options), cause)


@pytest.mark.parametrize(
    "jid", ["", "@localhost", "a@b@c", "alice@", "alice@localhost/", "a b@localhost"]
)
def test_bad_jid(mount: Mount, jid: str) -> None:
    command = mount.command()
    command[3] = jid
    expect_failure(mount, command, "JID|address|" + re.escape(jid or "JID"))


def test_missing_mount_point(mount: Mount) -> None:
    command = mount.command()
    command[4] += "/missing"
    expect_failure(mount, command, "/missing")


def test_mount_point_that_is_a_file(mount: Mount) -> None:
    command = mount.command()
    command[4] = str(mount.beside(".password"))
    expect_failure(mount, command, r"mnt\.password")


def test_mount_point_of_another_mount(mount: Mount) -> None:
    mount.start()
    done = run(mount, mount.command())
    assert done.returncode > 0 and done.stdout == ""
    assert re.fullmatch(r"ibbfs: [^\n]+ already[^\n]+\n", done.stderr), done.stderr
    assert "online" in mount.status()
    mount.stop()


def test_too_few_and_too_many_arguments(mount: Mount) -> None:
    command = mount.command()
    expect_failure(mount, command[:3], "JID|argument|usage|help")
    expect_failure(mount, command[:4], "mount ?point|argument|usage|help")
    expect_failure(mount, [*command, "extra"], "extra|argument")


@pytest.mark.parametrize("word", ["no_such_option", "windw=4096", "password=secret"])
def test_unknown_option(mount: Mount, word: str) -> None:
    name, _, value = word.partition("=")
    expect_failure(mount, with_options(mount, **{name: value}), name)


def test_unknown_flag(mount: Mount) -> None:
    command = mount.command()
    command.insert(1, "--no-such-flag")
    expect_failure(mount, command, "--no-such-flag")


BAD_VALUES = [
    ("block_size", "0"), ("block_size", "65536"), ("block_size", "4K"), ("block_size", "-1"),
    ("block_size", ""), ("window", "x"), ("window", "0"), ("window", "-4096"), ("buffer", "1X"),
    ("buffer", "99999999999999999999"), ("buffer_total", "0"), ("max_streams", "0"), ("max_streams", "many"),
    ("timeout", "0"), ("timeout", "-1"), ("timeout", "1h"), ("tls", "maybe"), ("accept", "some"),
    ("stanza", "presence"), ("server", "127.0.0.1:0"), ("server", "127.0.0.1:65536"),
    ("server", "127.0.0.1:http"),
]  # fmt: skip


@pytest.mark.parametrize("name, value", BAD_VALUES)
def test_bad_value(mount: Mount, name: str, value: str) -> None:
    command = with_options(mount, **{name: None})
    command[2] += f",{name}={value}"
    expect_failure(mount, command, name)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_password_file_that_others_can_read(mount: Mount, mode: int) -> None:
    command = mount.command()
    mount.beside(".password").chmod(mode)
    expect_failure(mount, command, r"mnt\.password")


def test_missing_password_file(mount: Mount) -> None:
    path = "/nonexistent/secret"
    expect_failure(mount, with_options(mount, password_file=path), path)


def test_empty_password(mount: Mount) -> None:
    command = mount.command()
    mount.beside(".password").write_text("")
    expect_failure(mount, command, "password")


def test_no_password_at_all(mount: Mount) -> None:
    expect_failure(mount, with_options(mount, password_file=None), "password")


def test_tls_off_to_another_machine(mount: Mount) -> None:
    """0.0.0.0 is this machine to connect(2), but no loopback address."""
    command = with_options(mount, tls="off", server=f"0.0.0.0:{mount.server.port}")
    expect_failure(mount, command, "tls|loopback")


def test_tls_off_without_a_server(mount: Mount) -> None:
    expect_failure(mount, with_options(mount, tls="off", server=None), "tls|loopback|server")


# ---- what works ----


def finish(mount: Mount, done: subprocess.CompletedProcess) -> None:
    """The command has mounted; its daemon ends in order."""
    assert done.returncode == 0, done.stderr
    assert is_mounted(mount.path)
    assert "incoming" in os.listdir(mount.path)
    mount.adopt()
    mount.stop()


@pytest.mark.parametrize("options", [{"tls": "direct"}, {"tls": "off"}, {"tls": "starttls"}])
def test_kinds_of_tls(mount: Mount, options: dict[str, str]) -> None:
    if options["tls"] == "direct":
        options = options | {"server": f"127.0.0.1:{mount.server.direct_port}"}
    finish(mount, run(mount, with_options(mount, **options)))


def test_direct_tls_asks_for_xmpp(mount: Mount) -> None:
    """ALPN (XEP-0368 section 2): a port may be for several protocols."""
    folder = mount.server.folder
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    context.set_alpn_protocols(["h2", "xmpp-client"])
    asked = []

    def serve(listener: socket.socket) -> None:
        with context.wrap_socket(listener.accept()[0], server_side=True) as client:
            asked.append(client.selected_alpn_protocol())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        where = f"127.0.0.1:{listener.getsockname()[1]}"
        expect_failure(mount, with_options(mount, server=where, tls="direct"), "closed|lost")
        server.join()
    assert asked == ["xmpp-client"]


def test_capath(mount: Mount, tmp_path: Path) -> None:
    folder = tmp_path / "ca"
    folder.mkdir()
    (folder / "ca.pem").write_bytes(mount.server.cafile.read_bytes())
    subprocess.run(["openssl", "rehash", folder], check=True)
    finish(mount, run(mount, with_options(mount, cafile=None, capath=str(folder))))


def test_password_from_standard_input(mount: Mount) -> None:
    command = with_options(mount, password_file=None, password_stdin="")
    with open(mount.beside(".password")) as password:
        finish(mount, run(mount, command, stdin=password))


def test_password_from_the_environment(mount: Mount) -> None:
    environment = mount.environment() | {"IBBFS_PASSWORD": mount.account.password}
    finish(mount, run(mount, with_options(mount, password_file=None), env=environment))


def test_password_file_wins(mount: Mount) -> None:
    environment = mount.environment() | {"IBBFS_PASSWORD": "wrong"}
    finish(mount, run(mount, mount.command(), env=environment))


def test_password_from_a_prompt_without_echo(mount: Mount) -> None:
    command = with_options(mount, password_file=None)
    environment = {k: v for k, v in mount.environment().items() if k != "IBBFS_PASSWORD"}
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(command[0], command, environment)
    shown = b""
    while b"assword" not in shown or not shown.rstrip().endswith(b":"):
        shown += os.read(terminal, 1000)
    os.write(terminal, mount.account.password.encode() + b"\n")
    assert reap(pid, 60) == 0
    try:
        while part := os.read(terminal, 1000):
            shown += part
    except OSError:
        pass  # no process has the terminal open any more
    os.close(terminal)
    assert mount.account.password.encode() not in shown
    finish(mount, subprocess.CompletedProcess(command, 0, "", ""))


def test_options_may_stand_last(mount: Mount) -> None:
    """As mount(8) writes them."""
    program, dash_o, options, jid, path = mount.command()
    finish(mount, run(mount, [program, jid, path, dash_o, options + ",rw,nosuid"]))


def test_success_is_silent(lab: Lab, mount: Mount) -> None:
    done = run(mount, mount.command())
    finish(mount, done)
    assert (done.stdout, done.stderr) == ("", "")


CLOSED = ["<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"]


@pytest.mark.parametrize("closed", CLOSED)
def test_closed_standard_descriptors(mount: Mount, closed: str) -> None:
    """As cron and other daemons start programs."""
    finish(mount, run(mount, ["sh", "-c", f'exec "$@" {closed}', "sh", *mount.command()]))


@pytest.mark.parametrize("closed", CLOSED)
def test_a_failure_with_closed_standard_descriptors(mount: Mount, closed: str) -> None:
    command = mount.command()
    mount.beside(".password").write_text("wrong\n")
    done = run(mount, ["sh", "-c", f'exec "$@" {closed}', "sh", *command])
    assert done.returncode == 1
    assert (done.stderr == "") == ("2>&-" in closed)
    assert not is_mounted(mount.path)


def test_files_of_the_caller_are_not_kept_open(mount: Mount) -> None:
    """Such as a stream of another mount, which would not end before this one does."""
    read, write = os.pipe()
    done = run(mount, mount.command(), pass_fds=(write,))
    os.close(write)
    os.set_blocking(read, False)
    assert os.read(read, 1) == b""
    os.close(read)
    finish(mount, done)


def test_bare_jid_gets_a_resource_of_its_own(lab: Lab, mount: Mount) -> None:
    command = mount.command()
    command[3] = mount.account.jid
    done = run(mount, command)
    assert mount.account.jid + "/" in mount.status()
    finish(mount, done)


def test_password_is_not_in_the_command_line_of_the_daemon(lab: Lab) -> None:
    daemon = lab.mount(lab.accounts("alice")[0])
    words = Path(f"/proc/{daemon.pid}/cmdline").read_bytes()
    assert daemon.account.password.encode() not in words


@pytest.mark.parametrize("flag", ["-h", "--help", "-V", "--version"])
def test_help_and_version(mount: Mount, flag: str) -> None:
    done = run(mount, [str(mount.build.binary), flag])
    assert (done.returncode, done.stderr) == (0, "")
    if flag in ("-V", "--version"):
        assert re.match(r"ibbfs \d+\.\d+\.\d+\n", done.stdout)
    else:
        options = (
            "password_file password_stdin server tls cafile capath block_size stanza window buffer"
            " buffer_total max_streams accept timeout"
        )
        assert [o for o in options.split() if o not in done.stdout] == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_in_order(lab: Lab, how: signal.Signals) -> None:
    alice, bob = lab.accounts("alice", "bob")
    daemon, peer = lab.mount(alice), lab.raw(bob)
    daemon.wait_online(peer.jid)
    daemon.stop(how)
    peer.wait_for(lambda s: s.get("type") == "unavailable" and s.get("from") == daemon.jid)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_ends_while_directories_are_open(lab: Lab, how: signal.Signals) -> None:
    """The kernel does not release them."""
    daemon = lab.mount(lab.accounts("alice")[0])
    read, unread = (os.open(daemon.path, os.O_RDONLY | os.O_DIRECTORY) for _ in range(2))
    assert "status" in os.listdir(read)
    daemon.stop(how)
    os.close(read)
    os.close(unread)


def test_fusermount_ends_it_in_order(lab: Lab) -> None:
    daemon = lab.mount(lab.accounts("alice")[0])
    daemon.unmount()
    assert not is_mounted(daemon.path)


def test_a_stream_that_was_closed_is_delivered_before_the_end(lab: Lab) -> None:
    alice, bob = lab.pair()
    path = lab.random_file(300000)
    assert lab.run("cp", path, alice.contact(bob)).returncode == 0
    alice.stop()
    assert bob.incoming(alice, path.name).read_bytes() == path.read_bytes()


def test_the_end_does_not_wait_for_a_peer_that_has_gone(lab: Lab) -> None:
    """The peer owes an answer to a <close/>, for which the daemon would wait."""
    daemon, peer = lab.with_raw()
    peer.rules["close"] = silence
    lab.run("cp", lab.random_file(10), daemon.contact(peer))
    peer.wait_for(is_kind("close"))
    os.kill(daemon.pid, signal.SIGTERM)
    peer.drop()
    daemon.expect_exit(0, timeout=3)


def test_foreground(lab: Lab, mount: Mount) -> None:
    command = mount.command()
    command.insert(1, "-f")
    process = lab.spawn(*command, env=mount.environment(), stdin=subprocess.DEVNULL)
    poll_until(lambda: is_mounted(mount.path), what="the mount")
    assert "incoming" in os.listdir(mount.path)
    assert process.poll() is None
    process.terminate()
    assert process.wait(20) == 0
    assert not is_mounted(mount.path)
    assert mount.account.password.encode() not in b"".join(process.communicate())


def test_debug_shows_stanzas_but_no_password(lab: Lab, mount: Mount) -> None:
    command = with_options(mount, tls="off")
    command.insert(1, "-d")
    log = mount.beside(".log")
    with open(log, "wb") as output:
        process = lab.spawn(*command, stdout=output, stderr=output, env=mount.environment())
        poll_until(lambda: is_mounted(mount.path), what="the mount")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    text = log.read_text()
    assert "<presence" in text
    assert mount.account.password not in text
    assert "<mechanism>" in text
    secret = re.findall(r"<(?:auth|response|challenge|success) [^>]*>(.*?)</", text)
    assert secret and set(secret) == {"..."}, secret


def test_the_mount_point_can_be_used_again(lab: Lab) -> None:
    account = lab.accounts("alice")[0]
    for _ in range(3):
        lab.mount(account).stop()


def test_in_the_background_it_holds_nothing_of_the_callers(lab: Lab) -> None:
    """A process that reads the command's output to its end does not wait for the daemon."""
    daemon = lab.mount(lab.accounts("alice")[0])
    outside = [os.readlink(f"/proc/{daemon.pid}/fd/{fd}") for fd in (0, 1, 2)]
    assert outside == ["/dev/null"] * 3
    assert os.readlink(f"/proc/{daemon.pid}/cwd") == "/"


@pytest.mark.large  # the sanitizers switch core dumps off by themselves
def test_no_core_with_the_password_in_it(lab: Lab) -> None:
    mount = lab.mount(lab.accounts("alice")[0])
    resource.prlimit(mount.pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
    pid, mount.pid = mount.pid, 0
    os.kill(pid, signal.SIGABRT)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGABRT
    assert not os.WCOREDUMP(status)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give others access, and become them")
def test_allow_other_does_not_give_files_away(lab: Lab) -> None:
    """All users may look into the mount; its files still belong to the user who mounted it."""
    account = lab.accounts("alice")[0]
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        mount = Mount(lab.build, lab.server, account, "mount", Path(name) / "mnt", "allow_other")
        mount.start()
        try:
            other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            assert lab.run(*other, "stat", "-f", mount.path).returncode == 0
            refused = lab.run(*other, "cat", mount.path / "status")
            assert (refused.returncode, refused.stdout) == (1, "")
            assert refused.stderr.endswith(": Permission denied\n")
        finally:
            mount.stop()


def test_lazy_unmount(lab: Lab) -> None:
    """Files that are still open end as their users leave them."""
    alice, bob = lab.pair()
    fd = os.open(alice.contact(bob) / "file", os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"content")
    subprocess.run(["fusermount3", "-uz", alice.path], check=True, timeout=20)
    os.close(fd)
    alice.expect_exit(0)
    assert bob.incoming(alice, "file").read_bytes() == b"content"
