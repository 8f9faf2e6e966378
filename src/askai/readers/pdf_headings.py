"""Which blocks of a PDF are headings: those its outline names, else those in large type."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence

from askai.readers.pdf_paragraphs import Draft, Typography
from askai.readers.structure import Block, by_its_look
from askai.sentences import is_finished

_PREFIX = re.compile(
    r"(?:chapter|chapitre|capítulo|appendix|annexe|apéndice|section|part|第)?"
    r"[\divxlcabcdefgh]{0,8}[章节]?"
)
_ROWS = 4
_LEVELS = 5
_CHARACTERS = 160
_SURE = 0.5  # of the outline's entries found: it holds all headings, and type need not tell

Entry = tuple[str, int, int]  # title, level from 1, page from 0


def set_headings(blocks: list[Draft], outline: Sequence[Entry], typography: Typography) -> None:
    found = _by_outline(blocks, outline)
    if not outline or found < _SURE * len(outline):
        _by_type(blocks, typography)


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if character.isalnum())


def _by_outline(blocks: list[Draft], outline: Sequence[Entry]) -> int:
    by_page: dict[int, list[tuple[Draft, str]]] = defaultdict(list)
    for block in blocks:
        if block.kind in ("paragraph", "bullet") and len(block.rows) <= _ROWS and not block.mono:
            by_page[block.rows[0].page].append((block, _plain(block.text)))
    found = 0
    for title, level, page in outline:
        wanted = _plain(title)
        titled = next(
            (
                block
                for near in (page, page + 1)
                for block, text in by_page[near]
                if block.kind != "heading" and _is_titled(text, wanted)
            ),
            None,
        )
        if wanted and titled is not None:
            titled.kind, titled.level = "heading", level
            found += 1
    return found


def _is_titled(text: str, title: str) -> bool:
    if len(text) > len(title) + 16 or not text.endswith(title):
        return False
    return bool(_PREFIX.fullmatch(text.removesuffix(title)))


def _by_type(blocks: list[Draft], typography: Typography) -> None:
    candidates = [block for block in blocks if _is_headed(block, typography)]
    # A document in bold has no bold headings.
    if len(candidates) > 0.5 * len(blocks) and len(blocks) > 4:
        candidates = [b for b in candidates if b.rows[0].size > 1.15 * typography.body]
    # Sizes that a title page alone has would push all others down.
    usual = [rank for rank, _ in Counter(map(_rank, candidates)).most_common(_LEVELS)]
    for block in candidates:
        block.kind = "heading"
        block.level = 1 + sum(rank > _rank(block) for rank in usual)


def _rank(block: Draft) -> tuple[int, bool]:
    return round(block.rows[0].size), block.rows[0].bold


def _is_headed(block: Draft, typography: Typography) -> bool:
    if block.kind not in ("paragraph", "bullet") or block.mono or len(block.rows) > _ROWS:
        return False
    row = block.rows[0]
    text = block.text
    if len(text) > _CHARACTERS or text[:1] in "•◦▪‣●○–—-*" or not any(map(str.isalpha, text)):
        return False
    large = row.size >= 1.15 * typography.body
    bold = row.size >= 0.97 * typography.body and all(part.bold for part in block.rows)
    if by_its_look(Block(0, len(text), text)).kind == "table_title":
        return False
    return large or (bold and not is_finished(text) and text[-1:] not in ",;:")
