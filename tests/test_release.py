"""What is published, and what it is built with: the checks themselves, the lock, the workflows and the version."""

import importlib.util
import re
import tarfile
import tomllib
from collections.abc import Iterator
from importlib.metadata import metadata, version
from io import BytesIO
from itertools import chain
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.dependency_groups import resolve_dependency_groups
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import a2e_async
from tests.snippets import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
SYSTEMS = [("linux", "posix", "Linux"), ("darwin", "posix", "Darwin"), ("win32", "nt", "Windows")]

_spec = importlib.util.spec_from_file_location("package", ROOT / ".ci" / "package.py")
assert _spec
assert _spec.loader
package = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(package)


# --- Contents ---------------------------------------------------------------------------------------------------------

FILES = {f"a2e_async/{name}" for name in package.NEEDED} | {"pyproject.toml", "tests/test_a.py"}
IN_WHEEL = {name for name in FILES if name.startswith("a2e_async/")} | {
    f"a2e_async-1.2.3.dist-info/{name}" for name in package.METADATA
}


def wheel_of(folder: Path, names: set[str], size: int = 1) -> Path:
    path = folder / "a2e_async-1.2.3-py3-none-any.whl"
    with ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"x" * size)
    return path


def sdist_of(folder: Path, names: set[str]) -> Path:
    path = folder / "a2e_async-1.2.3.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(f"a2e_async-1.2.3/{name}"), BytesIO())
    return path


def test_a_wheel_is_the_package_and_nothing_else(tmp_path: Path) -> None:
    def faults(names: set[str], size: int = 1) -> list[str]:
        return package.faults_of_wheel(wheel_of(tmp_path, names, size), FILES)

    assert faults(IN_WHEEL) == []
    assert faults(IN_WHEEL - {"a2e_async/py.typed"}) == ["a2e_async-1.2.3-py3-none-any.whl lacks a2e_async/py.typed"]
    assert "has tests/test_a.py, which" in faults(IN_WHEEL | {"tests/test_a.py"})[0]
    assert "lacks a2e_async-1.2.3.dist-info/licenses/LICENSE" in "".join(
        faults({name for name in IN_WHEEL if "LICENSE" not in name})
    )
    assert "bytes, more than" in faults(IN_WHEEL, size=package.BUDGET // len(IN_WHEEL) + 1)[0]


def test_what_a_package_cannot_do_without_is_named(tmp_path: Path) -> None:
    name = "a2e_async/sandbox/contract.json"
    path = wheel_of(tmp_path, IN_WHEEL - {name})
    assert package.faults_of_wheel(path, FILES - {name}) == [f"the project lacks {name}"]
    assert all((Path(a2e_async.__file__).parent / name).is_file() for name in package.NEEDED)


def test_an_sdist_is_the_whole_project(tmp_path: Path) -> None:
    whole = FILES | {"PKG-INFO"}
    assert package.faults_of_sdist(sdist_of(tmp_path, whole), FILES) == []
    assert "lacks tests/test_a.py" in package.faults_of_sdist(sdist_of(tmp_path, whole - {"tests/test_a.py"}), FILES)[0]
    assert "has .env, which" in package.faults_of_sdist(sdist_of(tmp_path, whole | {".env"}), FILES)[0]


@pytest.mark.parametrize(
    ("tag", "changelog", "faults"),
    [
        ("v1.2.3", "## [Unreleased]\n\n## [1.2.3] - 2027-01-31\n", []),
        ("v1.2.4", "## [1.2.3] - 2027-01-31\n", ["the tag v1.2.4 is not v1.2.3"]),
        ("v1.2.3", "## [Unreleased]\n\n## [1.2.30] - 2027-01-31\n", ["CHANGELOG.md has no dated section for 1.2.3"]),
        ("v1.2.3", "## [1.2.3]\n", ["CHANGELOG.md has no dated section for 1.2.3"]),
    ],
)
def test_a_tag_is_the_version_that_the_changelog_tells_of(tag: str, changelog: str, faults: list[str]) -> None:
    assert package.faults_of_tag(tag, "1.2.3", changelog) == faults


# --- Version ----------------------------------------------------------------------------------------------------------


def test_the_version_has_one_source() -> None:
    source = Path(a2e_async.__path__[0], "_version.py").read_text(encoding="utf-8")
    assert f'__version__ = "{version("a2e-async")}"\n' in source
    assert "version" not in PROJECT["project"]


def test_the_changelog_is_not_ahead_of_the_version_and_loses_nothing() -> None:
    sections = re.findall(r"^## \[(.+?)\](.*)$", CHANGELOG, re.MULTILINE)
    released = [Version(name) for name, _ in sections if name != "Unreleased"]
    current = Version(a2e_async.__version__)
    assert released == sorted(released, reverse=True)
    assert all(one <= current for one in released)
    assert sections[0][0] == "Unreleased" or released[0] == current


def test_the_classifiers_are_the_pythons_that_are_tested() -> None:
    told = metadata("a2e-async").get_all("Classifier") or []
    assert [one.rpartition(" ")[2] for one in told if re.search(r":: 3\.\d+$", one)] == PYTHONS
    assert PROJECT["project"]["requires-python"] == f">={PYTHONS[0]}"
    matrices = [
        re.findall(r'"(3\.\d+)"', line)
        for path in WORKFLOWS
        for line in re.findall(r"^ +python: (\[.+\])$", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert matrices == [PYTHONS, PYTHONS]


# --- Lock -------------------------------------------------------------------------------------------------------------


def locked(environment: dict[str, str]) -> dict[str, list[str]]:
    """Return the versions that the lock gives to each package in an environment."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "requirements-dev.lock").read_text(encoding="utf-8").splitlines():
        if line.startswith((" ", "#")):
            continue
        one = Requirement(line.removesuffix("\\"))
        if one.marker is None or one.marker.evaluate(environment):
            found.setdefault(canonicalize_name(one.name), []).append(str(one.specifier).removeprefix("=="))
    return found


def wanted() -> Iterator[Requirement]:
    """Yield what the project itself, its extras and its groups require."""
    groups = PROJECT["dependency-groups"]
    extras = PROJECT["project"]["optional-dependencies"].values()
    texts = [*PROJECT["project"]["dependencies"], *chain.from_iterable(extras)]
    texts += resolve_dependency_groups(groups, *groups)
    yield from (one for one in map(Requirement, texts) if canonicalize_name(one.name) != "a2e-async")


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(("platform", "name", "system"), SYSTEMS)
def test_the_lock_has_one_version_of_all_that_development_needs(
    python: str, platform: str, name: str, system: str
) -> None:
    environment = {key: str(value) for key, value in default_environment().items()} | {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": platform,
        "os_name": name,
        "platform_system": system,
        "platform_machine": "x86_64",
    }
    found = locked(environment)
    assert {key: versions for key, versions in found.items() if len(versions) != 1} == {}
    stale = [
        str(one)
        for one in wanted()
        if (one.marker is None or one.marker.evaluate(environment))
        and not one.specifier.contains(found.get(canonicalize_name(one.name), ["0"])[0], prereleases=True)
    ]
    assert stale == [], "run .ci/lock"


def test_the_lock_pins_by_hash_and_names_no_host() -> None:
    text = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")
    pins = re.split(r"^(?=\S+==)", text, flags=re.MULTILINE)[1:]
    assert len(pins) > 50
    assert all("--hash=sha256:" in pin for pin in pins)
    assert "://" not in text


# --- Workflows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_use_what_a_hash_names_and_may_do_nothing_by_default(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    used = re.findall(r"uses: (.+)$", text, re.MULTILINE)
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)] == []
    assert re.search(r"^permissions: \{\}$", text, re.MULTILINE)
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")


def test_one_action_has_one_version() -> None:
    used = {
        one for path in WORKFLOWS for one in re.findall(r"uses: (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    names = [one.partition("@")[0] for one in used]
    assert len(names) == len(set(names))


def test_what_is_published_is_what_was_tested() -> None:
    """One job builds, the others take its files: nothing is built twice, and no step holds a password."""
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert text.count(".ci/package.py") == 1
    assert re.findall(r"^    needs: (\w+)$", text, re.MULTILINE) == ["build", "test", "publish"]
    assert "secrets." not in text
