"""A certificate authority and certificates signed by it, created with openssl."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.front.programs import find_program


@dataclass(frozen=True)
class Certificate:
    """The files of a certificate."""

    certificate: Path
    key: Path


def make_authority(directory: Path, name: str) -> Certificate:
    """Create an authority with a self-signed certificate."""
    made = Certificate(directory / f"{name}.crt", directory / f"{name}.key")
    # Python 3.13 requires the key usage of an authority (RFC 5280, section 4.2.1.3).
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    _openssl(*_request(name), "-x509", *usage, "-days", "2", "-keyout", made.key, "-out", made.certificate)
    return made


def make_certificate(directory: Path, name: str, names: str, authority: Certificate) -> Certificate:
    """Make a certificate for ``names``, such as ``DNS:db.example.org,IP:127.0.0.1``, signed by ``authority``."""
    made = Certificate(directory / f"{name}.crt", directory / f"{name}.key")
    wish, extensions = directory / f"{name}.csr", directory / f"{name}.ext"
    lines = [f"subjectAltName={names}", "basicConstraints=CA:FALSE", "authorityKeyIdentifier=keyid"]
    extensions.write_text("\n".join(lines) + "\n", "utf-8")
    _openssl(*_request(name), "-keyout", made.key, "-out", wish)
    signer = ("-CA", authority.certificate, "-CAkey", authority.key, "-CAcreateserial")
    _openssl("x509", "-req", "-in", wish, *signer, "-days", "2", "-extfile", extensions, "-out", made.certificate)
    return made


def _request(name: str) -> tuple[str, ...]:
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    return ("req", "-new", *key, "-subj", f"/CN={name}")


def _openssl(*arguments: str | Path) -> None:
    subprocess.run([find_program("openssl"), *arguments], check=True, capture_output=True)
