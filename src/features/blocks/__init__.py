"""The feature blocks, one family of declarations a module; `BLOCKS` lists them by name.

A new block is a module with a `BLOCK` and a line here; the shared battery of `tests/contracts` then runs over it.
"""

from __future__ import annotations

from ...language.declarations import Block
from . import (
    abuse,
    breadth,
    campaigns,
    contacts,
    leaving,
    lifecycle,
    offers,
    profile,
    prospects,
    references,
    relationship,
    rhythm,
    service,
    spending,
    tiers,
    traits,
)

BLOCKS: dict[str, Block] = {
    module.BLOCK.name: module.BLOCK
    for module in (
        *(spending, rhythm, breadth, contacts, campaigns, offers),
        *(service, leaving, references, lifecycle, profile, prospects, abuse, tiers, traits, relationship),
    )
}
