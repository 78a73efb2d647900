"""The plan to scale: the page says what the script computes, and what the script measures is so."""

import json
import subprocess
import sys

import pytest

from tests.snippets import ROOT

SCRIPT = ROOT / "benchmarks" / "scale.py"
BEGIN, END = "<!-- scale: begin -->", "<!-- scale: end -->"


def told(*words):
    done = subprocess.run([sys.executable, SCRIPT, *map(str, words)], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_page_says_what_the_script_prints():
    page = (ROOT / "docs" / "pages" / "scale.md").read_text(encoding="utf-8")

    assert page.partition(BEGIN)[2].partition(END)[0].strip() == told().strip()


def test_every_poller_has_as_many_in_flight_as_littles_law_says():
    polled, called = (json.loads(told("part", "stream", 1.0, way)) for way in ("polled", "called"))

    assert 140 < polled["in_flight"] < 220
    assert 140 < called["in_flight"] < 220
    assert polled["readings_s"] > 10 * called["readings_s"]
    # A call is followed by one reading of its task, and beside those there is only the safety net.
    assert 0.8 < called["requests_s"] < 1.8
    assert called["late_p95"] < polled["late_p50"]


def test_the_load_of_the_journal_is_in_the_database(database):
    psycopg = pytest.importorskip("psycopg")
    prepare = f"""if True:
        import asyncio, sys
        sys.path.insert(0, {str(SCRIPT.parent)!r})
        import _measure, _ledger
        print(asyncio.run(_ledger._prepared({database!r}, 2))[0][1])
    """
    batch = int(subprocess.run([sys.executable, "-c", prepare], capture_output=True, text=True, check=True).stdout)
    jobs = json.loads(told("part", "ledger", database, batch, 0.3))["jobs"]

    assert jobs > 0
    with psycopg.connect(database) as db:
        found = db.execute("SELECT batch, phase, count(*) FROM a2e_jobs GROUP BY batch, phase").fetchall()
    assert found == [(batch, "done", jobs)]
