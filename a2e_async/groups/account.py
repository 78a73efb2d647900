"""The account: coins, diamonds, languages, storage. Contract 3.13 and 4.1."""

from typing import Annotated, Any

from msgspec import Meta, field

from a2e_async._answer import Record, many, nothing, one
from a2e_async._endpoint import Group, get, listing, post
from a2e_async._wire import Link, Nothing, PageQuery, Reply, Request


class Balance(Reply):
    """What the account holds; 100 coins make 1 diamond."""

    coins: float
    """Coins in hand."""
    diamonds: float | None = None
    """Diamonds in hand; None where the service does not tell."""


class AddUser(Request):
    """A further user. Only the first field of this row was ever public."""

    username: str
    """Name of the user."""


class ExchangeDiamonds(Request):
    """Buy diamonds with coins, 100 for one. Cannot be undone."""

    diamonds: Annotated[int, Meta(ge=1)]
    """How many diamonds to buy."""


class LanguageQuery(Request):
    """Which languages there are."""

    locale: str | None = field(default=None, name="voice_map_type")
    """Locale in which names are shown, e.g. ``en-US``."""


class Region(Reply):
    """A region of a language."""

    value: str
    """Region code."""
    label: str = ""
    """Name, in the locale asked for."""


class Language(Reply):
    """A language; ``value`` is its code."""

    value: str
    """Language code, used as ``country`` elsewhere."""
    label: str = ""
    """Name, in the locale asked for."""
    regions: list[Region] = field(default_factory=list[Region], name="children")
    """Regions in which it is spoken."""


class StoreUrl(Request):
    """A public file to be copied into the service's own storage."""

    url: Link
    """Public URL of the file."""


class StoredFile(Reply):
    """The stored copy."""

    url: str
    """Public URL of the copy."""


class QuoteRequest(Request):
    """A generation call that is to be priced, not made."""

    endpoint: str
    """Route of the generation call, e.g. ``/api/v1/userFaceSwapTask/add``."""
    body: dict[str, Any] = field(name="requestBody")
    """The body that would be sent, with wire names."""


class Quote(Reply):
    """A price. Its field name is not public: ``coins`` is None where the service names it otherwise."""

    coins: float | None = None
    """Price in coins."""
    validated: bool | None = field(default=None, name="generationRequestValidated")
    """False: only the fields that matter for the price were read."""


class HistoryQuery(PageQuery):
    """A span of the account's history."""

    spendings: bool | None = field(default=None, name="is_consumption")
    """True: only spendings; False: only grants."""
    start: str | None = field(default=None, name="startDate")
    """ISO date of the first day."""
    end: str | None = field(default=None, name="endDate")
    """ISO date of the last day."""


class Transaction(Record):
    """Coins that came or went. Field names are not public; ``raw`` has what the service sent."""

    amount: float | None = None
    """Coins: positive for a grant, negative for a spending; None where the service names it otherwise."""
    created_at: str = field(default="", name="createdAt")
    """UTC, ISO 8601."""


class UploadRequest(Request):
    """A file about to be uploaded."""

    key: Annotated[str, Meta(min_length=1)]
    """Object name; the service puts a prefix of its own before it."""
    bucket: str | None = None
    """Storage bucket; the service takes its own three-day bucket by default."""
    url_prefix: str | None = field(default=None, name="urlPrefix")
    """First part of the stored path."""
    cdn_domain: str | None = field(default=None, name="cdnDomain")
    """Host suffix of the public URL, without scheme."""
    expires_in: Annotated[int, Meta(ge=60)] | None = field(default=None, name="expiresIn")
    """Seconds for which the upload URL is valid."""
    content_type: str | None = field(default=None, name="contentType")
    """MIME type that the upload must then have."""
    file_size: int | None = field(default=None, name="fileSize")
    """Bytes that the upload must then have."""
    content_length: int | None = field(default=None, name="contentLength")
    """Wins over the file size."""


class UploadSlot(Reply):
    """Where to PUT the bytes, and where they are to be found afterwards."""

    upload_url: str = field(name="uploadUrl")
    """Where to PUT the bytes, without the token."""
    cdn_url: str | None = field(default=None, name="cdnUrl")
    """Public URL after the PUT; older servers leave it out."""
    key: str = ""
    """Full object name."""
    bucket: str = ""
    """Storage bucket."""
    expires_in: float | None = field(default=None, name="expiresIn")
    """Seconds for which ``upload_url`` is valid."""


class Account(Group):
    """Coins, languages, storage."""

    noun = "account"

    add_user = post("/user/add", AddUser, nothing(), provisional=True)
    """Add a user."""

    coins = get("/user/remainingCoins", Nothing, one(Balance))
    """What the account holds. The cheapest way to check a token."""

    exchange_diamonds = post("/user/exchangeDiamonds", ExchangeDiamonds, nothing(), paid=True)
    """Buy diamonds with coins. Cannot be undone, and is never blindly sent twice."""

    languages = post("/anchor/language_list", LanguageQuery, many(Language), safe=True)
    """Languages and their regions."""

    store_url = post("/tos/transferToStorage", StoreUrl, one(StoredFile))
    """Copy a public file into the service's storage."""

    upload_url = post("/r2/upload-presigned-url", UploadRequest, one(UploadSlot), safe=True)
    """Get a URL to PUT a file to; `A2ESession.files` does both steps. The service prices it for sk_ tokens."""

    quote = post("/generation/quote", QuoteRequest, one(Quote), safe=True)
    """Price a generation call without making it."""

    history = listing("/transactionRecord/creditsHistory", HistoryQuery, Transaction)
    """Coins that came and went."""
