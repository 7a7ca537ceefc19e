"""Runs nginx with the shipped config/nginx.conf, with other addresses and paths, or checks it as it is."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.front.certificates import make_authority, make_certificate
from tests.front.programs import find_program, open_directory
from tests.test_serving import free_port, wait_for

CONFIG = Path(__file__).parent.parent.parent / "config/nginx.conf"
NGINX_DIRECTORIES = ("/run", "/var/lib/nginx", "/var/log/nginx")


@dataclass(frozen=True)
class Nginx:
    """A running nginx."""

    port: int
    directory: Path

    @property
    def address(self) -> str:
        """Its address."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def authority(self) -> Path:
        """The certificate of the authority that signed its own."""
        return self.directory / "authority.crt"

    @property
    def access_log(self) -> Path:
        """A line for each request."""
        return self.directory / "lens_perf.log"

    @property
    def error_log(self) -> Path:
        """The error log."""
        return self.directory / "error.log"


@contextmanager
def run_nginx(instances: Sequence[int], extra: Mapping[str, str] | None = None) -> Iterator[Nginx]:
    """Run nginx before the two ``instances``, ports of this machine; ``extra`` replaces more texts."""
    program = find_program("nginx")
    with open_directory() as directory:
        nginx = Nginx(free_port(), directory)
        authority = make_authority(directory, "authority")
        make_certificate(directory, "server", "IP:127.0.0.1", authority)
        config = directory / "nginx.conf"
        config.write_text(_adapt(nginx, instances, extra or {}), "utf-8")
        command = [program, "-p", str(directory), "-e", str(nginx.error_log), "-c", str(config)]
        subprocess.run([*command, "-t"], check=True, capture_output=True)
        with subprocess.Popen([*command, "-g", "daemon off;"], stderr=subprocess.PIPE) as process:
            try:
                wait_for(nginx.port)
                yield nginx
            finally:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=20)


def check_shipped() -> str:
    """Return what ``nginx -t`` says of the shipped file, in which only the paths of the certificate are replaced.

    For root, the directories of Debian's package are new and empty, and the owner of the one for responses follows.
    """
    with open_directory() as directory:
        make_certificate(directory, "server", "IP:127.0.0.1", make_authority(directory, "authority"))
        config = directory / "nginx.conf"
        config.write_text(CONFIG.read_text("utf-8").replace("/etc/lens_perf/tls/", f"{directory}/"), "utf-8")
        command = [find_program("nginx"), "-t", "-c", str(config)]
        if os.geteuid() == 0:
            mounts = "".join(f"mount -t tmpfs -o mode=755 tmpfs {place}; " for place in NGINX_DIRECTORIES)
            script = f"{mounts} {' '.join(command)}; stat --format %U:%a /var/lib/nginx/lens_perf"
            command = ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-euc", script]
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return ended.stdout


def _adapt(nginx: Nginx, instances: Sequence[int], extra: Mapping[str, str]) -> str:
    first, second = instances
    replacements = {
        "listen 443 ssl": f"listen 127.0.0.1:{nginx.port} ssl",
        "127.0.0.1:8081": f"127.0.0.1:{first}",
        "127.0.0.1:8082": f"127.0.0.1:{second}",
        "/run/nginx.pid": str(nginx.directory / "nginx.pid"),
        "/var/log/nginx/lens_perf.log": str(nginx.access_log),
        "/var/log/nginx/error.log": str(nginx.error_log),
        "/etc/lens_perf/tls/": f"{nginx.directory}/",
        "/var/lib/nginx/": f"{nginx.directory}/",
        **extra,
    }
    text = CONFIG.read_text("utf-8")
    for old, new in replacements.items():
        assert old in text, f"{old} does not stand in {CONFIG.name}"
        text = text.replace(old, new)
    return text
