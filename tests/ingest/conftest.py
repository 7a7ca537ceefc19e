"""Fixtures of the imports."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.ingest.importing import Importer


@pytest.fixture
def importer(postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], uid: str) -> Importer:
    return Importer(write_settings(f'[clusters.alpha]\ndsn = "{postgres.dsn("alpha")}"'), uid)
