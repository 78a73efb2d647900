"""API tokens. The vendor has moved all of this to its web page Account > API Token; contract 3.1."""

from msgspec import field

from a2e_async._answer import Record, many, nothing, one
from a2e_async._endpoint import Group, get, post
from a2e_async._wire import ById, Nothing, Reply, Request


class LogIn(Request):
    """Who logs in. Both names are guesses: the row's body was never public."""

    account: str
    """E-mail of the account."""
    password: str
    """Password of the account."""


class LoginToken(Reply):
    """A token of the web site, which is not an API token."""

    token: str
    """The login token."""


class CreateToken(Request):
    """A new API token."""

    alias: str
    """Label that reminds the owner why the token exists."""


class APIToken(Record):
    """An API token; the token itself is shown when it is made, and perhaps never again."""

    alias: str = ""
    """Label that reminds the owner why the token exists."""
    token: str | None = None
    """The token itself; None where the service keeps it to itself."""
    created_at: str = field(default="", name="createdAt")
    """UTC, ISO 8601."""


class Tokens(Group):
    """API tokens, as older accounts made them by program."""

    noun = "tokens"

    log_in = post("/api/login/account", LogIn, one(LoginToken), provisional=True)
    """Get a login token. Deprecated by the vendor."""

    add = post("/token/generate", CreateToken, one(APIToken))
    """Make an API token. Needs a login token as the session's key; the vendor prefers its web page."""

    remove = post("/token/delete", ById, nothing(), provisional=True)
    """Revoke an API token."""

    records = get("/token/list", Nothing, many(APIToken), provisional=True)
    """All API tokens."""
