# SPDX-License-Identifier: MIT
"""The least that can carry a byte over XMPP: prepared stanzas into a socket, a search for the next.

    bare.py JID PASSWORD PORT CAFILE PEER    sends back every block that comes, until it is ended
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from prosody import Account
from rawpeer import NS_IBB, RawPeer

BLOCK = re.compile(rb"<iq (?:(?!<iq ).)*?<data [^>]*seq='(\d+)'[^>]*>eA==</data></iq>", re.DOTALL)


class BareClient(RawPeer):
    def _receive(self) -> None:
        self.buffer = b""  # and no thread: whoever uses it reads the socket

    def next_block(self) -> int:
        """Waits for a block; its seq."""
        while not (found := BLOCK.search(self.buffer)):
            received = self._socket.recv(65536)
            if not received:
                sys.exit("the connection has ended")
            self.buffer += received
        self.buffer = self.buffer[found.end() :]
        return int(found[1])

    def send_block(self, to: str, seq: int, before: str = "") -> None:
        self.send(
            f"{before}<iq type='set' to='{to}' id='d{seq}'>"
            f"<data xmlns='{NS_IBB}' sid='bare' seq='{seq}'>eA==</data></iq>"
        )

    def acknowledgement(self, to: str, seq: int) -> str:
        return f"<iq type='result' to='{to}' id='d{seq}'/>"


def main() -> None:
    jid, password, port, cafile, peer = sys.argv[1:]
    client = BareClient(Account(jid, password), int(port), Path(cafile), "bare")
    print("ready", flush=True)
    while True:
        seq = client.next_block()
        client.send_block(peer, seq, before=client.acknowledgement(peer, seq))


if __name__ == "__main__":
    main()
