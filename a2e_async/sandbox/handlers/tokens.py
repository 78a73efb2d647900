"""API tokens: made, listed and revoked by program, as older accounts did."""

import secrets

from a2e_async.sandbox.call import Call
from a2e_async.sandbox.draws import digest
from a2e_async.sandbox.kinds import document_row
from a2e_async.sandbox.routing import serves
from a2e_async.sandbox.wire import Refusal
from a2e_async.sandbox.world import HASH, ISSUED, TOKEN, hash_of


@serves("POST", "/api/login/account")
async def log_in(call: Call) -> object:
    """Return a login token; whoever gives the same two words again gets the same account of the sandbox."""
    for name in ("account", "password"):
        if not call.text(name):
            raise Refusal(f"{name} is required")
    return {"token": f"sk_login_{digest(call.text('account'), call.text('password'))[:32]}"}


@serves("POST", "/api/v1/token/generate")
async def generate(call: Call) -> object:
    """Make another token of the caller's account; any token that is accepted may ask for it."""
    made = call.account.save(TOKEN, {"alias": call.text("alias")})
    token = f"{ISSUED}{made.id}_{secrets.token_urlsafe(24)}"
    call.account.amend(made, {**made.fields, HASH: hash_of(token)})
    return {"_id": made.id, "token": token}


@serves("POST", "/api/v1/token/delete")
async def delete(call: Call) -> object:
    """Revoke a token: it is refused from now on."""
    if not call.account.discard(TOKEN, call.id("_id")):
        raise Refusal("no such token", status=404)
    return {}


@serves("GET", "/api/v1/token/list")
async def records(call: Call) -> object:
    """Return the tokens that were made, newest first, each without the token: it was shown once and not kept."""
    rows = [document_row(made) for made in call.account.saved(TOKEN)]
    return [{name: value for name, value in row.items() if name != HASH} for row in rows]
