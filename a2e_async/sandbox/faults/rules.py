"""The rules of one account: which one strikes."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from msgspec import structs

from a2e_async.sandbox.draws import between, digest
from a2e_async.sandbox.faults.rule import Rule
from a2e_async.sandbox.news import News

# Ids begin with the second of their making; what follows is the same in each run.
_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}([0-9a-f]{16})(?![0-9a-f])")
_GIVEN = frozenset({"id", "effect", "hits", "strikes"})


class Strike(NamedTuple):
    """A rule that is due, and how long to wait before it acts (seconds)."""

    rule: Rule
    pause: float


class Rules:
    """Takes rules in and picks the one that strikes; `who` is the account and its seed."""

    def __init__(self, news: News, *who: object) -> None:
        self._news, self._who = news, who
        self._made = 0
        self._asked: Counter[str] = Counter()
        self.all: list[Rule] = []

    def add(self, rule: Rule) -> Rule:
        """Let a rule act from now on; ValueError for one that does so already."""
        if rule.id:
            raise ValueError("a rule acts for one account, once: leave its id to the account")
        self._made += 1
        rule.id = self._made
        self.all.append(rule)
        self._news.tell("faults")
        return rule

    def remove(self, id_: int) -> Rule:
        """Let a rule act no more; LookupError for an unknown id."""
        rule = self.find(id_)
        self.all.remove(rule)
        self._news.tell("faults")
        return rule

    def clear(self) -> None:
        """Let none of the rules act any more."""
        self.all.clear()
        self._news.tell("faults")

    def change(self, id_: int, fields: Mapping[str, object]) -> Rule:
        """Change a rule that acts and keep its counts; LookupError, or ValueError for what it may not become."""
        rule = self.find(id_)
        if fixed := sorted(_GIVEN & fields.keys()):
            raise ValueError(f"{fixed[0]} cannot be changed")
        wanted = msgspec.convert({**structs.asdict(rule), **fields}, Rule)
        for name in fields:
            setattr(rule, name, getattr(wanted, name))
        self._news.tell("faults")
        return rule

    def find(self, id_: int) -> Rule:
        """Return the rule with an id; LookupError if there is none."""
        found = next((rule for rule in self.all if rule.id == id_), None)
        if not found:
            raise LookupError(f"there is no rule {id_}")
        return found

    def pick(self, method: str, path: str, name: str, alike: str = "") -> Strike | None:
        """Return the first rule due for a request or callback, as struck; all rules count it.

        What is `alike` (by default the same method, path and name) is told apart by its number alone.
        """
        rules = [rule for rule in tuple(self.all) if rule.matches(method, path, name)]
        if not rules:
            return None
        key = _ID.sub(r"\1", alike or f"{method} {path} {name}")
        self._asked[key] += 1
        which = digest(*self._who, key, self._asked[key])
        due = [rule for rule in rules if rule.due() and self._drawn(rule, which)]
        if not due:
            return None
        due[0].strikes += 1
        return Strike(due[0], due[0].pause(between(0, 1, "pause", due[0].id, which)))

    @staticmethod
    def _drawn(rule: Rule, which: str) -> bool:
        return rule.share is None or between(0, 1, "fault", rule.id, which) < rule.share
