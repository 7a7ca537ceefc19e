"""Metrics whose values are read at each scrape instead of being counted."""

from collections.abc import Callable, Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from lens_perf import __version__
from lens_perf.instrumentation.shared_values import joined_memory


class BuildInfo(Collector):
    """The version as a label."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the metric."""
        family = GaugeMetricFamily(
            "lens_perf_build_info", "Always 1; the label is the running version", labels=["version"]
        )
        family.add_metric([__version__], 1)
        yield family


class TokenFile(Collector):
    """Whether the token file can be read, checked at each scrape, since an idle process would not notice a change."""

    def __init__(self) -> None:
        self.is_readable: Callable[[], bool] | None = None

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the metric."""
        if self.is_readable is not None:
            text = "1 if the token file is unreadable or invalid, so that changes to it have no effect"
            yield GaugeMetricFamily("lens_perf_token_file_unreadable", text, value=not self.is_readable())


class SharedMemoryUse(Collector):
    """Size and use of the fullest slot of shared memory; zeros if memory is not shared."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the metric."""
        memory = joined_memory()
        family = GaugeMetricFamily(
            "lens_perf_metrics_memory_bytes", "Memory for metrics of the worker that uses the most", labels=["state"]
        )
        family.add_metric(["used"], memory.most_used() if memory else 0)
        family.add_metric(["size"], memory.slot_bytes if memory else 0)
        yield family
