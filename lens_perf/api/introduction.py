"""The introduction of the OpenAPI description in Markdown: the rules that apply to all endpoints."""

from lens_perf.settings import Settings

INTRODUCTION = """\
Metrics, progress and iteration times of training workloads, read from the PostgreSQL of each GPU cluster.

**Workloads and clusters.** A workload is named by its uid and its cluster. `cluster` names the cluster; without it,
{cluster} answers. `GET {base}/workloads` lists the workloads of all clusters, `GET {base}/clusters` the clusters. A
uid may contain `/`, written `%2F`. `GET {base}/metrics/data`, `.../summary` and `.../progress` take up to 100
workloads as `workload=<cluster>/<uid>`.

**Time and points.** Times are milliseconds since 1970 (UTC). `start` and `end` are inclusive and go together. A
data point is a finite number; `non_finite=true` adds NaN and infinite values. `max_points` samples a long series
without losing its minima and maxima. `after` returns only what is new since an earlier response.

**CSV, NDJSON, Parquet.** `format=csv` (or `Accept: text/csv`), `format=ndjson` and `format=parquet` return the same
data points; `layout=columns` returns JSON arrays for each series, `layout=wide` one row for each iteration and data
source.

**Limits.** A request may take {seconds:g} seconds (504 after that) and return {points:,} data points (413 beyond
that; the message names the parameters that make the result smaller). 503 has `Retry-After`: the cluster is
unreachable or busy, or a long workload is read for the first time.

**Tokens.** {tokens}

**Errors.** Every error is JSON: `code`, `status`, `message` and, for invalid parameters, `errors` with the
parameter's name. Invalid parameters are 400; an unknown path is 404; an unknown workload is 200 with empty lists.

```
curl "http://127.0.0.1:8080{base}/workloads/my-run/metrics/data?metrics=loss&max_points=1000&format=csv"
```
"""
WITH_TOKENS = (
    "Send one as `Authorization: Bearer <token>`. "
    "A missing or unknown token is 401, a cluster that it does not cover 403."
)
WITHOUT_TOKENS = "This service requires none."
NO_DEFAULT = "the service's own cluster"


def describe_api(settings: Settings) -> str:
    """Return the introduction with the limits of ``settings``. It names no clusters, because it needs no token."""
    return INTRODUCTION.format(
        base=settings.http.base_path,
        cluster="the default cluster" if settings.default_cluster else NO_DEFAULT,
        seconds=settings.limits.deadline_seconds,
        points=settings.limits.max_points,
        tokens=WITH_TOKENS if settings.access.token_file else WITHOUT_TOKENS,
    )
