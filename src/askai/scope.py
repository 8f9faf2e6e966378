"""Which documents a question is put to: by path, language and date."""

import re
from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from unicodedata import normalize

from askai.catalog_reader import CatalogReader
from askai.errors import UsageError
from askai.records import Skipped, Source
from askai.units import numbered

_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?(?:T.*)?", re.ASCII)
_WILD = re.compile(r"[*?]")
_FOLDERS = re.compile(r"(?<![^/])(?:\*\*/)+")  # `**/` of a shell: no folder, or any number
_MOST_FOLDERS = 7  # parts that `**/` joins
_SEVERAL = re.compile(r"[,{}]")
_EXAMPLES = 5  # paths that tell what there is

Days = tuple[str, str]  # the first and the last of a span, as ISO 8601


@dataclass(frozen=True, slots=True)
class Filters:
    """What the asker wrote; an empty one leaves everything."""

    sources: tuple[str, ...] = ()  # paths, folders, or patterns with * and ?
    languages: tuple[str, ...] = ()  # of passages, ISO 639-1
    since: str | None = None  # YYYY, YYYY-MM or YYYY-MM-DD
    until: str | None = None  # the same; all of that year, month or day is in

    def __bool__(self) -> bool:
        return self != Filters()

    def check(self) -> None:
        """Raises UsageError where one can mean nothing in any index: it is empty, or no date."""
        for option, words in (("--source", self.sources), ("--language", self.languages)):
            if not all(word.strip() for word in words):
                raise UsageError(f"{option} is empty; leave it out to ask everything.")
        _span(self)


@dataclass(frozen=True, slots=True)
class Scope:
    """What filters leave of an index."""

    filters: Filters
    passages: tuple[str, ...]  # their ids
    units: tuple[str, ...]  # the ids of the units that have vectors of their own
    documents: int  # that these passages are of
    of: int  # documents in all
    undated: int  # left out, as they have no date


def scope_of(
    filters: Filters,
    catalog: CatalogReader,
    *,
    corpus: Path,
    shown: Callable[[str], str] = str,
    skipped: Sequence[Skipped] = (),
) -> Scope:
    """The passages in one of the languages, of documents with one of the paths and in the span.

    A path is compared as the `corpus` has it and as it is `shown`, upper and lower case alike; a
    pattern without a slash with the name of the file, too; and where it leads into the corpus from
    the working directory, as that. A document that is known by its year is in every span that
    touches that year; one without a date is in none. Raises UsageError, which names what there is,
    when a filter leaves nothing, and says why when it is for a `skipped` file.
    """
    sources = catalog.sources()
    patterns = [_Pattern(written, _placed(written, corpus)) for written in filters.sources]
    chosen = _by_path(sources, patterns, shown, skipped)
    span = _span(filters)
    dated = _by_date(chosen, span) if span else chosen
    languages = _known(filters.languages, sorted(filter(None, catalog.languages())))
    paths = {source.path for source in dated}
    rows = [
        (id_, path, units)
        for id_, path, language, units in catalog.chunk_places()
        if path in paths and (not languages or language in languages)
    ]
    if not rows:
        there = examples([source.path for source in dated])
        raise UsageError(
            f"No passage in the language {' or '.join(languages)} is in the documents that the "
            f"other filters leave ({there})."
            if languages
            else f"The documents that the filters leave have no text ({there})."
        )
    return Scope(
        filters=filters,
        passages=tuple(id_ for id_, _, _ in rows),
        units=tuple(numbered(id_, n) for id_, _, units in rows for n in range(units)),
        documents=len({path for _, path, _ in rows}),
        of=len(sources),
        undated=sum(_days(source.published or "") is None for source in chosen) if span else 0,
    )


class _Pattern:
    """A path, a folder, or a pattern, in which `*` stands for any characters, slashes too."""

    def __init__(self, written: str, placed: str | None) -> None:
        self.written = written
        wanted = _alike(written).removeprefix("./").rstrip("/")
        self._anywhere = _forms(wanted)
        self._names = () if "/" in _alike(written).removeprefix("./") else self._anywhere
        self._placed = () if placed is None else _forms(_alike(placed))
        self._everything = placed == ""

    def means(self, path: str, shown: str) -> bool:
        path, shown = _alike(path), _alike(shown)
        return (
            self._everything
            or _fits(path, (*self._anywhere, *self._placed))
            or _fits(shown, self._anywhere)
            or any(fnmatchcase(path.rpartition("/")[2], form) for form in self._names)
        )


def _forms(wanted: str) -> tuple[str, ...]:
    """What `fnmatch` takes for it: `[` is itself, and a `**/` may be no folder."""
    parts = _FOLDERS.split(wanted.replace("[", "[[]"))
    if len(parts) > _MOST_FOLDERS:  # each doubles what there is to compare with
        raise UsageError(f"A --source has at most {_MOST_FOLDERS - 1} times **/ in it.")
    joints = product(("*/", ""), repeat=len(parts) - 1)
    return tuple(
        "".join(part + joint for part, joint in zip(parts, (*between, ""), strict=True))
        for between in joints
    )


def _fits(path: str, forms: Sequence[str]) -> bool:
    """Whether one is the path's, or that of a folder that it lies in."""
    return any(fnmatchcase(path, form) or fnmatchcase(path, f"{form}/*") for form in forms)


def _placed(written: str, corpus: Path) -> str | None:
    """As the corpus would call it, "" for the corpus itself, where it leads there from the working
    directory; None where it does not, or begins with a wildcard."""
    parts = written.replace("\\", "/").split("/")
    fixed = next((n for n, part in enumerate(parts) if _WILD.search(part)), len(parts))
    if not fixed:
        return None
    leads = Path("/".join(parts[:fixed]) or "/")
    for whole in (Path.resolve, Path.absolute):  # a link out of the corpus is in it all the same
        try:
            inside = whole(leads).relative_to(whole(corpus))
        except (OSError, ValueError, RuntimeError):  # elsewhere, or what no file can be called
            continue
        return "/".join((*inside.parts, *parts[fixed:]))
    return None


def _by_path(
    sources: Sequence[Source],
    patterns: Sequence[_Pattern],
    shown: Callable[[str], str],
    skipped: Sequence[Skipped],
) -> list[Source]:
    """The sources that one of the patterns means; each pattern has to mean some."""
    if not patterns:
        return list(sources)
    names = {source.path: shown(source.path) for source in sources}
    found: dict[str, Source] = {}
    for pattern in patterns:
        meant = [s for s in sources if pattern.means(s.path, names[s.path])]
        if not meant:
            unread = [s for s in skipped if pattern.means(s.path, s.path)]
            raise UsageError(
                _unread(pattern.written, unread) if unread else _unknown(pattern.written, sources)
            )
        found |= {source.path: source for source in meant}
    return list(found.values())


def _unread(written: str, skipped: Sequence[Skipped]) -> str:
    first, more = skipped[0], len(skipped) - 1
    others = f" Nor could {more} more that {written!r} means." if more else ""
    return f"{first.path!r} could not be read: {first.reason}.{others}"


def _unknown(written: str, sources: Sequence[Source]) -> str:
    several = " For several, give --source several times." if _SEVERAL.search(written) else ""
    return (
        f"No document is called {written!r}; there are {examples([s.path for s in sources])}. "
        f'Give a path, a folder, or a pattern in quotes: --source "reports/*.pdf".{several}'
    )


def _alike(path: str) -> str:
    """Some systems keep an accent apart from its letter."""
    return normalize("NFC", path).casefold().replace("\\", "/")


def _span(filters: Filters) -> Days | None:
    """The days from `since` to `until`; None where neither is given."""
    since, until = filters.since, filters.until
    if since is None and until is None:
        return None
    first = "0000" if since is None else _asked_days("--since", since)[0]
    last = "9999-99" if until is None else _asked_days("--until", until)[1]
    if first > last:
        raise UsageError(
            f"--since {since} is later than --until {until}, so that no day is left; "
            f"is --since {until} --until {since} meant?"
        )
    return first, last


def _asked_days(option: str, date: str) -> Days:
    if not date.strip():
        raise UsageError(f"{option} is empty; leave it out to ask of all times.")
    days = _days(date.strip())
    if days is None:
        raise UsageError(f"{option} {date!r} is no date; expected YYYY, YYYY-MM or YYYY-MM-DD.")
    return days


def _by_date(sources: Sequence[Source], span: Days) -> list[Source]:
    first, last = span
    dates = {source.path: _days(source.published or "") for source in sources}
    found = [s for s in sources if (d := dates[s.path]) and d[0] <= last and first <= d[1]]
    if found:
        return found
    known = sorted(days for days in dates.values() if days)
    there = (
        f"their dates go from {known[0][0]} to {max(last for _, last in known)}"
        if known
        else "none has a date in the form YYYY-MM-DD"
    )
    raise UsageError(
        f"No document is of that time: of {len(sources)}, {there}. The dates of documents can be "
        "given in sources.toml."
    )


def _days(date: str) -> Days | None:
    """The days that a date of ISO 8601 leaves open, the first and the last; None: it is none."""
    match = _DATE.fullmatch(date)
    if match is None:
        return None
    year, month, day = match.groups()
    try:
        last = monthrange(int(year), int(month or 12))[1]
    except ValueError:  # there is no such month
        return None
    if day and not 1 <= int(day) <= last:
        return None
    return f"{year}-{month or '01'}-{day or '01'}", f"{year}-{month or '12'}-{day or last}"


def _known(languages: Sequence[str], there: Sequence[str]) -> tuple[str, ...]:
    """The languages as ISO 639-1; each has to be that of some passages."""
    wanted = tuple(dict.fromkeys(language.strip().lower() for language in languages))
    for language in wanted:
        if language not in there:
            raise UsageError(
                f"No passage is in the language {language!r}; there are {', '.join(there)}."
            )
    return wanted


def examples(paths: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = len(paths) - _EXAMPLES
    named = ", ".join(paths[:_EXAMPLES])
    return f"{named} and {more} more" if more > 0 else named
