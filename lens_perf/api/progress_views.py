"""The endpoint for the progress of a workload."""

from collections.abc import Mapping
from typing import Any

from lens_perf.api import progress_schemas
from lens_perf.api.arguments import SourceQuery, parse_workload_uid
from lens_perf.api.endpoints import UID_PARAMETER, answers
from lens_perf.api.metrics_views import get_service, metrics
from lens_perf.performance.selection import Selection


@metrics.route("/progress", parameters=[UID_PARAMETER])
@metrics.arguments(SourceQuery(), location="query")
@answers(metrics, progress_schemas.Progress(), progress_schemas.PROGRESS_EXAMPLE)
def get_progress(query: Mapping[str, Any], *, uid: str) -> Mapping[str, Any]:
    """Get state, ETA, pace, restarts and goodput of a workload.

    Returns the state of a workload, its pace and ETA, restarts, and how much of its time was productive.
    """
    return get_service().read_progress(query["cluster"], Selection(parse_workload_uid(uid), query["data_source"]))
