"""What /metrics shows that nobody counts: it is looked up at each scrape."""

from collections.abc import Callable, Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from lens_perf import __version__
from lens_perf.instrumentation.shared_values import joined_memory


class BuildInfo(Collector):
    """The version as a label."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the metric."""
        family = GaugeMetricFamily("lens_perf_build_info", "The version that runs; always 1", labels=["version"])
        family.add_metric([__version__], 1)
        yield family


class TokenFile(Collector):
    """Whether the token file can be read, asked at each scrape: a process without requests does not notice a change."""

    def __init__(self) -> None:
        self.is_readable: Callable[[], bool] | None = None

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the metric."""
        if self.is_readable is not None:
            text = "Whether the token file cannot be read or is bad, so that changes of it have no effect"
            yield GaugeMetricFamily("lens_perf_token_file_unreadable", text, value=not self.is_readable())


class SharedMemoryUse(Collector):
    """How full the fullest slot of the workers' shared numbers is; zeros where nothing is shared."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the metric."""
        memory = joined_memory()
        family = GaugeMetricFamily(
            "lens_perf_metrics_memory_bytes", "Memory of the worker with the most metrics", labels=["state"]
        )
        family.add_metric(["used"], memory.most_used() if memory else 0)
        family.add_metric(["size"], memory.slot_bytes if memory else 0)
        yield family
