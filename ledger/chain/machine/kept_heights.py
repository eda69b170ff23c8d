"""How much of a chain's past stays provable."""

from __future__ import annotations

from typing import Final

KEPT_HEIGHTS: Final = 256
"""How many heights before the newest stay provable, unless an engine says otherwise."""
