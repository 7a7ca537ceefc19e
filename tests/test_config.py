"""The settings: their sources, invalid settings, and that no message reveals a value."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from lens_perf.app import create_app
from lens_perf.clusters.connecting import read_connection_arguments
from lens_perf.config import load_settings
from lens_perf.errors import ConfigError
from lens_perf.settings import Settings

Write = Callable[[str], Path]
SECRET = "hunter2"
ONE = '[clusters.alpha]\ndsn = "host=db dbname=lens"\n'
TWO = ONE + '[clusters.be-ta]\ndsn = "postgresql://db/lens"\n'


def load(path: Path, **environment: str) -> Settings:
    return load_settings(path, environment)


def test_the_example_of_the_documentation_is_valid() -> None:
    settings = load_settings(Path(__file__).parent.parent / "config" / "lens_perf.toml", {})
    assert settings.default_cluster == "alpha"
    assert settings.pool.size == 8


def test_defaults(write_settings: Write) -> None:
    settings = load(write_settings(ONE))
    assert settings.fallback_cluster == "alpha"
    assert settings.http.base_path == "/lens/v1"
    with pytest.raises(FrozenInstanceError):
        settings.pool.size = 9  # type: ignore[misc]


def test_the_file_is_named_by_a_variable(write_settings: Write) -> None:
    path = write_settings(ONE)
    assert load_settings(environment={"LENS_PERF_CONFIG": str(path)}).path == path
    with pytest.raises(ConfigError, match="LENS_PERF_CONFIG is not set"):
        load_settings(environment={})


def test_variables_take_precedence(write_settings: Write) -> None:
    path = write_settings('current_cluster = "alpha"\n[pool]\nsize = 3\n' + TWO)
    settings = load(
        path,
        LENS_PERF_POOL_SIZE="5",
        LENS_PERF_LIMITS_DEADLINE_SECONDS="2.5",
        LENS_PERF_DEFAULT_CLUSTER="be-ta",
        LENS_PERF_CLUSTERS_BE_TA_PASSWORD=SECRET,
        LENS_PERF_REAL_DATA="elsewhere",
        UNRELATED="x",
    )
    assert (settings.pool.size, settings.limits.deadline_seconds, settings.fallback_cluster) == (5, 2.5, "be-ta")
    assert settings.clusters["be-ta"].password == SECRET


BAD_FILES = {
    "": "clusters: expected at least one [clusters.NAME] table",
    "clusters = 5": "clusters: expected at least one [clusters.NAME] table",
    "[clusters.alpha]": "clusters.alpha.dsn: is missing; expected libpq connection string",
    "[clusters.alpha]\ndsn = 5": "clusters.alpha.dsn: expected a text",
    "clusters.alpha = 5": "clusters.alpha: expected a table",
    '[clusters."a b"]\ndsn = ""': "a cluster's name is 1 to 128 letters",
    ONE + '[clusters.ALPHA]\ndsn = ""': "two names differ only in case or punctuation",
    ONE + "pasword = 'hunter2'": "clusters.alpha.pasword: is not a setting; expected one of dsn, password,",
    TWO: "current_cluster: is missing; expected, as there are several clusters",
    'default_cluster = "gamma"\n' + ONE: "default_cluster: expected the name of one of the [clusters.NAME] tables",
    "default_cluster = 5\n" + ONE: "default_cluster: expected a text",
    "[pool]\nsize = 0\n" + ONE: "pool.size: expected a whole number of at least 1: max",
    "[pool]\nsize = 2147483648\n" + ONE: "pool.size: expected a whole number of at most 2147483647: max",
    "[limits]\nwork_mem_mib = 2097152\n"
    + ONE: "limits.work_mem_mib: expected a whole number of at most 2097151: Postg",
    "[limits]\ndeadline_seconds = 2147484\n"
    + ONE: "limits.deadline_seconds: expected a number of at most 2147483: time",
    "[columns]\nmax_gib = 1e300\n" + ONE: "columns.max_gib: expected a number of at most 2147483647",
    "[pool]\nsize = true\n" + ONE: "pool.size: expected a whole number",
    "[pool]\nsize = '8'\n" + ONE: "pool.size: expected a whole number",
    "[pool]\nwait_seconds = nan\n" + ONE: "pool.wait_seconds: expected a number of at least 0",
    "[pool]\nwait_seconds = inf\n" + ONE: "pool.wait_seconds: expected a number of at most 2147483",
    "[pool]\nsizes = 8\n" + ONE: "pool.sizes: is not a setting; expected one of size,",
    "pool = 8\n" + ONE: "pool: expected a table",
    "[pol]\nsize = 8\n" + ONE: "pol: is not a setting; expected one of default_cluster, current_cluster, [clus",
    "[limit]\nmax_points = 8\n" + ONE: "[clusters.NAME], [http], [access], [pool], [limits], [columns], [imports]",
    "[access]\ntoken_file = ''\n" + ONE: "access.token_file: expected a path that is not empty: file of bearer tokens",
    "[columns]\ndirectory = ''\n" + ONE: "columns.directory: expected a path that is not empty",
    "[imports]\ndialects = ''\n" + ONE: "imports.dialects: expected a path that is not empty",
    ONE + "password_file = ''\n": "clusters.alpha.password_file: expected a path that is not empty",
    "[http]\nbase_path = 'lens/'\n" + ONE: "http.base_path: expected a path such as /lens/v1",
    "[http]\nbase_path = '/'\n" + ONE: "http.base_path: expected a path such as /lens/v1",
    "[http]\nbase_path = '/metrics/v1'\n" + ONE: "does not begin with any of /healthz, /readyz, /metrics",
    ONE + 'password = "hunter2\\u0000"': "clusters.alpha.password: expected a text without NUL characters",
    ONE + 'password_file = "hunter2\\u0000"': "clusters.alpha.password_file: expected a text without NUL characters",
    '[access]\ntoken_file = "hunter2\\u0000"\n' + ONE: "access.token_file: expected a text without NUL characters",
    "[http]\ncors_origins = ['https://hunter2/']\n" + ONE: "http.cors_origins: expected origins as https://example.org",
    "[http]\ncors_origins = ['*', 'https://a.org']\n" + ONE: 'without a path, or "*" alone',
    "[http]\nframe_ancestors = ['hunter2']\n" + ONE: "http.frame_ancestors: expected origins as https://example.org",
    "dsn = 'hunter2": "is not valid TOML (at end of document)",
    "password = 'hunter2'\npassword = 'hunter2'": "is not valid TOML (at",
}


@pytest.mark.parametrize(("text", "words"), BAD_FILES.items(), ids=range(len(BAD_FILES)))
def test_bad_files(write_settings: Write, text: str, words: str) -> None:
    path = write_settings(text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert words in caught.value.message
    assert SECRET not in caught.value.message
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("LENS_PERF_POOL_SIZE", "LENS_PERF_POOL_SIZE: expected a whole number of at least 1"),
        ("LENS_PERF_LIMITS_DEADLINE_SECONDS", "LENS_PERF_LIMITS_DEADLINE_SECONDS: expected a number"),
        ("LENS_PERF_LIMIT_MAX_POINTS", "LENS_PERF_LIMIT_MAX_POINTS: not the variable of a setting"),
        ("LENS_PERF_POOL_SIZES", "LENS_PERF_POOL_SIZES: not the variable of a setting"),
        ("LENS_PERF_CLUSTERS_GAMMA_DSN", "LENS_PERF_CLUSTERS_GAMMA_DSN: not the variable of a setting"),
    ],
)
def test_bad_variables(write_settings: Write, variable: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        load(write_settings(ONE), **{variable: SECRET})
    assert SECRET not in caught.value.message


def test_an_empty_path_in_a_variable(write_settings: Write) -> None:
    with pytest.raises(ConfigError, match=r"^LENS_PERF_ACCESS_TOKEN_FILE: expected a path that is not empty"):
        load(write_settings(ONE), LENS_PERF_ACCESS_TOKEN_FILE="")


def test_unreadable_files(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.toml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            load(path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load(binary)


BAD_CLUSTERS = {
    'dsn = "host=db hunter2"': "dsn: expected a libpq connection string",
    'dsn = "host=db pasword=hunter2"': "dsn: expected a libpq connection string",
    'dsn = "postgresql://u:hunter2@[::"': "dsn: expected a libpq connection string",
    'dsn = ""\npassword = "hunter2"\npassword_env = "X"': "expected only one of password and password_env",
    'dsn = ""\npassword_env = "LENS_TEST_NOWHERE"': "password_env: the environment variable it names is not set",
    'dsn = ""\npassword_file = "nowhere"': "password_file: expected a readable text file",
}


@pytest.mark.parametrize(("text", "words"), BAD_CLUSTERS.items(), ids=range(len(BAD_CLUSTERS)))
def test_bad_clusters(write_settings: Write, text: str, words: str) -> None:
    path = write_settings("[clusters.alpha]\n" + text)
    with pytest.raises(ConfigError) as caught:
        create_app(load(path))
    assert caught.value.message.startswith(f"{path}: clusters.alpha")
    assert words in caught.value.message
    assert SECRET not in caught.value.message
    assert caught.value.__cause__ is None


def test_passwords(write_settings: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def password(text: str) -> str | None:
        settings = load(write_settings("[clusters.alpha]\n" + text))
        assert SECRET not in repr(settings)
        return read_connection_arguments("x", settings.clusters["alpha"], 2).get("password")

    path = write_settings("")
    (path.parent / "secret").write_text(f"{SECRET}\nsecond line\n")
    monkeypatch.setenv("LENS_TEST_PASSWORD", SECRET)
    assert password('dsn = ""') is None
    assert password(f'dsn = "password={SECRET}"') == SECRET
    assert password(f'dsn = ""\npassword = "{SECRET}"') == SECRET
    assert password('dsn = ""\npassword_file = "secret"') == SECRET
    assert password(f'dsn = ""\npassword_file = "{path.parent}/secret"') == SECRET
    assert password('dsn = ""\npassword_env = "LENS_TEST_PASSWORD"') == SECRET
    (path.parent / "secret").write_text(f"{SECRET}\0\n")
    with pytest.raises(ConfigError, match=r"x\.password_file: expected a password without NUL characters"):
        password('dsn = ""\npassword_file = "secret"')


def test_the_dsn_takes_precedence_over_the_network_limits(write_settings: Write) -> None:
    settings = load(write_settings('[clusters.alpha]\ndsn = "connect_timeout=9 application_name=mine"'))
    arguments = read_connection_arguments("x", settings.clusters["alpha"], 2)
    assert (arguments["connect_timeout"], arguments["application_name"]) == ("9", "mine")
    assert arguments["client_encoding"] == "UTF8"
    assert "options" not in arguments
