"""BLS12-381 behind one small interface, with interchangeable backends.

``group()`` is the way in; everything it gives follows `Group`. Importing this loads no
backend.
"""

from zkproofs.group.encoding import G1_SIZE, G2_SIZE, SCALAR_SIZE
from zkproofs.group.expand import Expander, expand_message
from zkproofs.group.interface import G1, G2, GT, ORDER, Group, Scalar
from zkproofs.group.selection import group, using

__all__ = [
    "G1",
    "G1_SIZE",
    "G2",
    "G2_SIZE",
    "GT",
    "ORDER",
    "SCALAR_SIZE",
    "Expander",
    "Group",
    "Scalar",
    "expand_message",
    "group",
    "using",
]
