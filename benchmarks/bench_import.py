"""Import: user CPU of fresh processes, the SDK's beside its peers', in interleaved rounds, bare Python taken off.

python benchmarks/bench_import.py [--rounds 15] [--json FILE]

A package that loads its parts late pays when its client is made, or at the first request: so both are shown.
"""

import json
import os
import subprocess
import sys
from typing import Any, NamedTuple

from _contenders import version
from _measure import HERE, interleaved, paired, parser, save, spread, table


class Package(NamedTuple):
    name: str
    client: str
    """What makes its asynchronous client; '' if there is nothing to make."""


BARE = "bare Python"
PACKAGES = {
    "a2e": Package("a2e_async", "A2ESession('k')"),
    "by hand": Package("aiohttp", ""),
    "fal": Package("fal_client", "AsyncClient(key='k')"),
    "replicate": Package("replicate", "Client(api_token='k')"),
    "runway": Package("runwayml", "AsyncRunwayML(api_key='k')"),
    "openai": Package("openai", "AsyncOpenAI(api_key='k')"),
    "runware": Package("runware", "Runware(api_key='k')"),
    "comfy": Package("comfy_sdk", "AsyncComfy(api_key='k')"),
}
TELL = """
import sys
modules = len(sys.modules), "aiohttp" in sys.modules
try:
    import resource
    used = resource.getrusage(resource.RUSAGE_SELF).ru_utime
except ImportError:
    import time
    used = time.process_time()
print("[%f, %d, %d]" % (used, *modules))
import os
sys.stdout.flush()
os._exit(0)
"""


def once(code: str, _number: int) -> list[float]:
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    words = [sys.executable, "-W", "ignore", "-c", code + TELL]
    done = subprocess.run(words, cwd=HERE.parent, env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    args_of = parser(__doc__)
    args_of.add_argument("--rounds", type=int, default=15)
    args = args_of.parse_args()
    names = [name for name in PACKAGES if version(name)]
    codes = {("", BARE): "pass"}
    for name in names:
        package, client = PACKAGES[name]
        codes[name, "import"] = f"import {package}"
        if client:
            codes[name, "client"] = f"import {package}\nmade = {package}.{client}"
    interleaved(list(codes.values()), 1, once)  # writes byte code, warms the page cache
    found = interleaved(list(codes.values()), args.rounds, once)
    used = {what: [user * 1e3 for user, *_ in found[code]] for what, code in codes.items()}
    bare = spread(used.pop(("", BARE)))
    above = {what: [value - bare.median for value in values] for what, values in used.items()}
    result: dict[str, dict[str, Any]] = {}
    for (name, step), values in above.items():
        _, modules, aiohttp = found[codes[name, step]][-1]
        result.setdefault(name, {})[step] = {
            "ms": spread(values),
            "a2e beside it": paired(above["a2e", step], values),
            "modules": int(modules),
            "aiohttp": "yes" if aiohttp else "no",
        }
    print(f"user CPU above bare Python's {bare} ms\n")
    rows = [
        (name, step, str(row["ms"]), str(row["a2e beside it"]), row["modules"], row["aiohttp"])
        for name, steps in result.items()
        for step, row in steps.items()
    ]
    print(table(("package", "up to", "ms", "a2e beside it", "modules", "loads aiohttp"), rows))
    missing = [name for name in PACKAGES if name not in names]
    if missing:
        print("\nnot installed, left out:", ", ".join(missing))
    save(args.json, {"imports": result, "missing": missing})


if __name__ == "__main__":
    main()
