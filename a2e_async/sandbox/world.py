"""All accounts of a sandbox, made on first use of an API key."""

import hmac
from hashlib import sha256

import msgspec
from msgspec import structs

from a2e_async.sandbox.account import LABEL, Account
from a2e_async.sandbox.clock import Clock, ClockSpec, real_now
from a2e_async.sandbox.draws import digest
from a2e_async.sandbox.faults import Rule
from a2e_async.sandbox.journal import Journal
from a2e_async.sandbox.life import Task
from a2e_async.sandbox.news import News
from a2e_async.sandbox.store import Store
from a2e_async.sandbox.wire import Refusal

TOKEN, ISSUED, HASH = "apiToken", "sk_issued_", "sha256"
"""The noun of tokens that an account had issued, what they begin with, and the field of what is kept of them.

The id of their record follows, then what nobody else knows.
"""
_REAL_KEY = "this looks like a real API key: do not send real keys to a sandbox, any sk_something will do"


class Start(msgspec.Struct, frozen=True):
    """What a new account begins with; `faults` strike those of an older database, too."""

    clock: ClockSpec
    coins: float
    seed: int
    faults: tuple[Rule, ...] = ()


class World:
    """The accounts of a sandbox and the log of what its server saw; any thread may call it."""

    def __init__(self, store: Store, start: Start) -> None:
        self.store = store
        self.log = Journal()
        self.news = News()
        """Tells when there is one more account."""
        self._start = start
        self._known: dict[str, Account] = {}

    def authorize(self, header: str, start: Start | None = None) -> Account:
        """Return the account of an Authorization header; Refusal 401 for none, a wrong one or a real one."""
        scheme, _, key = header.partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Refusal("no token: send Authorization: Bearer sk_...", status=401)
        return self.account(key.strip(), start)

    def start(self, *, clock: str | None, coins: float | None, seed: int | None) -> Start | None:
        """Return what an account begins with that is to differ from others in this; None if in nothing."""
        if (clock, coins, seed) == (None, None, None):
            return None
        usual = self._start
        return Start(
            ClockSpec.parse(clock) if clock else usual.clock,
            usual.coins if coins is None else coins,
            usual.seed if seed is None else seed,
        )

    def account(self, key: str, start: Start | None = None) -> Account:
        """Return the account of an API key, made now if new; ValueError to start one that exists anew."""
        if not key.startswith("sk_") or key.startswith("sk_invalid"):
            raise Refusal("invalid token", status=401)
        if "eyJ" in key:
            raise Refusal(_REAL_KEY, status=401)
        hashed = hash_of(key)
        if (known := self._known.get(hashed)) and not start:
            return known
        with self.store.transaction():
            known = self._issued(key) if key.startswith(ISSUED) else self._find(hashed)
            if known and start:
                raise ValueError(f"{known.label} exists: its clock, coins and seed are set")
            return known or self._make(hashed, start or self._start)

    @property
    def accounts(self) -> list[Account]:
        """Every account, in the order of their making."""
        found = msgspec.convert(self.store.rows("SELECT key_hash FROM accounts ORDER BY id"), list[tuple[str]])
        return [account for (hashed,) in found if (account := self._find(hashed))]

    def labels(self) -> list[str]:
        """Return the label of every account, in the order of their making."""
        found = msgspec.convert(self.store.rows("SELECT id FROM accounts ORDER BY id"), list[tuple[int]])
        return [f"{LABEL}{id_}" for (id_,) in found]

    def labelled(self, label: str) -> Account | None:
        """Return the account with a label."""
        row = self.store.row("SELECT key_hash FROM accounts WHERE ? = ? || id", label, LABEL)
        return self._find(msgspec.convert(row, tuple[str])[0]) if row else None

    def owner(self, user_id: str) -> Account | None:
        """Return the account with a user id, which object keys hold."""
        row = self.store.row("SELECT key_hash FROM accounts WHERE user_id = ?", user_id)
        return self._find(msgspec.convert(row, tuple[str])[0]) if row else None

    def task(self, id_: str) -> tuple[Account, Task] | None:
        """Return a task of whatever account, and the account."""
        sql = "SELECT key_hash, noun FROM tasks JOIN accounts ON accounts.id = account WHERE tasks.id = ?"
        row = self.store.row(sql, id_)
        if not row:
            return None
        hashed, noun = msgspec.convert(row, tuple[str, str])
        account = self._find(hashed)
        found = account.find(noun, id_) if account else []
        return (account, found[0]) if account and found else None

    def _issued(self, key: str) -> Account | None:
        sql = "SELECT key_hash, fields FROM documents JOIN accounts ON accounts.id = account"
        id_ = key.removeprefix(ISSUED).partition("_")[0]
        row = self.store.row(f"{sql} WHERE documents.id = ? AND noun = ?", id_, TOKEN)
        owner, fields = msgspec.convert(row, tuple[str, str]) if row else ("", "{}")
        kept = msgspec.json.decode(fields, type=dict[str, str]).get(HASH, "")
        if not hmac.compare_digest(kept, hash_of(key)):
            raise Refusal("invalid token: it was deleted or never issued", status=401)
        return self._find(owner)

    def _find(self, hashed: str) -> Account | None:
        if hashed in self._known:
            return self._known[hashed]
        sql = "SELECT id, user_id, seed, rate, step, anchor, real FROM accounts WHERE key_hash = ?"
        row = self.store.row(sql, hashed)
        return self._load(hashed, *msgspec.convert(row, tuple[int, str, int, float, float, int, int])) if row else None

    def _load(self, hashed: str, id_: int, user_id: str, seed: int, *clock: float) -> Account:
        rate, step, anchor, real = clock
        time = Clock(ClockSpec(rate, step), int(anchor), int(real))
        account = Account(self.store, id_, user_id, seed, time, self.log)
        for rule in self._start.faults:
            account.fault(structs.replace(rule, id=0, hits=0, strikes=0))
        self._known[hashed] = account
        return account

    def _make(self, hashed: str, start: Start) -> Account:
        now, user_id = real_now(), digest("user", hashed)[:24]
        clock = (start.clock.rate, start.clock.step, now, now)
        columns = "key_hash, user_id, seed, rate, step, anchor, real, coins, diamonds, ordinal"
        sql = f"INSERT INTO accounts({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0)"
        self.store.change(sql, hashed, user_id, start.seed, *clock)
        found = self.store.row("SELECT id FROM accounts WHERE key_hash = ?", hashed)
        id_ = msgspec.convert(found, tuple[int])[0]
        account = self._load(hashed, id_, user_id, start.seed, *clock)
        account.bank.book(now, start.coins, "grant")
        self.news.tell("accounts")
        return account


def hash_of(key: str) -> str:
    """Return what is kept of an API key, which itself is kept nowhere."""
    return sha256(key.encode()).hexdigest()
