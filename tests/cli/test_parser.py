"""What needs neither a service nor the SDK: help, version, the table of commands."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from a2e_async import __version__, cli
from a2e_async.cli._parser import COMMANDS, parser

MODULES = sorted(path.name for path in Path(cli.__path__[0]).glob("*.py") if path.name != "contact_sheet.py")


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["swap", "--help"], ["avatar", "say", "--help"]])
def test_help_is_there_without_the_sdk(argv):
    code = f"""
import sys
from a2e_async.cli import main
try:
    main({argv})
except SystemExit as end:
    heavy = {{"aiohttp", "msgspec", "anyio", "rich"}} & set(sys.modules)
    sys.exit(f"loaded {{heavy}}" if heavy else end.code)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=import_module("a2e_async").__path__[0] + "/..",
        capture_output=True,
        check=False,
        text=True,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "a2e" in ran.stdout


def test_version(a2e):
    assert a2e("--version").out == f"a2e {__version__}\n"


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["fly"],
        ["swap", "a.jpg"],
        ["demo", "--jobs", "0"],
        ["sandbox", "--port", "70000"],
        ["swap", "a", "b", "-o", "c", "--deadline", "0"],
        ["sandbox", "--coins", "-1"],
        ["avatar"],
        ["avatar", "create", "a.mp4", "--name", "n", "--gender", "x"],
        ["animate", "a.jpg", "-o", "c", "--seconds", "7"],
        ["dub", "a.mp4", "-o", "c"],
        ["dub", "a.mp4", "--to", "fr", "-o", "c", "--speakers", "0"],
        ["say", "a", "-o", "c", "--voice", "v", "--user-voice", "u"],
        ["call"],
    ],
)
def test_bad_use_ends_with_2(a2e, argv):
    ran = a2e(*argv)
    assert ran.code == 2
    assert "error: " in ran.err.splitlines()[-1]
    assert not ran.out


def test_each_command_has_a_run_that_takes_its_arguments():
    top = parser()
    samples = {
        "swap": ["a", "b", "-o", "c"],
        "dub": ["a", "--to", "fr", "-o", "c"],
        "animate": ["a", "-o", "c"],
        "uncaption": ["a", "-o", "c"],
        "say": ["a", "-o", "c"],
        "avatar create": ["a", "--name", "n", "--gender", "male"],
        "avatar say": ["a", "--anchor", "i", "-o", "c"],
        "watch": ["k", "i"],
        "call": ["g.n"],
    }
    for name in COMMANDS:
        read = top.parse_args([*name.split(), *samples.get(name, [])])
        given = vars(read).keys() - {"module", "debug"}
        run = import_module(f"a2e_async.cli.{read.module}").run
        assert inspect.iscoroutinefunction(run)
        assert set(inspect.signature(run).parameters) == given


def test_debug_stands_before_or_after_the_command():
    top = parser()
    assert [top.parse_args(argv).debug for argv in (["credits"], ["--debug", "credits"], ["credits", "--debug"])] == [
        False,
        True,
        True,
    ]


def test_plain_texts_fit_every_code_page():
    for name in MODULES:
        tree = ast.parse((Path(cli.__path__[0]) / name).read_text(encoding="utf-8"))
        texts = [
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        assert all(text.isascii() for text in texts), name
