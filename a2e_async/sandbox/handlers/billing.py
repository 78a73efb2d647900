"""What a call would cost, and what calls have cost."""

from datetime import UTC, datetime, timedelta

from a2e_async.sandbox.bank import Charge
from a2e_async.sandbox.call import Call
from a2e_async.sandbox.check import checked
from a2e_async.sandbox.kinds import QUOTES, Paging, page_of
from a2e_async.sandbox.routing import find_route, serves
from a2e_async.sandbox.wire import Refusal, iso

_EVER = datetime.fromtimestamp(0, UTC), datetime.fromisoformat("9999-12-31T23:59:59Z")


@serves("POST", "/api/v1/generation/quote")
async def quote(call: Call) -> object:
    """Price a start without making it; `coins` is a guess at the name, which no source shows."""
    path = "/" + call.text("endpoint").strip().removeprefix("POST ").strip().lstrip("/")
    match, price = find_route("POST", path), QUOTES.get(path)
    if not match or not price:
        raise Refusal(f"endpoint: {path} cannot be priced")
    row, params = match.route
    found, complete = {"body": call.value("requestBody", dict[str, object])}, True
    args: dict[str, object] = {}
    for param in params:
        try:
            args |= checked([param], found)
        except Refusal:
            complete = False
            if param.default is not None:
                args[param.bare] = param.default
    coins = await price(Call(call.account, row, args, call.base, call.services))
    return {"coins": coins, "generationRequestValidated": complete}


@serves("GET", "/api/v1/transactionRecord/creditsHistory")
async def history(call: Call) -> object:
    """Return one page of the ledger, newest first; the names of its fields are guesses."""
    number, size = page_of(call, Paging(None))
    start, end = _moment(call, "startDate", _EVER[0]), _moment(call, "endDate", _EVER[1])
    spent = call.args.get("is_consumption")
    rows = [
        _row(charge)
        for charge in reversed(call.account.ledger)
        if start <= datetime.fromtimestamp(charge.at / 1000, UTC) <= end and spent in {None, charge.delta < 0}
    ]
    return {"rows": rows[(number - 1) * size : number * size], "count": len(rows)}


def _row(charge: Charge) -> dict[str, object]:
    return {
        "_id": f"{charge.id:024x}",
        "amount": charge.delta,
        "balance": charge.balance,
        "reason": charge.reason,
        "task_id": charge.task,
        "createdAt": iso(charge.at),
    }


def _moment(call: Call, name: str, default: datetime) -> datetime:
    text = call.text(name)
    try:
        moment = datetime.fromisoformat(text) if text else default
    except ValueError:
        raise Refusal(f"{name} must be an ISO date") from None
    if name == "endDate" and len(text) == len("2026-01-31"):
        moment += timedelta(days=1, milliseconds=-1)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
