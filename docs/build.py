"""Builds the site: the written pages and the generated reference, by zensical, with warnings as errors.

    python docs/build.py

needs the dependency group `docs` (`pip install -e . --group docs`), and leaves the site in `.cache/docs/site`, with
`llms.txt` beside it. Links that lead nowhere are errors too.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORK = ROOT / ".cache" / "docs"


def main() -> int:
    """Build, and return what the process is to exit with."""
    sys.path.insert(0, str(ROOT))
    from docs import families, links, llms, reference  # noqa: PLC0415 - found only now, when this is run as a script

    shutil.rmtree(WORK, ignore_errors=True)
    shutil.copytree(ROOT / "docs" / "pages", WORK / "pages", ignore=shutil.ignore_patterns(".*"))
    shutil.copy(ROOT / ".github" / "SECURITY.md", WORK / "pages" / "security.md")
    shutil.copy(ROOT / "CHANGELOG.md", WORK / "pages" / "changelog.md")
    contributing = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for there, here in (("(SECURITY.md)", "(security.md)"), ("(../docs/pages/", "(")):
        contributing = contributing.replace(there, here)
    (WORK / "pages" / "contributing.md").write_text(contributing, encoding="utf-8")
    shutil.copy(ROOT / "docs" / "mkdocs.yml", WORK)
    families.fill(WORK / "pages" / "models.md")
    pages = reference.write(WORK / "pages" / "reference")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", str(WORK / "mkdocs.yml")]
    done = subprocess.run(  # noqa: S603 - a command of our own
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    )
    sys.stdout.write(done.stdout)
    warned = re.search(r"\b(warning|error)\b", done.stdout, re.IGNORECASE)
    if done.returncode or warned:
        return done.returncode or 1
    llms.write(WORK / "pages", (WORK / "mkdocs.yml").read_text(encoding="utf-8"), WORK / "site")
    broken = links.problems(WORK / "site")
    if broken:
        sys.stdout.write("\n".join([*broken, ""]))
        return 1
    sys.stdout.write(f"{len(pages)} pages generated; the site is {WORK / 'site' / 'index.html'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
