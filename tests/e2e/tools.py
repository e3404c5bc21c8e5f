# SPDX-License-Identifier: MIT
"""The file tools that are tried on streams, and the table of their results.

A row is a command as one would type it, in a folder that holds

    file text sparse flat.tar tree.tar tree/    to send
    bob/ carol/                                 directories of contacts (writing)
    in/                                         what a contact sends (reading)
    mnt/                                        the whole mount (control)

On streams it must do the same as in a local directory of the same name, unless the row says
otherwise. docs/tools.md is written from the results; see test_tools.py.
"""

from __future__ import annotations

import errno
import fcntl
import functools
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

# Debian packages of the tools in the table, beyond what every Debian has.
PACKAGES = (
    "acl attr curl file gzip less libglib2.0-bin lz4 openssl pv python3 rsync socat unzip wget"
    " xz-utils zip"
).split()

EMPTY = "empty"
ANYTHING = "anything"
BASH = "bash takes it for the end"
RESET = errno.ECONNRESET


@functools.cache
def version_here(question: str) -> tuple[int, ...]:
    """The version that a program prints: (9, 7)."""
    said = subprocess.run(question.split(), capture_output=True, text=True, check=True).stdout
    return as_version(re.search(r"\d+(\.\d+)+", said)[0])


def as_version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split("."))


@dataclass(frozen=True)
class Change:
    """A version from which on a program does something else."""

    program: str
    question: str  # which prints the version of the one that is installed
    version: str


CP_CLEANS_UP = Change("coreutils", "cp --version", "9.2")
SOCAT_TELLS = Change("socat", "socat -V", "1.8.0.0")


@dataclass(frozen=True)
class Tool:
    command: str
    error: int | None = None  # the errno with which it must fail, and which it must name
    says: str = ""  # on standard error although it succeeds, or instead of the errno's text

    # Writing: (name, source) of each stream that arrives; the name is a pattern, the
    # source may be EMPTY or ANYTHING. None: the files that the same command makes in a local
    # directory or, when it fails, nothing.
    arrives: tuple[tuple[str, str], ...] | None = None

    # Reading: which source is sent, and where the tool stops reading, if not after the end.
    sends: str = "file"
    stops: str = ""

    # When the stream breaks it must fail with the text of ECONNRESET, or this complaint. Not tried
    # with tools that fail or end before. Some do not notice; the row has the reason.
    breaks: bool = True
    complaint: str | None = None
    unnoticed: str = ""
    loses: str = ""  # the source that it removes all the same

    # Of two rows with the same command, one is `since` a change and one `before` it.
    since: Change | None = None
    before: Change | None = None

    @property
    def versions(self) -> str:
        """The note after the command in the table."""
        if self.since:
            return f" ({self.since.program} {self.since.version} and later)"
        if self.before:
            return f" ({self.before.program} before {self.before.version})"
        return ""

    @property
    def name(self) -> str:
        return self.command + self.versions

    @property
    def is_here(self) -> bool:
        """Whether the row applies to the installed version."""
        change = self.since or self.before
        if not change:
            return True
        is_later = version_here(change.question) >= as_version(change.version)
        return is_later == bool(self.since)


WRITING = [
    Tool("cp file bob/"),
    Tool("cp text bob/x && cp file bob/x", arrives=(("x", "text"), ("x", "file"))),
    Tool("cp -f text bob/x && cp -f file bob/x", arrives=(("x", "text"), ("x", "file"))),
    Tool("cp -p file bob/"),
    Tool("cp -a file bob/"),
    Tool("cp --preserve=all file bob/"),
    Tool("cp --sparse=always sparse bob/"),
    Tool("cp --sparse=never sparse bob/"),
    Tool(
        "cp --reflink=always file bob/",
        errno.EXDEV,
        arrives=(("file", EMPTY),),
        breaks=False,
        before=CP_CLEANS_UP,
    ),
    Tool("cp --reflink=always file bob/", errno.EXDEV, breaks=False, since=CP_CLEANS_UP),
    Tool("cp text bob/x && cp -b file bob/x", errno.EPERM, arrives=(("x", "text"),), breaks=False),
    Tool("cp -r tree bob/", breaks=False),
    Tool("cp file bob/.file", errno.EPERM, breaks=False),
    Tool("mv file bob/"),
    Tool("mv -f file text bob/"),
    Tool("install -m 640 file bob/"),
    Tool("cat file > bob/x"),
    Tool("cat file >> bob/x"),
    Tool("cat text > bob/x; cat file >> bob/x", arrives=(("x", "text"), ("x", "file"))),
    Tool("set -o noclobber; cat file > bob/x"),
    Tool("{ cat text; cat file; } > bob/x"),
    Tool("exec 3> bob/x && cat text >&3 && cat file >&3 && exec 3>&-"),
    Tool("(cat file) > bob/x & wait $!"),
    Tool("echo hello > bob/x", unnoticed="bash ignores what close(2) says"),
    Tool("/bin/echo hello > bob/x"),
    Tool("dd if=file of=bob/x bs=1M status=none"),
    Tool("dd if=file of=bob/x bs=999 status=none"),
    Tool("dd if=file of=bob/x bs=4096 conv=fsync status=none"),
    Tool("dd if=file of=bob/x bs=4096 oflag=append conv=notrunc status=none"),
    Tool("dd if=file of=bob/x bs=4096 oflag=direct status=none"),
    Tool("dd if=file of=bob/x bs=64K oflag=dsync status=none"),
    Tool("dd if=file of=bob/x bs=4096 oflag=nonblock status=none", errno.EAGAIN, breaks=False),
    Tool("dd if=sparse of=bob/x bs=4096 conv=sparse status=none"),
    Tool(
        "dd if=file of=bob/x bs=1000 seek=5 status=none",
        says="dd: failed to truncate to 5000 bytes in output file 'bob/x': Illegal seek",
    ),
    Tool("truncate -s 10000 bob/x", breaks=False),
    Tool(
        "fallocate -l 10000 bob/x",
        errno.EOPNOTSUPP,
        arrives=(("x", EMPTY),),
        breaks=False,
    ),
    Tool("tee bob/x carol/y < file > /dev/null"),
    Tool("split -b 100000 file bob/part-"),
    Tool("split -b 100000 --filter='cat > bob/$FILE' file"),
    Tool("pv -q file > bob/x"),
    Tool("sort -o bob/x text"),
    Tool("sort text > bob/x"),
    Tool("sed 's/1/one/w bob/x' text > /dev/null"),
    Tool(
        "cp text bob/x && sed -i s/1/2/ bob/x",
        errno.EACCES,
        arrives=(("x", "text"),),
        breaks=False,
    ),
    Tool("gzip -c text > bob/x"),
    Tool("xz -0c file > bob/x"),
    Tool("base64 file > bob/x"),
    Tool(
        "openssl enc -aes256 -pbkdf2 -nosalt -k secret -in file -out bob/x",
        complaint="error writing output file",
    ),
    Tool("tar cf bob/x.tar tree"),
    Tool("tar czf bob/x.tar.gz tree"),
    Tool("tar cf - tree > bob/x.tar"),
    Tool("timeout -v 3 tar rf bob/x.tar file", 0, "sending signal TERM", breaks=False),
    Tool("tar cf bob/x.tar --remove-files few", loses="few"),
    Tool("tar xf flat.tar -C bob"),
    Tool("tar xf tree.tar -C bob", breaks=False),
    Tool(
        "zip -q bob/x.zip file",
        errno.EPERM,
        arrives=(("x.zip", EMPTY), ("zi??????", ANYTHING)),
        breaks=False,
    ),
    Tool("zip -q - file > bob/x.zip", errno.ESPIPE, breaks=False),
    Tool("zip -qX - file | cat > bob/x.zip"),
    Tool("unzip -p flat.zip file > bob/x", unnoticed="unzip ignores what write(2) says"),
    Tool("lz4 -q --rm few bob/x.lz4", unnoticed="lz4 ignores what close(2) says", loses="few"),
    Tool("unzip -q flat.zip -d bob", complaint="write error (disk full?)"),
    Tool("rsync file bob/", errno.EPERM, breaks=False),
    Tool("rsync -a file bob/", errno.EPERM, breaks=False),
    Tool("rsync --inplace file bob/"),
    Tool("rsync -a --inplace file bob/"),
    Tool("rsync --inplace --remove-source-files file bob/"),
    Tool("rsync --append file bob/"),
    Tool('curl -s -o bob/x "file://$PWD/file"', complaint=""),
    Tool("curl -sS -o bob/x $URL/file", complaint="Failure writing output to destination"),
    # wget looks at the time before it says why: without a time zone, errno is that of /etc/localtime.
    Tool(
        'log=$(wget -nv -O bob/x $URL/file 2>&1) || { echo "$log" >&2; false; }',
        complaint="Cannot write to",
    ),
    Tool("wget -q -P bob $URL/few", unnoticed="wget ignores what close(2) says"),
    Tool(
        'curl -sS -T few "file://$PWD/bob/x"',
        unnoticed="curl ignores what close(2) says",
    ),
    Tool("gio copy file bob/x"),
    Tool("socat -u OPEN:file OPEN:bob/x,creat,wronly"),
    Tool("socat -u OPEN:file CREATE:bob/x"),
    Tool("""python3 -c 'open("bob/x", "wb").write(open("file", "rb").read())'"""),
    Tool("""python3 -c 'import shutil; shutil.copy("file", "bob/x")'"""),
    Tool("""python3 -c 'import shutil; shutil.copy2("file", "bob/x")'"""),
    Tool("""python3 -c 'import shutil; shutil.copyfile("file", "bob/x")'"""),
    Tool("""python3 -c 'import shutil; shutil.move("file", "bob/x")'"""),
    Tool("""python3 -c 'with open("bob/x", "a") as f: print("hello", file=f)'"""),
    Tool(
        """python3 -c 'open("bob/x", "w+b")'""",
        error=0,
        says="File or stream is not seekable",
        arrives=(("x", EMPTY),),
        breaks=False,
    ),
]

READERS = [
    Tool("cat in/file"),
    Tool("cat in/next"),
    Tool("cat < in/file"),
    Tool("exec 3< in/file; head -c 1000 <&3; cat <&3"),
    Tool("cp in/file got"),
    Tool("cp -p in/file got"),
    Tool("cp -a in/file got"),
    Tool("mv in/file got && test ! -e in/file"),
    Tool("install -m 600 in/file got"),
    Tool("cat in/file > got && cat in/file", errno.ENODATA, breaks=False),
    Tool("dd if=in/file of=got bs=1M status=none"),
    Tool("dd if=in/file of=got bs=1000 skip=7 status=none"),
    Tool("tee got < in/file > /dev/null"),
    Tool("head -c 1000 in/file", stops="before the end", breaks=False),
    Tool(
        "head -n 1 in/text",
        sends="text",
        says="cannot seek to relative offset",
        stops="before the end",
        breaks=False,
    ),
    Tool("tail -c 1000 in/file"),
    Tool("tail -n 3 in/text", sends="text"),
    Tool("{ tail -f in/text || true; } | head -n 3", sends="text", breaks=False),
    Tool("wc -c in/file"),
    Tool("wc -l < in/text", sends="text"),
    Tool("grep -c 7 in/text", sends="text"),
    Tool("grep -m 1 7 in/text", sends="text", stops="before the end", breaks=False),
    Tool("sort -n in/few", sends="few"),
    Tool("sed -n '$p' in/text", sends="text"),
    Tool("awk 'END { print NR }' in/text", sends="text"),
    Tool("less in/text | cat", sends="text", unnoticed='it shows "read error"'),
    Tool(
        'while read -r line; do echo "$line"; done < in/few',
        sends="few",
        unnoticed="bash prints it",
    ),
    Tool('mapfile -t lines < in/few; echo "${lines[@]}"', sends="few", unnoticed=BASH),
    Tool('echo "$(< in/few)"', sends="few", unnoticed=BASH),
    Tool("cmp in/file file"),
    Tool("diff in/text text", sends="text"),
    Tool("sha256sum in/file"),
    Tool("openssl dgst -sha256 in/file"),
    Tool("base64 in/file"),
    Tool("od -c in/file | tail -n 3"),
    Tool("gzip -c in/file | gzip -dc", says="file size changed while zipping"),
    Tool("gzip -dc in/text.gz", sends="text.gz"),
    Tool("xz -dc in/file.xz", sends="file.xz"),
    Tool("tar xf in/tree.tar && cat tree/*", sends="tree.tar", stops="at the end"),
    Tool("tar tf in/tree.tar", sends="tree.tar", stops="at the end"),
    Tool("cat in/tree.tar | tar xf - && cat tree/*", sends="tree.tar"),
    Tool("cat in/tree.tar | tar tf -", sends="tree.tar"),
    Tool("split -b 100000 in/file && cat x??"),
    Tool("pv -q in/file > got"),
    Tool(
        "socat -u OPEN:in/file,rdonly STDOUT",
        unnoticed="socat takes it for the end",
        before=SOCAT_TELLS,
    ),
    Tool("socat -u OPEN:in/file,rdonly STDOUT", since=SOCAT_TELLS),
    Tool('curl -s "file://$PWD/in/file"', unnoticed="curl takes it for the end"),
    Tool("gio copy in/file got"),
    Tool("gio cat in/file"),
    Tool("unzip -p in/flat.zip", 0, "signature not found", sends="flat.zip", breaks=False),
    Tool("""python3 -c 'print(open("in/file", "rb").read())'"""),
    Tool("""python3 -c 'print(len(list(open("in/text"))))'""", sends="text"),
    Tool("""python3 -c 'import shutil; shutil.copy("in/file", "got")'"""),
    Tool("""python3 -c 'import shutil; shutil.copyfile("in/file", "got")'"""),
]

# These tools believe the size, which is unknown before the end.
BELIEVERS = [
    Tool("rsync in/file got"),
    Tool("tar cf got in/file"),
]
READING = READERS + BELIEVERS

# In the contact's directory bob/ are `sent`, which has left, and in/new, which waits.
CONTROL = [
    Tool("ls -lR mnt/"),
    Tool("ls -la bob/ bob/in/"),
    Tool("find mnt/ -ls"),
    Tool("find mnt/ -type f -newer /etc/passwd -size +1k"),
    Tool("du -a mnt/"),
    Tool("df mnt/"),
    Tool("df -a mnt/"),
    Tool("stat bob/sent bob/in/new bob/in/next bob"),
    Tool("stat -f bob"),
    Tool("test -r bob/in/new -a -w bob/sent -a -s bob/sent"),
    Tool("compgen -f bob/"),
    Tool("compgen -f bob/in/n"),
    Tool("echo mnt/*/in/*"),
    Tool("cat mnt/status"),
    Tool("getfacl bob/sent"),
    Tool("getfattr -d bob bob/sent bob/in/new"),
    Tool("getfattr -R -d mnt/"),
    Tool("getfattr -n user.ibb.nothing bob/sent", errno.ENODATA, says="No such attribute"),
    Tool("setfattr -n user.ibb.block_size -v 1000 bob"),
    Tool("setfattr -n user.ibb.stanza -v message bob && setfattr -x user.ibb.stanza bob"),
    Tool("setfattr -n user.ibb.block_size -v 0 bob", errno.EINVAL),
    Tool("setfattr -n user.ibb.nothing -v 1 bob", errno.ENODATA, says="No such attribute"),
    Tool("setfattr -n user.ibb.sid -v 1 bob/sent", errno.EPERM),
    Tool("setfattr -n user.comment -v hello bob/sent", errno.EOPNOTSUPP),
    Tool("setfacl -m u:root:r bob/sent", errno.EOPNOTSUPP),
    Tool("touch bob/x"),
    Tool("touch bob/sent"),
    Tool("touch -d 2001-01-01 bob/sent && ls -l --time-style=+%Y bob/sent | grep 2001"),
    Tool("chmod 640 bob/sent && ls -l bob/sent | grep ^-rw-r-----"),
    Tool('chown "$(id -u):$(id -g)" bob/sent'),
    Tool("truncate -s 0 bob/x"),
    Tool("truncate -s 0 bob/sent"),
    Tool("sync bob/sent"),
    Tool("flock bob/sent true"),
    Tool("file bob/in/new"),
    Tool("cat bob/sent", errno.EACCES),
    Tool("cp bob/sent copy", errno.EACCES),
    Tool("mv bob/sent copy", errno.EACCES),
    Tool("mv bob/sent bob/other", errno.EPERM),
    Tool("mv bob/in/new bob/in/other", errno.EPERM),
    Tool("ln bob/sent bob/other", errno.EPERM),
    Tool("ln -s sent bob/other", errno.EPERM),
    Tool("mkfifo bob/fifo", errno.EPERM),
    Tool("cp -r tree bob/", errno.EOPNOTSUPP),
    Tool("mkdir bob/raw/deeper", errno.EOPNOTSUPP),
    Tool("mkdir mnt/a@b@c", errno.EINVAL),
    Tool("mkdir mnt/robot@example.net mnt/robot@example.net/home"),
    Tool("mkdir mnt/other@example.net && rmdir mnt/other@example.net"),
    Tool("mkdir mnt/robot@example.net%2Foffice && rmdir mnt/robot@example.net/office"),
    Tool("rmdir mnt/bob*@localhost", errno.EBUSY),
    Tool("rmdir bob/raw", errno.EBUSY),
    Tool("cp file mnt/", errno.EPERM),
    Tool("cp file bob/in/", errno.EPERM),
    Tool("cp file bob/in/new", errno.EACCES),
    Tool("cp file mnt/status", errno.EACCES),
    Tool("rm bob/sent"),
    Tool("rm bob/in/next", errno.EPERM),
    Tool("rm mnt/status", errno.EPERM),
]

# ---- the table in docs/tools.md ----

UNKNOWN = "?"
NOT_TRIED = "–"

SECTIONS = {
    "Writing": (WRITING, ("result", "when the stream breaks")),
    "Reading": (READING, ("result", "when the stream breaks")),
    "Control": (CONTROL, ("result",)),
}

TITLE = """\
# What file tools do on streams

The end-to-end tests write this page from what they find, on Debian 12 and 13. Do not edit it. If a
tool has changed, or what ibbfs answers to it, write the page again:

    IBBFS_TOOLS_TABLE=write /usr/bin/python3 -m pytest tests/e2e/test_tools.py

Rows about other versions than those of the installed tools stay as they are.

"Works" means that the exit status was 0 and that the same bytes were at the other end. For reading,
it means that output and exit status were those of the same command on a local file. A tool that
fails prints the message. What it has sent by then does not look like a whole file at the other
end, unless the row says so.
"""

INTRODUCTIONS = {
    "Writing": "`bob/` and `carol/` are directories of contacts. A stream breaks when the "
    "contact's client\nrefuses a block.",
    "Reading": "`in/` has the files that a contact sends. A stream breaks when its writer aborts it.",
    "Control": "`mnt/` is the mount, `bob/` is the directory of a contact, `bob/sent` is a file "
    "that Bob has\nreceived, and `bob/in/new` is a file that waits to be read. No command here "
    "sends a stanza.",
}

Cells = dict[tuple[str, str], list[str]]


def first_cell(tool: Tool) -> str:
    """The command as code, and the versions to which it applies."""
    return "`" + tool.command.replace("|", "\\|") + "`" + tool.versions


def parse_table(text: str) -> Cells:
    """The cells of each row that is both in the text and in SECTIONS."""
    cells: Cells = {}
    section = ""
    rows: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("## "):
            section = line[3:]
            tools = SECTIONS.get(section, ([], ()))[0]
            rows = {f"| {first_cell(tool)} | ": tool.name for tool in tools}
        for start, name in rows.items():
            if line.startswith(start):
                cells[section, name] = line[len(start) :].removesuffix(" |").split(" | ")
    return cells


def empty_row(tool: Tool, columns: tuple[str, ...]) -> list[str]:
    return [UNKNOWN, UNKNOWN if tool.breaks else NOT_TRIED][: len(columns)]


def render_table(cells: Cells) -> str:
    parts = [TITLE]
    for section, (tools, columns) in SECTIONS.items():
        parts.append(f"\n## {section}\n\n{INTRODUCTIONS[section]}\n\n")
        parts.append("| command | " + " | ".join(columns) + " |\n")
        parts.append("|---" * (len(columns) + 1) + "|\n")
        for tool in tools:
            found = cells.get((section, tool.name), empty_row(tool, columns))
            parts.append(f"| {first_cell(tool)} | " + " | ".join(found) + " |\n")
    return "".join(parts)


def write_cell(path: Path, section: str, tool: Tool, column: int, text: str) -> None:
    """Puts one result into the file; several processes may call it at once."""
    lock = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cells = parse_table(path.read_text() if path.exists() else "")
        row = empty_row(tool, SECTIONS[section][1])
        cells.setdefault((section, tool.name), row)[column] = text
        path.write_text(render_table(cells))
    finally:
        os.close(lock)
