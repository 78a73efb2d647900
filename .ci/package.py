"""Build the sdist and the wheel, and refuse what must not be published: `python .ci/package.py FOLDER [--tag vX.Y.Z]`.

FOLDER gets both, and `sbom.json` (CycloneDX): what an installation of the wheel consists of on the day it was built.
"""

import argparse
import filecmp
import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
BUDGET = 1_500_000
NEEDED = {"py.typed", "_version.py", "sandbox/contract.json", "sandbox/samples/face.jpg", "sandbox/samples/CREDITS.md"}
METADATA = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


def call(*command: str | Path, **more: str) -> str:
    """Run a command in the project's folder, with more in its environment, and return what it prints."""
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, env=os.environ | more, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def tracked() -> set[str]:
    """Return the paths of all files of the project."""
    return set(call("git", "-c", "safe.directory=*", "ls-files").splitlines())


def version() -> str:
    """Return the version, from its one source."""
    return re.search(r'^__version__ = "(.+)"$', (ROOT / "a2e_async/_version.py").read_text("utf-8"), re.MULTILINE)[1]


def build(folder: Path) -> tuple[Path, Path]:
    """Build the sdist, and the wheel from it; then both from the tree in other surroundings, which must not show."""
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir")
    call(*command, folder, PYTHONHASHSEED="1", TZ="UTC")
    with tempfile.TemporaryDirectory() as other:
        mask = os.umask(0o077)
        try:
            call(*command, other, "--sdist", "--wheel", PYTHONHASHSEED="2", TZ="Asia/Tokyo")
        finally:
            os.umask(mask)
        names = sorted(path.name for path in Path(other).iterdir())
        same, _, _ = filecmp.cmpfiles(folder, other, names, shallow=False)
    if sorted(same) != names or len(names) != 2:
        sys.exit(f"not reproducible: {sorted(set(names) - set(same))}")
    wheel, sdist = sorted(folder.glob("*.whl")) + sorted(folder.glob("*.tar.gz"))
    return sdist, wheel


def faults_of_wheel(wheel: Path, files: set[str]) -> list[str]:
    """Return what is wrong with the contents of a wheel, which are the package as it stands in `files`."""
    with ZipFile(wheel) as archive:
        names = {info.filename for info in archive.infolist() if not info.is_dir()}
        size = sum(info.file_size for info in archive.infolist())
    info = f"{'-'.join(wheel.name.split('-')[:2])}.dist-info/"
    right = {name for name in files if name.startswith("a2e_async/")} | {info + name for name in METADATA}
    return [
        *(f"{wheel.name} lacks {name}" for name in sorted(right - names)),
        *(f"{wheel.name} has {name}, which does not belong there" for name in sorted(names - right)),
        *(f"the project lacks {name}" for name in sorted({f"a2e_async/{name}" for name in NEEDED} - files)),
        *([f"{wheel.name} has {size:,} bytes, more than {BUDGET:,}"] if size > BUDGET else []),
    ]


def faults_of_sdist(sdist: Path, files: set[str]) -> list[str]:
    """Return what is wrong with the contents of an sdist, which are all files of the project."""
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    right = files | {"PKG-INFO"}
    return [
        *(f"{sdist.name} lacks {name}" for name in sorted(right - names)),
        *(f"{sdist.name} has {name}, which does not belong there" for name in sorted(names - right)),
    ]


def faults_of_tag(tag: str, number: str, changelog: str) -> list[str]:
    """Return what forbids to publish this version under a tag: it is another, or the changelog does not tell of it."""
    told = re.search(rf"^## \[{re.escape(number)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE)
    return [
        *([f"the tag {tag} is not v{number}"] if tag != f"v{number}" else []),
        *([] if told else [f"CHANGELOG.md has no dated section for {number}"]),
    ]


def write_sbom(wheel: Path, path: Path) -> str:
    """Install the wheel by itself, list what came with it, and return that as one line."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    with tempfile.TemporaryDirectory() as home:
        place = Path(home) / "venv"
        call(sys.executable, "-m", "venv", "--without-pip", place)
        python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        options = ("-qq", "--disable-pip-version-check")
        call(sys.executable, "-m", "pip", "--python", python, "install", *options, wheel)
        form = ("--pyproject", "pyproject.toml", "--mc-type", "library", "--output-reproducible", "--sv", "1.6")
        call(sys.executable, "-m", "cyclonedx_py", "environment", *form, "--output-file", path, python)
    sbom = json.loads(path.read_text("utf-8"))
    digest = {"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}
    sbom["metadata"]["component"] |= {
        "version": version(),
        "purl": f"pkg:pypi/a2e-async@{version()}",
        "hashes": [digest],
    }
    text = json.dumps(sbom, indent=2, sort_keys=True)
    path.write_text(text, "utf-8")
    if (fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)) is not None:
        sys.exit(f"{path.name} is no CycloneDX: {fault}")
    if odd := [word for word in ("file:", home, str(ROOT)) if word in text]:
        sys.exit(f"{path.name} tells of this machine: {odd}")
    return ", ".join(sorted(f"{one['name']} {one['version']}" for one in sbom["components"]))


def main() -> None:
    """Do all of it, or end with what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tag", help="refuse unless this is the version, and the changelog has a section for it")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True)
    sdist, wheel = build(asked.folder.absolute())
    files = tracked()
    faults = [*faults_of_wheel(wheel, files), *faults_of_sdist(sdist, files)]
    if asked.tag:
        faults += faults_of_tag(asked.tag, version(), (ROOT / "CHANGELOG.md").read_text("utf-8"))
    if faults:
        sys.exit("\n".join(faults))
    print(call(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel).rstrip())
    print(call(sys.executable, "-m", "check_wheel_contents", wheel).rstrip())
    print("installs:", write_sbom(wheel, asked.folder.absolute() / "sbom.json"))
    for path in (sdist, wheel):
        print(f"{path.name}: {path.stat().st_size:,} bytes, reproducible")


if __name__ == "__main__":
    main()
