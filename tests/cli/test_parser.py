"""What needs neither a service nor the SDK: help, version, the table of commands."""

import ast
import inspect
import os
import shlex
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from a2e_async import __version__, cli
from a2e_async.cli._parser import COMMANDS, read

MODULES = sorted(path.name for path in Path(cli.__path__[0]).glob("*.py") if path.name != "contact_sheet.py")
OF_THE_EXTRA = {"dead", "dead_adopt", "dead_retry", "migrate", "status", "submit", "worker"}


@pytest.mark.parametrize(
    "argv",
    [["--help"], ["--version"], ["swap", "--help"], ["avatar", "say", "--help"], ["batch", "export", "--help"]],
)
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
        ["batch"],
        ["batch", "status"],
        ["batch status"],
        ["batch", "a.csv", "--retry", "all"],
        ["batch", "a.csv", "--max-failed", "2"],
        ["batch", "a.csv", "--max-in-flight", "0"],
        ["batch", "a.csv", "--queue-limit", "0"],
        ["batch", "a.csv", "--on-cancel", "kill"],
        ["batch", "resume", "a.sqlite", "--retry", "failed"],
        ["batch", "export", "a.sqlite", "--csv", "--json"],
    ],
)
def test_bad_use_ends_with_2(a2e, argv):
    ran = a2e(*argv)
    assert ran.code == 2
    assert "error: " in ran.err.splitlines()[-1]
    assert not ran.out


def test_each_command_has_a_run_that_takes_its_arguments():
    samples = {
        "swap": ["a", "b", "-o", "c"],
        "dub": ["a", "--to", "fr", "-o", "c"],
        "animate": ["a", "-o", "c"],
        "image": ["a", "-o", "c"],
        "video": ["a", "-o", "c"],
        "uncaption": ["a", "-o", "c"],
        "say": ["a", "-o", "c"],
        "avatar create": ["a", "--name", "n", "--gender", "male"],
        "avatar say": ["a", "--anchor", "i", "-o", "c"],
        "watch": ["k", "i"],
        "call": ["g.n"],
        "batch": ["a.csv"],
        "batch status": ["a"],
        "batch export": ["a"],
        "batch resume": ["a"],
        "sandbox doctor": ["a"],
        "submit": ["k", "a.csv"],
        "dead retry": ["k"],
        "dead adopt": ["k", "i"],
    }
    for name in COMMANDS:
        options = read([*name.split(), *samples.get(name, [])])
        assert options.module == name.replace(" ", "_")
        if options.module in OF_THE_EXTRA and find_spec("psycopg") is None:
            with pytest.raises(ImportError, match="postgres"):
                import_module(f"a2e_async.cli.{options.module}")
            continue
        run = import_module(f"a2e_async.cli.{options.module}").run
        assert inspect.iscoroutinefunction(run)
        assert set(taken(run)) == vars(options).keys() - {"module", "debug"}


def taken(run):
    """Yield the names of a function's arguments, also those that stand in a TypedDict."""
    for name, one in inspect.signature(run).parameters.items():
        if one.kind is inspect.Parameter.VAR_KEYWORD:
            (kept,) = get_args(one.annotation)
            yield from get_type_hints(kept)
        else:
            yield name


def test_the_help_of_batch_names_what_else_there_is(a2e):
    ran = a2e("batch", "--help")
    assert ran.out.startswith("usage: a2e batch [-h]")
    for word in ("status", "export", "resume"):
        assert f"a2e batch {word} --help " in ran.out
        assert a2e("batch", word, "--help").out.startswith(f"usage: a2e batch {word} [-h]")


@pytest.mark.skipif(os.name == "nt", reason="another shell")
def test_a_command_that_can_be_continued_knows_how_it_was_typed():
    argv = ["--debug", "batch", "my jobs.csv", "--out", "it's/{key}.mp4", "--journal", "status"]
    again = read(argv).again
    assert shlex.split(again) == ["a2e", *argv]
    assert again.endswith("--journal status")
    resume = read(["batch", "resume", "j"])
    assert (resume.again, "again" in read(["credits"])) == ("a2e batch resume j", False)


def test_debug_stands_before_or_after_the_command():
    assert [read(argv).debug for argv in (["credits"], ["--debug", "credits"], ["credits", "--debug"])] == [
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
