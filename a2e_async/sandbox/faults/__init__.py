"""Faults by rule: what to match, and what then goes wrong."""

from a2e_async.sandbox.faults.acting import act
from a2e_async.sandbox.faults.catalogue import EFFECTS, WEBHOOK
from a2e_async.sandbox.faults.description import effects
from a2e_async.sandbox.faults.hit import Hit
from a2e_async.sandbox.faults.rule import Rule
from a2e_async.sandbox.faults.rules import Rules, Strike
from a2e_async.sandbox.faults.storm import storm

__all__ = ["EFFECTS", "WEBHOOK", "Hit", "Rule", "Rules", "Strike", "act", "effects", "storm"]
