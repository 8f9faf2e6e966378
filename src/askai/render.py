"""Records as a person reads them in a terminal: plain, with nothing a document could misuse."""

from __future__ import annotations  # names of types whose modules are too heavy for `status`

import unicodedata
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from askai.records import Answer, Citation, Conflict, Hit, Partial, Skipped
from askai.refusals import beside

if TYPE_CHECKING:
    from askai.alias_mining import Suggestion
    from askai.changes import Changes, FileStatus
    from askai.cite import Context
    from askai.doctor import Check
    from askai.embedders.models import ModelInfo
    from askai.index_report import IndexReport
    from askai.manifest import Manifest, StoreState
    from askai.scope import Scope
    from askai.verify import Verification

ShownPath = Callable[[str], str]
_SHOWN = 10


def safe(text: str) -> str:
    """The text without characters that move the cursor, colour, hide or reorder it."""
    return "".join(c if c in "\n\t" or not _is_control(c) else " " for c in text)


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn")


def _line(text: str) -> str:
    return " ".join(safe(text).split())


def answer(
    found: Answer,
    *,
    shown: ShownPath,
    scope: Scope | None = None,
    partial: Partial | None = None,
) -> str:
    """The answer and its citations, or the reason for none and what comes closest.

    What it was asked of stands last, where whoever keeps the answer finds it; but below the reason
    of a refusal, which speaks of these documents alone.
    """
    language = found.language
    asked = [_asked_of(scope, language)] if scope else []
    asked += [missing(partial, language)] if partial else []
    if found.abstention is None:
        sentences = {n: s.text for s in found.sentences for n in s.citations}
        cited = [_citation(c, shown, said=sentences[c.n]) for c in found.citations]
        disagreements = [_conflict(conflict, language) for conflict in found.conflicts]
        asked = ["", *asked] if asked else []
        return "\n".join([*disagreements, safe(found.text or ""), "", *cited, *asked])
    lines = [safe(found.abstention.reason), *asked]
    if found.abstention.closest:
        lines += ["", beside("closest", language=language)]
        lines += [_citation(c, shown, said="") for c in found.abstention.closest]
    if found.abstention.unreadable:
        lines += ["", beside("unreadable", language=language)]
        lines += [f"  {_line(shown(path))}" for path in found.abstention.unreadable[:_SHOWN]]
    return "\n".join(lines)


def _asked_of(scope: Scope, language: str) -> str:
    return beside(
        "asked", language=language, documents=scope.documents, of=scope.of,
        undated=_undated(scope, language),
    )  # fmt: skip


def missing(partial: Partial, language: str = "en") -> str:
    """That shards of the index were not asked, and which."""
    return beside(
        "partial", language=language, missing=len(partial.missing), shards=partial.shards,
        addresses=_line(", ".join(partial.missing)),
    )  # fmt: skip


def _undated(scope: Scope, language: str) -> str:
    return beside("undated", language=language, count=scope.undated) if scope.undated else ""


def _searched(scope: Scope) -> str:
    return f"Searched {scope.documents} of {scope.of} documents{_undated(scope, 'en')}."


def _conflict(conflict: Conflict, language: str) -> str:
    values = "; ".join(f"{value.value} [{value.citation}]" for value in conflict.values)
    about = _line(conflict.about)
    return beside("disagree", language=language, about=about, values=_line(values))


def _citation(citation: Citation, shown: ShownPath, *, said: str) -> str:
    """Where it stands; and the quote, unless the sentence that it carries is the quote itself."""
    source = citation.source
    place = f"{shown(source.path)}#char={citation.start}-{citation.end}"
    about = [source.title, source.publisher, source.published, *citation.heading[-1:]]
    page = f"page {citation.page}" if citation.page else ""
    named = [part for part in dict.fromkeys((*about, page, citation.label)) if part]
    lines = [f"[{citation.n}] {_line(place)}"]
    if named:
        lines.append(f"    {_line(' · '.join(named))}")
    if _line(citation.quote) not in _line(said):
        lines.append(f"    “{_line(citation.quote)}”")
    return "\n".join(lines)


def suggestions(found: Sequence[Suggestion], *, shown: ShownPath) -> str:
    """Groups as lines of aliases.toml, each with the place that has it."""
    if not found:
        return "No names stand side by side that aliases.toml does not have yet."
    lines = [
        f"  [{', '.join(_toml(name) for name in s.names)}],"
        f"  # {_line(shown(s.path))}#char={s.start}-{s.end}"
        for s in found
    ]
    return "\n".join(["names = [", *lines, "]"])


def _toml(text: str) -> str:
    escaped = _line(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def passages(
    hits: Sequence[Hit],
    *,
    shown: ShownPath,
    explain: bool,
    scope: Scope | None = None,
    partial: Partial | None = None,
) -> str:
    """Ranked passages, and what was searched; with `explain` what each leg gave them."""
    blocks = []
    for hit in hits:
        place = f"{shown(hit.chunk.path)}#char={hit.start}-{hit.end}"
        label = f" · {hit.chunk.label}" if hit.chunk.label else ""
        lines = [f"{hit.rank}. {_line(place)}{label}"]
        if explain:
            mean = "" if hit.alone is None else f"a mean with those beside it, {hit.alone:.4f} = "
            lines.append(
                f"   score {hit.score:.4f} = {mean}"
                f"dense {hit.dense:.4f} ({_rank(hit.dense_rank)}) "
                f"+ lexical {hit.lexical:.4f} ({_rank(hit.lexical_rank)}), weighted; "
                f"language {hit.chunk.language or 'unknown'}"
            )
        text = _line(hit.text)
        lines.append(f"   {text if len(text) <= 300 else text[:299] + '…'}")
        blocks.append("\n".join(lines))
    searched = [_searched(scope)] if scope else []
    searched += [missing(partial)] if partial else []
    return "\n\n".join([*(blocks or ["No passages."]), *searched])


def _rank(rank: int | None) -> str:
    return f"rank {rank}" if rank else "not in its list"


def context(found: Context, *, shown: ShownPath) -> str:
    """A citation between » and « in the text around it."""
    place = f"{shown(found.source.path)}#char={found.start}-{found.end}"
    about = [found.source.title, found.source.published, *found.heading, found.label]
    head = [_line(place), _line(" › ".join(dict.fromkeys(part for part in about if part)))]
    return "\n".join([*head, "", f"{safe(found.before)}»{safe(found.quote)}«{safe(found.after)}"])


def verification(found: Verification) -> str:
    """A line for each citation and each sentence, and the verdict."""
    lines = []
    for proof in found.citations:
        detail = f": {_line(proof.detail)}" if proof.detail else ""
        place = f"{proof.source}#char={proof.start}-{proof.end}"
        lines.append(f"[{proof.n}] {proof.status:7} {_line(place)}{detail}")
    for number, sentence in enumerate(found.sentences, 1):
        word = "carried" if sentence.carried else "NOT CARRIED"
        detail = f": {_line(sentence.detail)}" if sentence.detail else ""
        lines.append(f"sentence {number} {word}{detail}")
    if found.detail:
        lines.append(_line(found.detail))
    if not found.citations:
        lines.append("Nothing is cited, so nothing had to be proved.")
    lines.append("Proved." if found.provable else "No longer provable.")
    return "\n".join(lines)


def index_report(report: IndexReport, *, corpus: str, index: str) -> str:
    """What was indexed, and what was not and why."""
    if report.built:
        head = (
            f"Indexed {report.documents} documents of {corpus} as {report.chunks} passages "
            f"in {report.seconds:.1f} s: {index}/{report.generation}"
        )
    else:
        head = (
            f"Up to date: {report.documents} documents of {corpus}, {report.chunks} passages, "
            f"in {index}/{report.generation}"
        )
    read_as = [f"Read as {name}: {path}" for path, name in report.encodings.items()]
    shown = [_line(line) for line in (head, *read_as[:_SHOWN])]
    if len(read_as) > _SHOWN:
        shown.append(f"and {len(read_as) - _SHOWN} more that are not UTF-8")
    return "\n".join([*shown, *_formats(report), *_empty_pages(report), *skipped(report.skipped)])


def _formats(report: IndexReport) -> list[str]:
    """A table of what the index holds, where it was built anew of more than plain text."""
    if not report.built:
        return []
    kept = report.documents - report.read
    work = f"Read {_files(report.read)}, embedded {report.embedded} texts"
    lines = [f"{work}; {_files(kept)} had not changed." if kept > 0 else f"{work}."]
    if any(counts.pages for counts in report.formats) or len(report.formats) > 1:
        rows = [("format", "files", "passages", "pages", "without text")]
        rows += [
            (c.reader, *map(str, (c.documents, c.passages)),
             *(map(str, (c.pages, c.pages_without_text)) if c.pages else ("–", "–")))
            for c in report.formats
        ]  # fmt: skip
        lines += _table(rows)
    return lines


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns under their names, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _empty_pages(report: IndexReport) -> list[str]:
    found = list(report.pages_without_text.items())
    if not found:
        return []
    head = "Pages without text, on which no answer can rest (OCR helps, for example ocrmypdf):"
    shown = [f"  {_line(path)}: {_ranges(pages)}" for path, pages in found[:_SHOWN]]
    more = [f"  and of {len(found) - _SHOWN} more files"] if len(found) > _SHOWN else []
    return [head, *shown, *more]


def _ranges(numbers: Sequence[int]) -> str:
    """3, 7–9"""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(r[0]) if len(r) == 1 else f"{r[0]}–{r[-1]}" for r in runs)


def file_list(files: Sequence[FileStatus]) -> list[str]:
    """A line for each file of the corpus."""
    rows = [("file", "read by", "passages", "pages", "state")]
    rows += [
        (_line(f.path), f.reader or "–", str(f.passages) if f.reader else "–",
         str(f.pages) if f.pages else "–", _line(f.state))
        for f in files
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


_SIGNS = {"good": "ok", "warning": "look", "wrong": "WRONG"}


def checks(found: Sequence[Check]) -> str:
    """A line for each check, and its remedy below it."""
    width = max(len(check.name) for check in found)
    lines = []
    for check in found:
        lines.append(
            f"{_SIGNS[check.state]:5}  {check.name:{width}}  {_line(check.found)}".rstrip()
        )
        if check.remedy:
            lines.append(f"{'':5}  {'':{width}}  → {_line(check.remedy)}")
    wrong = sum(check.state == "wrong" for check in found)
    looks = sum(check.state == "warning" for check in found)
    lines.append(f"{wrong} wrong, {looks} to look at." if wrong or looks else "All is well.")
    return "\n".join(lines)


def skipped(files: Sequence[Skipped]) -> list[str]:
    """Lines that name the files left out."""
    if not files:
        return []
    shown = [f"  {_line(skip.path)}: {_line(skip.reason)}" for skip in files[:_SHOWN]]
    more = [f"  and {len(files) - _SHOWN} more"] if len(files) > _SHOWN else []
    return [f"Not read ({len(files)}):", *shown, *more]


def models(found: Sequence[ModelInfo]) -> str:
    """A paragraph for each model."""
    blocks = []
    for model in found:
        reranker = model.kind == "reranker"
        star = (", reranker" if reranker else "") + (" (default)" if model.default else "")
        size = f"{model.bytes / 1e6:.0f} MB" if model.bytes else "no weights"
        dim = f"{model.dim} dimensions" if model.dim else "dimensions unknown"
        facts = [model.origin, size, dim, model.licence or "licence not stated"]
        if reranker:
            facts.remove(dim)
        lines = [f"{model.name}{star}", f"  {' · '.join(facts)}"]
        if model.languages:
            lines.append(f"  languages: {', '.join(model.languages)}")
        if model.note:
            lines.append(f"  {model.note}")
        if not model.installed:
            lines.append(f"  not installed: {model.install}")
        blocks.append("\n".join(lines))
    return "\n".join(blocks)


def _search(name: str, store: StoreState) -> str:
    """How vectors are found, and what is missed by it."""
    held = f"{store.vectors} vectors of {name}"
    if store.recall < 1 or (store.sample and store.kind != "flat"):
        return f"{held}: {store.kind}, recall@10 {store.recall:.3f} of {store.sample} questions"
    because = ", since an inverted file found too little" if store.sample else ""
    return f"{held}: all are looked at{because}"


def status(
    manifest: Manifest,
    changes: Changes,
    left_out: Sequence[Skipped],
    *,
    corpus: str,
    index: str,
    files: Sequence[FileStatus] | None = None,
) -> str:
    """What is indexed, from what, when, with which model, and what has changed since."""
    made, counts = manifest.settings["embedder"], manifest.counts
    lines = [
        f"corpus    {_line(corpus)}",
        f"index     {_line(index)}/{manifest.generation}",
        f"made      {manifest.created} by askai {manifest.askai}",
        f"model     {made['name']} ({made['fingerprint']})",
        f"holds     {counts.documents} documents, {counts.chunks} passages",
        *(f"search    {_search(name, store)}" for name, store in manifest.stores.items()),
    ]
    if changes.count:
        lines.append("The corpus has changed since then; run `askai index`:")
    else:
        lines.append("The corpus has not changed since then.")
    for kind in ("added", "changed", "removed"):
        lines += [f"  {kind}: {_line(path)}" for path in getattr(changes, kind)]
    if changes.descriptions:
        lines.append("  changed: sources.toml")
    return "\n".join([*lines, *(skipped(left_out) if files is None else file_list(files))])
