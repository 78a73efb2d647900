"""`a2e credits`."""

from a2e_async.cli._terminal import give, number
from a2e_async.session import A2ESession


async def run(*, as_json: bool) -> int:
    """Show what the account holds."""
    async with A2ESession() as a2e:
        balance = await a2e.account.coins()
    if as_json:
        give({"coins": balance.coins, "diamonds": balance.diamonds})
    else:
        diamonds = "" if balance.diamonds is None else f", {number(balance.diamonds)} diamonds"
        give(f"{number(balance.coins)} coins{diamonds}")
    return 0
