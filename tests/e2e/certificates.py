# SPDX-License-Identifier: MIT
"""Certificates of a CA that only the tests trust, according to RFC 5280 section 4.2.1."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def openssl(*args: str) -> None:
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def make_authority(folder: Path) -> None:
    """ca.crt and ca.key."""
    openssl(
        *["req", "-x509", *NEW_KEY, "-days", "2", "-subj", "/CN=ibbfs test CA"],
        *["-addext", "basicConstraints=critical,CA:TRUE"],
        *["-addext", "keyUsage=critical,keyCertSign,cRLSign"],
        *["-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.crt"],
    )


def make_certificates(folder: Path, host: str, authority: Path | None = None) -> None:
    """Writes server.crt for `host`, with A-labels (RFC 9525 section 6.3), and the ca.crt that
    signed it: that of `authority`, or a new one."""
    if authority is None:
        make_authority(folder)
        authority = folder
    elif authority != folder:
        shutil.copy(authority / "ca.crt", folder)
    host = host.encode("idna").decode()
    server, ca = f"{folder}/server", f"{authority}/ca"
    openssl(
        *["req", *NEW_KEY, "-subj", f"/CN={host}"],
        *["-keyout", f"{server}.key", "-out", f"{server}.csr"],
    )
    (folder / "server.ext").write_text(
        f"subjectAltName=DNS:{host}\n"
        "basicConstraints=CA:FALSE\n"
        "subjectKeyIdentifier=hash\n"
        "authorityKeyIdentifier=keyid\n"
    )
    openssl(
        *["x509", "-req", "-in", f"{server}.csr", "-CA", f"{ca}.crt", "-CAkey", f"{ca}.key"],
        *["-set_serial", "1", "-days", "2", "-extfile", f"{server}.ext", "-out", f"{server}.crt"],
    )
