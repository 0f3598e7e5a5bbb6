"""What is installed and shipped: locks, the wheel, and the commands of continuous integration."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"geoservice", "layers", "loaders", "tiles"}
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
NPM_LOCKS = [
    ROOT / "geoservice" / "web" / "package-lock.json",
    ROOT / "tests" / "chromium" / "package-lock.json",
]
SHARED_ENVIRONMENT = ("runtime", "build", "dev", "docs")

each_lock = pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
each_npm_lock = pytest.mark.parametrize("lock", NPM_LOCKS, ids=lambda lock: lock.parent.name)


@each_lock
def test_lock_names_no_address(lock: Path) -> None:
    text = lock.read_text()

    options = re.findall(r"^-.*", text, flags=re.MULTILINE)
    assert ([], False) == (options, "://" in text)


@each_lock
def test_every_pin_has_hashes(lock: Path) -> None:
    requirements = _requirements(lock)

    unpinned = [
        requirement
        for requirement, hashes in requirements.items()
        if "==" not in requirement or not hashes
    ]
    assert requirements
    assert [] == unpinned


@each_lock
def test_lock_holds_what_the_project_asks_for(lock: Path) -> None:
    asked_for = _asked_for()[lock.stem]

    pinned = {requirement.partition("==")[0] for requirement in _requirements(lock)}
    assert set() == asked_for - pinned


def test_every_dependency_group_has_a_lock() -> None:
    assert set(_asked_for()) == {lock.stem for lock in LOCKS}


def test_locks_of_one_environment_agree_on_versions() -> None:
    versions: dict[str, set[str]] = {}
    for name in SHARED_ENVIRONMENT:
        for requirement in _requirements(ROOT / "requirements" / f"{name}.txt"):
            package, _, rest = requirement.partition("==")
            version, _, marker = rest.partition(" ; ")
            versions.setdefault(f"{package} ; {marker}", set()).add(version)

    assert {} == {package: found for package, found in versions.items() if len(found) > 1}


@each_npm_lock
def test_npm_lock_has_integrity_and_no_address(lock: Path) -> None:
    packages = json.loads(lock.read_text())["packages"]

    entries = {name: entry for name, entry in packages.items() if name}
    assert entries
    assert [] == [name for name, entry in entries.items() if "resolved" in entry]
    assert [] == [name for name, entry in entries.items() if "integrity" not in entry]


def test_wheel_holds_exactly_the_four_packages(wheel_names: list[str]) -> None:
    top_level = {name.split("/")[0] for name in wheel_names}

    assert PACKAGES == {name for name in top_level if not name.endswith(".dist-info")}


def test_wheel_holds_the_built_map_and_not_its_sources(wheel_names: list[str]) -> None:
    web = {name for name in wheel_names if name.startswith("geoservice/web/")}

    assert "geoservice/web/dist/index.html" in web
    assert set() == {name for name in web if not name.startswith("geoservice/web/dist/")}


def test_wheel_holds_every_file_that_the_packages_read(wheel_names: list[str]) -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and not {"web", "__pycache__"} & set(path.relative_to(ROOT).parts)
    }

    assert set() == files - set(wheel_names)


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_package_is_imported_from_the_checkout(package: str) -> None:
    module = importlib.import_module(package)

    assert str(ROOT / package / "__init__.py") == module.__file__


def test_continuous_integration_calls_make_test() -> None:
    script = ROOT / ".ci" / "run"

    assert os.access(script, os.X_OK)
    assert "exec make test" in script.read_text().splitlines()


@pytest.mark.parametrize("script", ["scripts/setup", "scripts/lock", ".ci/run"])
def test_script_has_no_syntax_error(script: str) -> None:
    subprocess.run(["bash", "-n", script], cwd=ROOT, check=True)  # noqa: S607  # any bash will do


def test_setup_explains_itself_to_who_names_no_target() -> None:
    done = subprocess.run([ROOT / "scripts" / "setup"], check=False, capture_output=True, text=True)

    assert 2 == done.returncode
    assert "scripts/setup TARGET..." in done.stderr


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Names of the files in a wheel that is built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*command, "--directory", folder], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return zipfile.ZipFile(wheel).namelist()


def _asked_for() -> dict[str, set[str]]:
    """Names of the packages that pyproject.toml wants in each lock."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = {"runtime": content["project"]["dependencies"], **content["dependency-groups"]}
    return {
        name: {re.split(r"[^\w.-]", requirement)[0] for requirement in requirements}
        for name, requirements in groups.items()
    }


def _requirements(lock: Path) -> dict[str, list[str]]:
    """Requirements of a lock, each with its hashes."""
    requirements: dict[str, list[str]] = {}
    for line in lock.read_text().splitlines():
        text = line.removesuffix("\\").strip()
        if text.startswith("--hash="):
            requirements[next(reversed(requirements))].append(text)
        elif text and not text.startswith("#"):
            requirements[text] = []
    return requirements
