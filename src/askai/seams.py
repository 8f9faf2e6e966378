"""Where one implementation can stand for another: a table of names, and entry points for more.

A table maps a name to "module:attribute", so that listing what there is imports nothing; an
installed package adds to it through the entry-point group `askai.<seam>`.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from askai.errors import UsageError


def names(seam: str, table: Mapping[str, str]) -> list[str]:
    """All names that `load` knows for a seam, sorted."""
    return sorted({*table, *(point.name for point in entry_points(group=f"askai.{seam}"))})


def load(seam: str, table: Mapping[str, str], name: str) -> Any:
    """The attribute that `name` stands for; raises UsageError naming what there is."""
    if name in table:
        module, _, attribute = table[name].partition(":")
        return getattr(import_module(module), attribute)
    for point in entry_points(group=f"askai.{seam}", name=name):
        return point.load()
    raise UsageError(f"No {seam} named {name!r}. There are: {', '.join(names(seam, table))}.")
