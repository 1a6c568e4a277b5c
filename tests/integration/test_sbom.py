"""The bill of materials of a real image, from the wheels and Debian packages it is built of."""

import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from framebench import images
from framebench.images.audit.materials import image_sbom, licences
from framebench.images.fetch.debs import load_base_lock
from framebench.images.locks import check_lock
from tests.requirement import require

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[2]


def test_the_bill_of_keras_on_jax_is_valid_whole_and_the_same_twice() -> None:
    row = images.load_matrix(ROOT).find("keras-jax-cpu")
    debs = load_base_lock(ROOT, row.base).debs()
    store = ROOT / "build" / "store" / "debs"
    here = not images.missing_wheels(ROOT, row) and all(
        (store / f"{deb.sha256}.deb").exists() for deb in debs
    )
    require("docker", here, "nothing has built keras-jax-cpu here: `framebench build keras-jax-cpu`")
    bill = image_sbom(ROOT, row, print)
    assert bill == image_sbom(ROOT, row, print)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill.decode()) is None
    wheels = check_lock(ROOT, row)
    content = {part["hashes"][0]["content"] for part in json.loads(bill)["components"]}
    assert content == {
        *(wheel.sha256 for wheel in wheels),
        *(deb.sha256 for deb in debs),
        images.harness_tree_sha256(ROOT),
    }
    said = {name: licence for name, _, licence in licences(bill)}
    assert said["numpy"] == "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0"
    assert said["jax"] == "Apache-2.0" and said["zlib1g"] == "Zlib"
    assert all(said.values()) and len(said) == len(content)
