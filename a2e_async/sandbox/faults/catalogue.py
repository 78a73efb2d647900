"""Every effect: what it does, what it can strike, and which parameters of a rule it takes."""

from typing import Literal, TypeAlias

import msgspec

WEBHOOK = "WEBHOOK"
"""The method of callbacks; their path is the whole URL."""

Target: TypeAlias = Literal["all", "rows", "files", "signed", "webhooks"]
Name: TypeAlias = Literal[
    "delay", "reset_before", "reset_after", "status", "html", "redirect", "expired", "coins_out",
    "truncated", "dribble", "wrong_length", "endless",
    "content_type", "invalid_json", "invalid_utf8", "gzip_bomb", "corrupt", "short",
    "word", "backwards", "missing", "duplicate", "clock_skew",
    "webhook_lost", "webhook_doubled", "webhook_late", "webhook_forged",
]  # fmt: skip

_PREFIXES: dict[Target, tuple[str, ...]] = {
    "all": ("/",),
    "rows": ("/api/",),
    "files": ("/results/", "/cdn/"),
    "signed": ("/results/", "/storage/"),
}


class Effect(msgspec.Struct, frozen=True):
    """What an effect does and takes; every effect also takes what every rule has.

    `strikes` is where it can: `rows` of the API, `files` that are downloaded, `signed` URLs (results and uploads),
    `webhooks`, or `all` but those.
    """

    does: str
    strikes: Target = "all"
    takes: tuple[str, ...] = ()

    def reaches(self, method: str, path: str) -> bool:
        """Tell whether a request, or a callback, is of the sort that it strikes."""
        if self.strikes == "webhooks":
            return method == WEBHOOK
        return method != WEBHOOK and path.startswith(_PREFIXES[self.strikes])


EFFECTS: dict[Name, Effect] = {
    "delay": Effect("the answer comes late"),
    "reset_before": Effect("the connection is reset, nothing was done"),
    "reset_after": Effect("the connection is reset after the work was done"),
    "status": Effect(
        "an HTTP status, with a gateway's page for a body unless one is given; nothing was done",
        takes=("status", "retry_after", "http_date", "headers", "body", "after"),
    ),
    "html": Effect("status 200 with a page where JSON or a file is due; nothing was done", takes=("body", "after")),
    "redirect": Effect("status 307 to another host; nothing was done", takes=("location",)),
    "expired": Effect("the store refuses a signed URL as expired (403, XML)", "signed"),
    "coins_out": Effect("all coins are taken before the work is done: the ledger says `fault`", "rows"),
    "truncated": Effect("the connection closes within the body; the work was done", takes=("part",)),
    "dribble": Effect("the body comes byte by byte; the work was done", takes=("pace",)),
    "wrong_length": Effect(
        "Content-Length is off, the body is whole, the connection stays open; the work was done", takes=("off",)
    ),
    "endless": Effect("spaces follow the body without end, at most 2 MB a second; the work was done"),
    "content_type": Effect("the right body under another Content-Type; the work was done", takes=("content_type",)),
    "invalid_json": Effect("the first half of the JSON, as if it were all; the work was done", "rows"),
    "invalid_utf8": Effect("every text in the JSON begins with the bytes FF FE; the work was done", "rows"),
    "gzip_bomb": Effect(
        "gzip that unpacks to the right body and `size` spaces, a thousandth of that on the wire; the work was done",
        takes=("size",),
    ),
    "corrupt": Effect("one byte in each KiB of a file is another; its length and type are right", "files"),
    "short": Effect("a file ends early, and its Content-Length says the same", "files", ("part",)),
    "word": Effect("every task is in a status that nobody knows", "rows", ("word",)),
    "backwards": Effect("every task is one status back, without its result", "rows"),
    "missing": Effect("a list lacks the records that are younger than `age`", "rows", ("age",)),
    "duplicate": Effect("a list shows its first record once more, at its end", "rows"),
    "clock_skew": Effect("the Date header and every time in the JSON are off by `skew`", takes=("skew",)),
    "webhook_lost": Effect("the callback is not sent", "webhooks"),
    "webhook_doubled": Effect("the callback is sent twice", "webhooks"),
    "webhook_late": Effect("the callback comes late", "webhooks"),
    "webhook_forged": Effect("the callback comes with a wrong token", "webhooks"),
}

COMMON = {
    "method": "the method it strikes; * for any",
    "path": "the paths it strikes, as a glob; of callbacks the whole URL",
    "name": "the names in bodies that it strikes, as a glob; of callbacks the task's",
    "nth": "strike this hit alone",
    "first": "strike so many hits",
    "every": "begin nth and first anew after so many hits",
    "share": "strike that part of the hits, 0 to 1",
    "seconds": "seconds that pass before the effect",
    "longest": "seconds that pass at most; null: always the same",
    "tail": "most waits are short, few are long",
    "enabled": "whether it counts and strikes",
}
"""What the fields of a rule mean that every effect takes."""
PARAMETERS = {
    "status": "HTTP status, 200 to 599",
    "retry_after": "seconds in a Retry-After header; none if null",
    "http_date": "Retry-After as an HTTP date",
    "headers": "further headers",
    "body": "the body: JSON if it begins with a brace, else HTML",
    "after": "do the work first",
    "location": "where to; null: the same path on elsewhere.invalid",
    "part": "share of the body that is sent, 0 to 1",
    "pace": "seconds for each byte",
    "off": "bytes more than there are; fewer if negative",
    "content_type": "the Content-Type",
    "size": "how many spaces",
    "word": "the status",
    "age": "seconds of the account's clock",
    "skew": "seconds ahead; behind if negative",
}
"""What the parameters mean that only some effects take."""
