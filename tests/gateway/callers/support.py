"""What Redis holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.servers import Valkey


def texts(valkey: Valkey) -> list[bytes]:
    """Return all values that are texts, which cached ones are."""
    client = valkey.client
    return [client.get(name) for name in client.scan_iter(_type="string")]
