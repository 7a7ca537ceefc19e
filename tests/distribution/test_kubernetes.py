"""The manifests: valid for three versions of Kubernetes, and consistent with each other and with the service."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from lens_perf import __version__
from lens_perf.commands.watch_command import watch
from lens_perf.config import load_settings
from tests.distribution.commands import ROOT, need_package
from tests.front.programs import find_program, needs

MANIFESTS = ROOT / "config/kubernetes"
KUSTOMIZATIONS = [MANIFESTS, MANIFESTS / "monitoring"]
WATCH = MANIFESTS / "watch"
VERSIONS = 3
LABELS = {"app.kubernetes.io/name": "lens-perf"}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def resources() -> Mapping[str, Any]:
    """Return each resource that the kustomization lists, by kind."""
    found = [load(MANIFESTS / name) for name in load(MANIFESTS / "kustomization.yaml")["resources"]]
    return {each["kind"]: each for each in found}


RESOURCES = resources()
DEPLOYMENT = RESOURCES["Deployment"]["spec"]
POD = DEPLOYMENT["template"]["spec"]
(CONTAINER,) = POD["containers"]


def gibibytes(quantity: str) -> int:
    assert quantity.endswith("Gi")
    return int(quantity.removesuffix("Gi"))


def test_every_file_is_listed() -> None:
    for directory in (*KUSTOMIZATIONS, WATCH):
        listed = load(directory / "kustomization.yaml")["resources"]
        assert {*listed, "kustomization.yaml"} == {path.name for path in directory.glob("*.yaml")}


@pytest.mark.parametrize("kind", RESOURCES)
def test_each_resource_is_valid(kind: str) -> None:
    need_package("kubernetes-validate", "lint")
    import kubernetes_validate
    from kubernetes_validate.utils import all_versions

    newest = all_versions()[-VERSIONS:]
    assert len(newest) == VERSIONS
    for version in newest:
        kubernetes_validate.validate(RESOURCES[kind], version, strict=True)


@needs("kubectl")
@pytest.mark.parametrize("directory", KUSTOMIZATIONS, ids=lambda directory: directory.name)
def test_kustomize_builds_the_same(directory: Path) -> None:
    ended = subprocess.run(
        [find_program("kubectl"), "kustomize", directory], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    built = {each["kind"]: each for each in yaml.safe_load_all(ended.stdout)}
    listed = {load(directory / name)["kind"] for name in load(directory / "kustomization.yaml")["resources"]}
    assert set(built) - {"ConfigMap"} == listed
    assert {each["metadata"].get("namespace", "lens-perf") for each in built.values()} == {"lens-perf"}
    if "ConfigMap" in built:
        (settings,) = [
            each for each in built["Deployment"]["spec"]["template"]["spec"]["volumes"] if "configMap" in each
        ]
        assert settings["configMap"]["name"] == built["ConfigMap"]["metadata"]["name"]
        assert list(built["ConfigMap"]["data"]) == ["lens_perf.toml"]


def test_the_image_is_that_of_this_version() -> None:
    (image,) = load(MANIFESTS / "kustomization.yaml")["images"]
    assert (image["name"], image["newTag"]) == (CONTAINER["image"], __version__)


def test_selectors_and_ports_lead_to_the_pods() -> None:
    assert DEPLOYMENT["template"]["metadata"]["labels"] == LABELS
    assert DEPLOYMENT["selector"]["matchLabels"] == LABELS
    assert RESOURCES["Service"]["spec"]["selector"] == LABELS
    for kind, key in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        assert RESOURCES[kind]["spec"][key]["matchLabels"] == LABELS
    assert POD["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"] == LABELS
    target = RESOURCES["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", RESOURCES["Deployment"]["metadata"]["name"])
    monitor = load(MANIFESTS / "monitoring/servicemonitor.yaml")["spec"]
    assert monitor["selector"]["matchLabels"] == RESOURCES["Service"]["metadata"]["labels"] == LABELS
    names = {each["name"] for each in CONTAINER["ports"]}
    ports = [each["targetPort"] for each in RESOURCES["Service"]["spec"]["ports"]]
    ports += [each["port"] for rule in RESOURCES["NetworkPolicy"]["spec"]["ingress"] for each in rule["ports"]]
    ports += [CONTAINER[f"{probe}Probe"]["httpGet"]["port"] for probe in ("startup", "liveness", "readiness")]
    assert {*ports, *(each["port"] for each in monitor["endpoints"])} == names


def test_the_pod_has_no_more_rights_than_it_needs() -> None:
    """The restricted profile of the pod security standards, and further limits."""
    assert RESOURCES["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    pod, container = POD["securityContext"], CONTAINER["securityContext"]
    assert pod["runAsNonRoot"] is True
    assert 0 < pod["runAsUser"] == pod["runAsGroup"] == pod["fsGroup"]
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(POD)


def test_no_variable_of_kubernetes_is_taken_for_a_setting() -> None:
    # Kubernetes would make LENS_PERF_PORT of a Service's name, and the service refuses settings that it does not know.
    assert RESOURCES["Service"]["metadata"]["name"].upper().replace("-", "_") == "LENS_PERF"
    assert POD["enableServiceLinks"] is False


def test_the_settings_name_what_is_mounted() -> None:
    settings = load_settings(MANIFESTS / "lens_perf.toml", {each["name"]: each["value"] for each in CONTAINER["env"]})
    mounts = {each["name"]: each["mountPath"] for each in CONTAINER["volumeMounts"]}
    assert set(mounts) == {each["name"] for each in POD["volumes"]}
    assert not [each for each in CONTAINER["volumeMounts"] if "subPath" in each]
    assert Path(settings.access.token_file or "").parent == Path(mounts["tokens"])
    for cluster in settings.clusters.values():
        assert Path(cluster.password_file or "").parent == Path(mounts["passwords"])
    assert Path(settings.columns.directory or "").parent == Path(mounts["columns"])
    (columns,) = [each["emptyDir"] for each in POD["volumes"] if each["name"] == "columns"]
    assert settings.columns.max_gib < gibibytes(columns["sizeLimit"])
    for volume in POD["volumes"]:
        if "secret" in volume:
            # The files belong to root and to fsGroup.
            assert volume["secret"]["defaultMode"] == 0o440


def test_a_pod_is_stopped_later_than_its_requests() -> None:
    text = (ROOT / "config/gunicorn.conf.py").read_text("utf-8")
    graceful = re.search(r"^graceful_timeout = (\d+)$", text, re.MULTILINE)
    assert graceful
    pause = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert POD["terminationGracePeriodSeconds"] > int(graceful[1]) + pause


def test_memory_limits_include_the_memory_volumes() -> None:
    directories = [each["emptyDir"] for each in POD["volumes"] if "emptyDir" in each]
    assert len(directories) == 2
    total = sum(gibibytes(each["sizeLimit"]) for each in directories)
    assert total < gibibytes(CONTAINER["resources"]["limits"]["ephemeral-storage"])
    memory = re.search(r"^MemoryMax=(\d+)G$", (ROOT / "config/lens_perf@.service").read_text("utf-8"), re.MULTILINE)
    assert memory
    assert gibibytes(CONTAINER["resources"]["limits"]["memory"]) == int(memory[1])


@pytest.mark.parametrize("name", ["deployment.yaml", "networkpolicy.yaml"])
def test_the_component_of_watch_is_valid(name: str) -> None:
    need_package("kubernetes-validate", "lint")
    import kubernetes_validate
    from kubernetes_validate.utils import all_versions

    for version in all_versions()[-VERSIONS:]:
        kubernetes_validate.validate(load(WATCH / name), version, strict=True)


def test_watch_has_one_pod_with_the_same_restrictions() -> None:
    deployment = load(WATCH / "deployment.yaml")["spec"]
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    for key in ("securityContext", "serviceAccountName", "automountServiceAccountToken", "enableServiceLinks"):
        assert pod[key] == POD[key]
    assert (container["securityContext"], container["image"]) == (CONTAINER["securityContext"], CONTAINER["image"])
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert set(mounts) == {each["name"] for each in pod["volumes"]}
    shared = {each["name"]: each["mountPath"] for each in CONTAINER["volumeMounts"] if each["name"] in mounts}
    assert shared == {name: mounts[name] for name in ("settings", "passwords", "spool", "columns")}
    labels = deployment["template"]["metadata"]["labels"]
    assert load(WATCH / "networkpolicy.yaml")["spec"]["podSelector"]["matchLabels"] == labels != LABELS
    words = [*container["command"], *container["args"]]
    watch.make_context("watch", words[2:], resilient_parsing=False)
    assert words[:2] == ["lens-perf", "watch"]
    assert words[words.index("--webhook") + 1] == f"file:{mounts['webhook']}/url"
    assert Path(words[words.index("--state") + 1]).parent == Path(mounts["state"])
