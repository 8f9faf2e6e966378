"""Rows of plain-text and Markdown tables: their cells, and how a row is printed."""

import re
from collections.abc import Sequence

_PIPE = re.compile(r"(?<!\\)\|")
_SPACE = re.compile(r"\s+")


def cells(row: str) -> list[str]:
    """The cells of a tab-separated or `| piped |` row, stripped; empty cells are kept."""
    if "\t" in row:
        parts = row.split("\t")
    else:
        parts = _PIPE.split(row.strip())
        if parts and not parts[0].strip():
            parts = parts[1:]
        if parts and not parts[-1].strip():
            parts = parts[:-1]
    return [_SPACE.sub(" ", part).strip() for part in parts]


def render_row(row: str, header: Sequence[str]) -> str:
    """A row as "name (Column: cell; Column: cell)": what an answer prints for it.

    The first filled cell names the row. A cell without a column name stands alone.
    """
    columns = [*header, *[""] * len(row)]
    filled = [(column, cell) for column, cell in zip(columns, cells(row), strict=False) if cell]
    if not filled:
        return row.strip()
    (_, name), rest = filled[0], filled[1:]
    if not rest:
        return name
    return f"{name} ({'; '.join(f'{column}: {cell}' if column else cell for column, cell in rest)})"
