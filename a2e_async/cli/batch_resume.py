"""`a2e batch resume`."""

from typing import Unpack

from a2e_async._rows import Phase, Summary
from a2e_async.cli._batch import Settings, check_place, pursue
from a2e_async.cli._inputs import kind_named
from a2e_async.config import WaitLimits
from a2e_async.errors import JournalError
from a2e_async.journal import read_summaries
from a2e_async.session import A2ESession


async def run(  # noqa: PLR0913 - the options of the command
    *,
    journal: str,
    kind: str | None,
    name: str | None,
    limits: list[tuple[str, float]],
    as_json: bool,
    again: str,
    **settings: Unpack[Settings],
) -> int:
    """Take the open jobs of one batch to their ends."""
    if kind is not None:
        kind_named(kind, "--kind")
    found = _choose(journal, kind, name)
    async with A2ESession() as a2e:
        batch = a2e.batch(
            kind_named(found.kind, "--kind"),
            journal=journal,
            name=found.name,
            limits=WaitLimits(**dict(limits)),
            **settings,
        )
        check_place(settings["out"])
        return await pursue(
            batch,
            batch.resume(),
            total=sum(found.counts[phase] for phase in (Phase.NEW, Phase.SENDING, Phase.SENT)),
            saves=settings["out"] is not None,
            go_on=f"To continue: {again}",
            as_json=as_json,
        )


def _choose(journal: str, kind: str | None, name: str | None) -> Summary:
    batches = read_summaries(journal)
    fit = [one for one in batches if kind in {None, one.kind} and name in {None, one.name}]
    if len(fit) == 1:
        return fit[0]
    listed = ", ".join(f"{one.kind} {one.name!r}" if one.name else one.kind for one in batches) or "none"
    text = "which batch? Say so by --kind and --name" if fit else "no such batch"
    raise JournalError(f"journal {journal}: {text}. It holds: {listed}.")
