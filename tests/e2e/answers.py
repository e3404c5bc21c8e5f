# SPDX-License-Identifier: MIT
"""Counts the answers of daemons to the requests of one peer.

RFC 6120 section 8.2.3: each request gets exactly one answer. docs/wire.md names the requests that
get none: with an id over 1,023 bytes, and in an overload.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from xml.sax.saxutils import unescape

TAG = re.compile(r"<iq\b[^>]*>")
ATTRIBUTE = re.compile(r"""\b(type|to|id)\s*=\s*(["'])(.*?)\2""", re.DOTALL)
STREAM = re.compile(r"""<(?:open|data|close|resume)\b[^>]*\bsid\s*=\s*(["'])(.*?)\1""")
ENTITIES = {"&apos;": "'", "&quot;": '"', "&#13;": "\r", "&#10;": "\n", "&#9;": "\t"}
LONGEST_ID = 1023

Request = tuple[str, str]  # to, id


class Answers:
    def __init__(self, daemons: Callable[[], dict[str, bool]]):
        self._daemons = daemons
        self._requests: Counter[Request] = Counter()
        self._answers: Counter[Request] = Counter()
        self._streams: dict[Request, str] = {}
        self._undecided: set[Request] = set()
        self.lost: str = ""  # why a test expects that some requests get no answer

    def note_requests(self, xml: str) -> None:
        for tag in TAG.finditer(xml):
            attributes = ATTRIBUTE.findall(tag[0])
            found = {name: unescape(value, ENTITIES) for name, _, value in attributes}
            if found.get("type") not in ("get", "set") or "id" not in found:
                continue
            request = (found.get("to", ""), found["id"])
            self._requests[request] += 1
            child = xml[tag.end() : tag.end() + 5000]
            stream = STREAM.match(child.lstrip())
            if stream:
                self._streams[request] = unescape(stream[2], ENTITIES)
            elif child.lstrip().startswith("<si"):
                self._undecided.add(request)  # a person answers it

    def note_answer(self, sender: str, ident: str) -> None:
        self._answers[(sender, ident)] += 1

    def asked(self) -> set[str]:
        """The daemons that are to answer something."""
        return {to for to, _ in self._requests} & set(self._daemons())

    def missing(self) -> list[Request]:
        """Requests to daemons that have fewer answers than they must."""
        sound = {jid for jid, is_sound in self._daemons().items() if is_sound}
        return [
            request
            for request, count in self._requests.items()
            if request[0] in sound
            and len(request[1].encode()) <= LONGEST_ID
            and request not in self._undecided
            and self._answers[request] < count
        ]

    def unfinished(self) -> set[tuple[str, str]]:
        """The streams, as JID and sid, with requests that have no answer yet."""
        missing = [request for request in self.missing() if request in self._streams]
        return {(to, self._streams[to, ident]) for to, ident in missing}

    def check(self, *, complete: bool) -> None:
        """Fails unless each request has exactly one answer; unless `complete`, at most one."""
        jids = self._daemons().keys()
        surplus = {
            request: count - self._requests[request]
            for request, count in self._answers.items()
            if request[0] in jids and count > self._requests[request]
        }
        assert not surplus, f"more answers than requests: {surplus}"
        missing = self.missing() if complete and not self.lost else []
        assert not missing, f"no answer to {len(missing)} requests: {missing[:10]}"
