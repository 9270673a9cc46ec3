"""The container files, as far as they can be checked without running them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from mien.config import Settings

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
MANIFESTS = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "mien.yaml").read_text()))
INSTRUCTIONS = {
    "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "RUN", "STOPSIGNAL",
    "USER", "VOLUME", "WORKDIR",
}  # fmt: skip
SERVICE_KEYS = {
    "build", "image", "restart", "depends_on", "environment", "secrets", "ports", "volumes",
    "read_only", "tmpfs", "cap_drop", "security_opt", "stop_grace_period", "healthcheck",
}  # fmt: skip


def of(kind):
    (found,) = [one for one in MANIFESTS if one["kind"] == kind]
    return found


def container():
    (found,) = of("Deployment")["spec"]["template"]["spec"]["containers"]
    return found


def instructions():
    joined = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.M))
    return [line.strip().split(None, 1) for line in joined.splitlines() if line.strip()]


@pytest.mark.parametrize("file", sorted(DEPLOY.rglob("*")), ids=lambda file: file.name)
def test_every_setting_in_them_exists(file):
    if file.is_file():
        for name in re.findall(r"\bMIEN_([A-Z_]+)", file.read_text()):
            assert name.lower() in Settings.model_fields, name


def test_the_dockerfile_reads_well_and_copies_what_is_there():
    lines = instructions()
    assert {name for name, _ in lines} <= INSTRUCTIONS
    assert lines[0][0] == "FROM"
    for name, rest in lines:
        if name == "COPY" and not rest.startswith("--from"):
            assert all((ROOT / one).exists() for one in rest.split()[:-1]), rest
        if name in {"CMD", "ENTRYPOINT", "VOLUME"}:
            assert isinstance(json.loads(rest), list)
    users = [rest for name, rest in lines if name == "USER"]
    assert users
    assert not users[-1].startswith(("0", "root"))
    extras = re.search(r"\.\[([\w,]+)\]", DOCKERFILE).group(1).split(",")
    project = (ROOT / "pyproject.toml").read_text()
    assert all(re.search(rf"^{extra} = \[", project, re.M) for extra in extras)


def test_compose_has_what_it_refers_to():
    assert set(COMPOSE) <= {"services", "volumes", "secrets"}
    for service in COMPOSE["services"].values():
        assert set(service) <= SERVICE_KEYS
        for one in service.get("volumes", ()):
            assert one.partition(":")[0] in COMPOSE["volumes"]
        for one in service.get("secrets", ()):
            assert (one if isinstance(one, str) else one["source"]) in COMPOSE["secrets"]
        for name in service.get("depends_on", ()):
            assert "healthcheck" in COMPOSE["services"][name]
    mien = COMPOSE["services"]["mien"]
    assert (DEPLOY / mien["build"]["context"] / mien["build"]["dockerfile"]).is_file()
    assert all(port.startswith("127.0.0.1:") for port in mien["ports"]), "never open to all"
    assert all(isinstance(value, str) for value in mien["environment"].values())


def test_manifests_name_what_they_are_and_select_the_same_pods():
    kinds = {
        "Deployment": "apps/v1",
        "Service": "v1",
        "PodDisruptionBudget": "policy/v1",
        "NetworkPolicy": "networking.k8s.io/v1",
    }
    assert {one["kind"]: one["apiVersion"] for one in MANIFESTS} == kinds
    assert all(re.fullmatch(r"[a-z0-9-]{1,63}", one["metadata"]["name"]) for one in MANIFESTS)
    deployment = of("Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == labels
    assert of("Service")["spec"]["selector"] == labels
    assert of("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    assert of("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == labels


def test_the_pod_is_confined_and_probed_where_the_server_answers():
    pod, one = of("Deployment")["spec"]["template"]["spec"], container()
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert one["securityContext"]["allowPrivilegeEscalation"] is False
    assert one["securityContext"]["readOnlyRootFilesystem"] is True
    ports = {port["name"] for port in one["ports"]}
    for probe, path in (("startup", "/readyz"), ("readiness", "/readyz"), ("liveness", "/healthz")):
        assert one[f"{probe}Probe"]["httpGet"] == {"path": path, "port": "http"}
    assert of("Service")["spec"]["ports"][0]["targetPort"] in ports
    mounted = {mount["name"] for mount in one["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    assert all(isinstance(env.get("value", ""), str) for env in one["env"])


def test_what_runs_has_time_to_finish():
    timeout = Settings.model_fields["request_timeout_s"].default
    assert int(COMPOSE["services"]["mien"]["stop_grace_period"].removesuffix("s")) > timeout
    pod = of("Deployment")["spec"]["template"]["spec"]
    wait = int(container()["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > timeout + wait


def test_the_documentation_says_that_they_were_not_run():
    assert "were not run" in (ROOT / "docs/how-to/containers.md").read_text()
