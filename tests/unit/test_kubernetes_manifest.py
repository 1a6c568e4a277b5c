"""The recipe for Kubernetes: what an API server would check of the manifests; their command is one of ours."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from framebench.campaign.shards import parse
from framebench.cli import cli
from tests.requirement import require

RECIPE = Path(__file__).resolve().parents[2] / "contrib" / "kubernetes"
FILES = ("prepare.yaml", "campaign.yaml")
VERSIONS = ("1.33", "1.37")  # the first in which a limit for each index is stable; the last that is known


def validate(document: dict[str, Any], version: str) -> str:
    """Why the schema of this version refuses the document; empty if it does not."""
    installed = importlib.util.find_spec("kubernetes_validate") is not None
    require("kubernetes", installed, "kubernetes-validate is not installed")
    import kubernetes_validate

    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return str(error)
    return ""


def documents(file: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((RECIPE / file).read_text()))


def campaign() -> dict[str, Any]:
    (job,) = documents("campaign.yaml")
    return job


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = job["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("file", FILES)
def test_manifests_are_what_the_schema_says(file: str, version: str) -> None:
    for document in documents(file):
        assert validate(document, version) == ""


@pytest.mark.parametrize("field", ["completionMode", "backoffLimitPerIndex", "podFailurePolicy"])
def test_a_field_misspelt_or_of_another_type_is_refused(field: str) -> None:
    job = campaign()
    value = job["spec"].pop(field)
    assert validate(job | {"spec": job["spec"] | {field + "s": value}}, VERSIONS[-1])
    assert validate(job | {"spec": job["spec"] | {field: [1]}}, VERSIONS[-1])
    assert not validate(job | {"spec": job["spec"] | {field: value}}, VERSIONS[-1])


def test_each_pod_measures_a_shard_of_its_own_and_none_is_left_over() -> None:
    job = campaign()
    (container,) = pod_of(job)["containers"]
    program, command = container["command"]
    count = job["spec"]["completions"]
    shard = container["args"][container["args"].index("--shard") + 1]
    taken = [parse(shard, {"JOB_COMPLETION_INDEX": str(index)}) for index in range(count)]
    assert [str(one) for one in taken] == [f"{number}/{count}" for number in range(1, count + 1)]

    assert (Path(program).name, command) == ("framebench", "run")
    few = ["--case", "mlp/*", "--contender", "torch-eager"]
    planned = CliRunner(env={"JOB_COMPLETION_INDEX": "0"}).invoke(cli, ["plan", *container["args"], *few])
    assert planned.exit_code == 0 and f"shard 1/{count}: " in planned.output, planned.output


def test_the_preparing_job_makes_the_environments_by_a_command_of_ours() -> None:
    (script,) = pod_of(documents("prepare.yaml")[1])["containers"][0]["args"]
    (line,) = re.findall(r"framebench run (.*)", script.replace("\\\n", " "))
    cli.commands["run"].make_context("run", shlex.split(line))


def test_what_the_schema_cannot_say_of_a_campaign() -> None:
    """The API server's own rules, and those of a measurement."""
    job = campaign()
    spec, pod = job["spec"], pod_of(job)
    (container,) = pod["containers"]
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"]
    assert spec["completionMode"] == "Indexed" and pod["restartPolicy"] == "Never"  # of backoffLimitPerIndex
    exits = [rule["onExitCodes"] for rule in spec["podFailurePolicy"]["rules"] if "onExitCodes" in rule]
    assert {rule["containerName"] for rule in exits} == {container["name"]}
    assert container["resources"]["requests"] == container["resources"]["limits"]  # else it is not Guaranteed
    (term,) = pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    assert term["labelSelector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


def test_both_jobs_have_the_same_volume_and_python() -> None:
    claim, prepare = documents("prepare.yaml")
    pods = [pod_of(prepare), pod_of(campaign())]
    claims = [
        volume["persistentVolumeClaim"]["claimName"]
        for pod in pods
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    ]
    assert claims == [claim["metadata"]["name"]] * 2
    assert len({container["image"] for pod in pods for container in pod["containers"]}) == 1
    for pod in pods:
        (container,) = pod["containers"]
        mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounted.keys() == {volume["name"] for volume in pod["volumes"]}
        assert container["workingDir"].startswith(mounted["framebench"])
