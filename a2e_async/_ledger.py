"""Which kind of journal a place means, and whose it is."""

from os import PathLike

from a2e_async._rows import Ledger
from a2e_async._secret import Secret
from a2e_async.config import SessionConfig
from a2e_async.errors import ConfigError
from a2e_async.journal import Journal

_SERVERS = ("postgresql://", "postgres://")


async def take_up(
    place: str | PathLike[str], config: SessionConfig, kind: str, name: str = "", *, rekey: bool = False
) -> Ledger:
    """Take up a batch in a file, or in the database of a ``postgresql://`` URL; raise as `Journal.open` does."""
    account = account_of(config)
    if not isinstance(place, str) or not place.startswith(_SERVERS):
        return await Journal.open(place, kind=kind, account=account, name=name, rekey=rekey)
    place = Secret(place)
    try:
        from a2e_async.integrations.postgres import PostgresJournal  # noqa: PLC0415 - of an extra
    except ImportError as error:
        raise ConfigError(str(error)) from None
    return await PostgresJournal.open(place, kind=kind, account=account, name=name, rekey=rekey)


def account_of(config: SessionConfig) -> Secret:
    """Return what tells accounts apart."""
    return Secret(f"{config.base_url} {config.api_key}")
