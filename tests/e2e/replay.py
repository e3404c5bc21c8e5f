# SPDX-License-Identifier: MIT
"""Replays recordings of other clients to a mount.

A capture, in captures/, is one transfer as it went between such a client and a program that stood
for ibbfs: "features" that the client had, before them the name of its "identity" where it matters,
then its stanzas ("<") and those to it (">"), in their order. JIDs are made neutral, and contents replaced by their lengths, digests by their names; in
[as offered] a client repeats what was said about the file.

A replay sends the client's stanzas, each once everything that is before it in the capture has come
from the mount. Ids and names that are the mount's to choose are taken over from it. What the mount
sends beyond the capture gets an empty result.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from xml.sax.saxutils import quoteattr

from lab import Lab
from rawpeer import NS_INFO, NS_PING, RawPeer, Rule, Stanza, condition, kind, payload, result

FOLDER = Path(__file__).with_name("captures")
US, THEM = "us@localhost/mount", "them@localhost/client"
NS_CLIENT = "jabber:client"
BYTES = re.compile(r"\[(\d+) bytes\]")


def action(stanza: Stanza) -> str:
    """The part of a stanza by which it is recognised."""
    if stanza.get("type") in ("result", "error"):
        return f"answer {stanza.get('id')}"
    if kind(stanza) == "data":
        return f"data {payload(stanza).get('seq')}"
    if kind(stanza) != "other":
        return kind(stanza)
    child = payload(stanza)
    words = [child.tag.split("}")[-1], child.get("action", "")]
    if words[1] == "session-info":
        words += [info.tag.split("}")[-1] for info in child]
    return " ".join(words)


def names(stanza: Stanza) -> list[str]:
    """Ids and names in the order in which the XEPs nest them."""
    child = payload(stanza)
    found = [stanza.get("id", "")]
    if child.tag.endswith("}jingle"):
        found += [child.get("sid", "")]
        found += [c.get("name", "") for c in child.iter() if c.tag.endswith("}content")]
        found += [t.get("sid", "") for t in child.iter() if t.tag.endswith("}transport")]
    elif child.tag.endswith("}si"):
        found += [child.get("id", "")]
    return found


class Capture:
    def __init__(self, name: str):
        text = (FOLDER / f"{name}.txt").read_text()
        head, features, text = re.split(r"^features (.*)\n", text, flags=re.MULTILINE)
        self.identity = "".join(re.findall(r"^identity (.*)$", head, flags=re.MULTILINE))
        self.features = tuple(features.split())
        parts = re.split(r"^(<|>|pause) ", text.strip(), flags=re.MULTILINE)[1:]
        self.steps = [(who, what.strip()) for who, what in zip(parts[::2], parts[1::2])]
        self.size = sum(int(n) for n in BYTES.findall(text))
        self.expected = [self.element(what) for who, what in self.steps if who == ">"]

    @staticmethod
    def element(text: str) -> Stanza:
        """The element as parsed in a stream of `jabber:client`."""
        return ET.fromstring(f"<stream xmlns='{NS_CLIENT}'>{text}</stream>")[0]


class Replay:
    def __init__(self, lab: Lab, name: str, options: str = ""):
        """A mount and a peer that has the features of the client."""
        self.capture = Capture(name)
        self.mount, self.peer = lab.with_raw(
            options,
            features=(NS_INFO, NS_PING, *self.capture.features),
            identity=self.capture.identity,
        )
        self.session = any(action(s).startswith("jingle ") for s in self.capture.expected)
        captured = {action(stanza) for stanza in self.capture.expected}
        for name_of_rule in ("open", "data", "close", "other"):
            self.peer.rules[name_of_rule] = self._rule(captured)
        self.content = hashlib.shake_128(name.encode()).digest(self.capture.size)
        self.patience_s = 20.0  # for each stanza of the mount
        self.file: list[Stanza] = []  # its metadata of the file
        self._bound: dict[str, str] = {}
        self._taken = 0
        self._used: set[int] = set()

    @staticmethod
    def _rule(captured: set[str]) -> Rule:
        def answer(_peer: RawPeer, stanza: Stanza) -> str | None:
            return None if action(stanza) in captured else result(stanza)

        return answer

    def run(self) -> None:
        requests = {}  # of the client's, by id
        for who, what in self.capture.steps:
            if who == "pause":
                time.sleep(float(what))
            elif who == "<":
                stanza = self._adapt(what)
                element = Capture.element(stanza)
                requests[element.get("id")] = kind(element)
                self.peer.send(stanza)
            else:
                self._await(Capture.element(what), requests)

    def _adapt(self, stanza: str) -> str:
        said = {
            "sha-256": base64.b64encode(hashlib.sha256(self.content).digest()).decode(),
            "md5": hashlib.md5(self.content).hexdigest(),
            "as offered": "".join(ET.tostring(child, "unicode") for child in self.file),
        }
        for name, text in said.items():
            stanza = stanza.replace(f"[{name}]", text)
        for captured, actual in self._bound.items():
            stanza = stanza.replace(f'"{captured}"', quoteattr(actual))
        stanza = stanza.replace(US, self.mount.jid).replace(THEM, self.peer.jid)
        return BYTES.sub(self._next_block, stanza)

    def _next_block(self, length: re.Match[str]) -> str:
        begin = self._taken
        self._taken += int(length[1])
        return base64.b64encode(self.content[begin : self._taken]).decode()

    def _await(self, wanted: Stanza, requests: dict[str | None, str]) -> None:
        """Waits for a stanza. Its ids and names are replaced by those that the mount has sent or
        will send."""
        actual = self.peer.wait_for(
            lambda s: id(s) not in self._used
            and s.tag == wanted.tag
            and action(s) == action(wanted),
            timeout=self.patience_s,
        )
        self._used.add(id(actual))
        if wanted.get("type") in ("result", "error"):
            # By SI, a bytestream is over when the file is complete.
            late = requests[wanted.get("id")] == "close" and not self.session
            if not (late and condition(actual) == "item-not-found"):
                assert actual.get("type") == wanted.get("type"), ET.tostring(actual)
            return
        for captured, given in zip(names(wanted), names(actual)):
            if captured:
                self._bound[captured] = given
        for element in actual.iter():
            if element.tag.endswith("}file") and action(actual).endswith("session-initiate"):
                self.file = list(element)
        length = BYTES.search(payload(wanted).text or "")
        if length:
            block = base64.b64decode(payload(actual).text or "", validate=True)
            assert len(block) == int(length[1])
            assert block == self.content[self._taken : self._taken + len(block)]
            self._taken += len(block)

    def reason(self) -> str:
        """The reason of the mount's session-terminate."""
        found = self.peer.wait_for(lambda s: action(s) == "jingle session-terminate")
        (reason,) = [e for e in found.iter() if e.tag.endswith("}reason")]
        return reason[0].tag.split("}")[1]
