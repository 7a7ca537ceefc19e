"""Fixtures of the imports."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.ingest.importing import Importer

# No test asserts how long something takes, and the machine may be busy.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture
def importer(postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], uid: str) -> Importer:
    return Importer(write_settings(f'[clusters.alpha]\ndsn = "{postgres.dsn("alpha")}"'), uid)
