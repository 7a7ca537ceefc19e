"""A connection to PostgreSQL through a network namespace whose packets can be dropped, as by a broken cable."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from lens_perf.demo.embedded_postgres import EmbeddedPostgres

NAME = f"lens-chaos-{os.getpid()}"
# Addresses for documentation (RFC 5737), which are never assigned.
NEAR, FAR = "198.51.100.1", "198.51.100.2"
PORT = 5432
NEAR_DEVICE, FAR_DEVICE = f"lens{os.getpid()}a", f"lens{os.getpid()}b"


@dataclass(frozen=True)
class Cable:
    """The connection through the namespace."""

    dsn: str

    @staticmethod
    def cut() -> None:
        """Drop all packets from the server."""
        _run("ip", "-n", NAME, "route", "add", "blackhole", f"{NEAR}/32")

    @staticmethod
    def mend() -> None:
        """Stop dropping packets."""
        _run("ip", "-n", NAME, "route", "del", "blackhole", f"{NEAR}/32")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def find_obstacle() -> str:
    """Return why a namespace cannot be created here, or an empty text."""
    if shutil.which("ip") is None:
        return "there is no ip command (iproute2)"
    try:
        _run("ip", "netns", "add", f"{NAME}-try")
        _run("ip", "netns", "del", f"{NAME}-try")
    except subprocess.CalledProcessError:
        return "no right to make network namespaces"
    return ""


@contextmanager
def lay_cable(postgres: EmbeddedPostgres, database: str) -> Iterator[Cable]:
    """Create the namespace and forward a port in it to the server until the block ends."""
    _run("ip", "netns", "add", NAME)
    try:
        _run("ip", "link", "add", NEAR_DEVICE, "type", "veth", "peer", "name", FAR_DEVICE, "netns", NAME)
        _run("ip", "addr", "add", f"{NEAR}/30", "dev", NEAR_DEVICE)
        _run("ip", "link", "set", NEAR_DEVICE, "up")
        _run("ip", "-n", NAME, "addr", "add", f"{FAR}/30", "dev", FAR_DEVICE)
        _run("ip", "-n", NAME, "link", "set", FAR_DEVICE, "up")
        forward = [sys.executable, "-m", "tests.faults", FAR, str(PORT), str(postgres.socket_dir)]
        with subprocess.Popen(["ip", "netns", "exec", NAME, *forward], stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout
                process.stdout.readline()  # it listens
                yield Cable(f"host={FAR} port={PORT} user=postgres dbname={database} sslmode=disable")
            finally:
                process.kill()
    finally:
        with suppress(subprocess.CalledProcessError):
            _run("ip", "netns", "del", NAME)
