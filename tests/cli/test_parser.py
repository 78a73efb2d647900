"""What needs neither a service nor the SDK: help, version, the table of commands."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module

import pytest

from a2e_async import __version__
from a2e_async.cli._parser import COMMANDS, parser


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["swap", "--help"]])
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
    ],
)
def test_bad_use_ends_with_2(a2e, argv):
    ran = a2e(*argv)
    assert ran.code == 2
    assert "error: " in ran.err.splitlines()[-1]
    assert not ran.out


def test_each_command_has_a_run_that_takes_its_arguments():
    top = parser()
    samples = {"swap": ["a", "b", "-o", "c"], "watch": ["k", "i"]}
    for name in COMMANDS:
        given = vars(top.parse_args([name, *samples.get(name, [])])).keys() - {"command", "debug"}
        run = import_module(f"a2e_async.cli.{name}").run
        assert inspect.iscoroutinefunction(run)
        assert set(inspect.signature(run).parameters) == given


def test_debug_stands_before_or_after_the_command():
    top = parser()
    assert [
        top.parse_args(argv).debug for argv in (["credits"], ["--debug", "credits"], ["credits", "--debug"])
    ] == [
        False,
        True,
        True,
    ]


def test_plain_texts_fit_every_code_page():
    for name in ["__init__", "_parser", "_progress", "_terminal", *COMMANDS]:
        tree = ast.parse(inspect.getsource(import_module(f"a2e_async.cli.{name}".removesuffix(".__init__"))))
        texts = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        assert all(text.isascii() for text in texts), name
