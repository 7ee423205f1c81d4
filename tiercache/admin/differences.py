"""What differs between nodes that should be alike: versions, bounds, settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..reports.cluster import Node


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that a node has otherwise than most.

    Attributes:
        name: what, as the settings or the package call it.
        own: what this node has; "" where it has none.
        common: what most have.
    """

    name: str
    own: str
    common: str


def differences(nodes: Sequence[Node]) -> dict[str, tuple[Difference, ...]]:
    """Return what each node has otherwise than most others, by its id; nodes without are left out.

    Where no value is the most frequent one, the first node's counts as common.
    """
    facts = {node.id: _facts(node) for node in nodes}
    common = _common([*facts.values()])
    found = {
        id_: tuple(
            Difference(name, own.get(name, ""), usual)
            for name, usual in common.items()
            if own.get(name, "") != usual
        )
        for id_, own in facts.items()
    }
    return {id_: differing for id_, differing in found.items() if differing}


def _facts(node: Node) -> dict[str, str]:
    return {
        **node.versions,
        "max_entries": f"{node.max_entries:,}",
        "max_bytes": f"{node.max_bytes:,}",
        "policy": node.policy,
        **node.settings,
    }


def _common(facts: Sequence[dict[str, str]]) -> dict[str, str]:
    names = dict.fromkeys(name for one in facts for name in one)
    return {
        name: Counter(one.get(name, "") for one in facts).most_common(1)[0][0] for name in names
    }
