"""What the commands that read a workload share: the service without limits, and the bodies of its answers."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import click

from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.config import load_settings
from lens_perf.performance.points.query import PointAnswer
from lens_perf.performance.service import PerformanceService

# A command occupies no thread of a server, so it may take long.
DAY = 86_400.0
BLOCK = 2**20
# The exit status if no cluster has the workload.
NOT_FOUND = 1

search_option = click.option("--cluster", help="Name of the cluster. Default: the one that has the workload.")


@contextmanager
def open_service(config: Path | None) -> Iterator[tuple[ClusterRegistry, PerformanceService]]:
    """Open the service of the settings in ``config`` without the limits of requests. Raises ConfigError."""
    settings = load_settings(config)
    limits = replace(settings.limits, deadline_seconds=DAY, max_points=sys.maxsize)
    settings = replace(settings, limits=limits)
    with closing(ClusterRegistry(settings)) as registry:
        yield registry, PerformanceService(registry, settings)


def read_body(answer: PointAnswer) -> Iterator[bytes]:
    """Yield the body of ``answer`` in blocks, and close it."""
    if answer.body is not None:
        with answer.body.open() as file:
            while block := file.read(BLOCK):
                yield block
