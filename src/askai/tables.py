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
        parts = [part.replace(r"\|", "|") for part in parts]
    return [_SPACE.sub(" ", part).strip() for part in parts]


def label_cells(row: str, header: Sequence[str]) -> str:
    """The filled cells as "Column: cell; Column: cell"; a cell without a column stands alone."""
    columns = [*header, *[""] * len(row)]
    filled = [(column, cell) for column, cell in zip(columns, cells(row), strict=False) if cell]
    return "; ".join(f"{column}: {cell}" if column else cell for column, cell in filled)


def render_row(row: str, header: Sequence[str]) -> str:
    """A row as "name (Column: cell; Column: cell)": what an answer prints for it.

    The first filled cell names the row.
    """
    filled = [(i, cell) for i, cell in enumerate(cells(row)) if cell]
    if not filled:
        return row.strip()
    at, name = filled[0]
    rest = "\t".join(cells(row)[at + 1 :])
    return f"{name} ({label_cells(rest, header[at + 1 :])})" if len(filled) > 1 else name
