"""The demo's workloads in two clusters, the service under gunicorn, and the files that the pages mention."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.demo.gunicorn_process import await_answer, run_gunicorn
from lens_perf.demo.live_workload import LiveWorkload
from lens_perf.demo.spiral_model import SpiralModel
from tests.documented.files import write_files

ADDRESS = "127.0.0.1:8080"
ITERATIONS = 300
SECONDS = 60


@dataclass(frozen=True)
class Workspace:
    """A directory in which blocks are run, with the service at ``port``."""

    directory: Path
    port: int

    def adapt(self, text: str) -> str:
        """Return ``text`` with the documented address replaced by that of the service."""
        return text.replace(ADDRESS, f"127.0.0.1:{self.port}")

    def run(self, command: list[str], text: str) -> subprocess.CompletedProcess[str]:
        """Run ``text`` as the script of ``command``, in the environment that the pages describe."""
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LENS_PERF_CONFIG": str(self.directory / "lens_perf.toml"),
            "LENS_PERF_ACCESS_TOKEN_FILE": str(self.directory / "tokens.toml"),
            "LENS_TOKEN": "lens_secret",
            "MPLBACKEND": "Agg",
            "MPLCONFIGDIR": str(self.directory),
        }
        return subprocess.run(
            [*command, self.adapt(text)],
            cwd=self.directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


@pytest.fixture(scope="package")
def workspace(start_postgres: Callable[[int], EmbeddedPostgres]) -> Iterator[Workspace]:
    """The directory of all blocks. Within a page, a block may use results of earlier ones."""
    postgres = start_postgres(18)
    # Short, as the path of the settings is part of a command.
    with tempfile.TemporaryDirectory(prefix="docs") as name, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        directory = Path(name)
        write_files(directory)
        for cluster, optimizer in (("alpha", "adam"), ("beta", "sgd")):
            with closing(psycopg2.connect(postgres.dsn(cluster))) as connection:
                workload = LiveWorkload(connection, f"spiral-{optimizer}", SpiralModel(optimizer))
                workload.delete_records()
                workload.train_at_once(ITERATIONS)
        settings = directory / "lens_perf.toml"
        clusters = "".join(f'[clusters.{each}]\ndsn = "{postgres.dsn(each)}"\n' for each in ("alpha", "beta"))
        settings.write_text(f'default_cluster = "alpha"\n{clusters}', "utf-8")
        with run_gunicorn(port, settings, None, directory / "gunicorn.log") as gunicorn:
            assert await_answer(gunicorn, port, "/lens/v1/clusters"), (directory / "gunicorn.log").read_text("utf-8")
            yield Workspace(directory, port)
