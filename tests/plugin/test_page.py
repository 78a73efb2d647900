"""The page about testing: its files are a project whose tests pass."""

import re
from pathlib import Path
from textwrap import dedent

import pytest

from a2e_async import pytest_plugin
from tests.plugin.conftest import without
from tests.snippets import ROOT

PAGE = (ROOT / "docs" / "pages" / "testing.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r'^ *```python title="(.+?)"\n(.*?)^ *```', PAGE, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("test_")])
def test_the_files_of_the_page_pass(pytester: pytest.Pytester, name: str) -> None:
    for library in re.findall(r"^from (fastapi\.testclient|django)\b", FILES[name], re.MULTILINE):
        pytest.importorskip(library, exc_type=ImportError)
    for other in ("app.py", name, *(["conftest.py"] if name == "test_app.py" else [])):
        pytester.path.joinpath(other).write_text(dedent(FILES[other]), encoding="utf-8")
    # Django is set up once in each process.
    start = pytester.runpytest_subprocess if "django" in name else pytester.runpytest_inprocess
    ran = start(*without("asyncio", "aiohttp"), name)
    ran.assert_outcomes(passed=FILES[name].count("def test_"))


def test_every_fixture_and_option_is_on_the_page() -> None:
    plugin = Path(pytest_plugin.__file__).read_text(encoding="utf-8")
    for name in re.findall(r"def (a2e_\w+)\(|\"(--a2e-[\w-]+)\"|\"(A2E_SANDBOX_\w+)\"", plugin):
        assert "".join(name) in PAGE
