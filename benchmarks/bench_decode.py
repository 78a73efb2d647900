"""Decoding: a page of records through `Answer.read` beside one kept typed decoder of msgspec.

python benchmarks/bench_decode.py [--rounds 15] [--pages 200] [--json FILE]

Two decoders stand beside it: one of the SDK's own record type, and one of the record as it would be declared by hand,
with just the fields that this page has.
"""

import time
from typing import Any

import msgspec
from _contenders import Envelope, Swap
from _measure import interleaved, paired, parser, save, spread, table
from _service import Service

from a2e_async import _answer
from a2e_async.groups import face_swap

ROWS = 100


class Rows(msgspec.Struct):
    rows: list[face_swap.Swap]
    count: int


class RowsByHand(msgspec.Struct):
    rows: list[Swap]
    count: int


def body() -> bytes:
    service = Service("")
    service.reset(low=-1, high=1)
    for number in range(ROWS):
        service.add(b'"clip-%d"' % number)
    return b'{"code":0,"data":{"rows":%b,"count":%d}}' % (service.many(list(service.ends)), ROWS)


def main() -> None:
    args_of = parser(__doc__)
    args_of.add_argument("--rounds", type=int, default=15)
    args_of.add_argument("--pages", type=int, default=200)
    args = args_of.parse_args()
    page, answer = body(), _answer.page(face_swap.Swap)
    ways = {
        "Answer.read": lambda: answer.read("bench", 200, {}, page),
        "decoder, the SDK's record": msgspec.json.Decoder(_answer.Envelope[Rows], strict=False).decode,
        "decoder, record by hand": msgspec.json.Decoder(Envelope[RowsByHand]).decode,
    }
    for name in list(ways)[1:]:
        ways[name] = lambda decode=ways[name]: decode(page)

    def once(name: str, _number: int) -> float:
        way, began = ways[name], time.process_time()
        for _ in range(args.pages):
            way()
        return (time.process_time() - began) / args.pages / ROWS * 1e9

    interleaved(list(ways), 1, once)  # warms up
    found = interleaved(list(ways), args.rounds, once)
    ns, result = found["Answer.read"], {}
    for name, values in found.items():
        result[name] = {"ns_record": spread(values), "Answer.read beside it": paired(ns, values)}
    rows: list[tuple[Any, ...]] = [(name, *map(str, row.values())) for name, row in result.items()]
    print(f"page of {ROWS} records, {len(page):,} bytes\n")
    print(table(("way", "ns a record", "Answer.read beside it"), rows))
    save(args.json, {"ways": result, "bytes": len(page)})


if __name__ == "__main__":
    main()
