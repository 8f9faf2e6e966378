"""Figures as tables, and the place in a page where they stand."""

from collections.abc import Callable, Sequence
from statistics import fmean, median

from benchmarks.errors import BenchError
from benchmarks.measures import paired_ratio, quantile
from benchmarks.results import Results
from benchmarks.systems import ASKAI, PLAIN
from benchmarks.targets import TARGETS

BEGIN = "<!-- figures: written by `make bench`, do not edit -->"
END = "<!-- end of the figures -->"

LABELS = {
    PLAIN: "plain script",
    "txtai": "txtai",
    "llamaindex": "LlamaIndex",
    "askai search": "`askai search`",
    "askai ask --no-rerank": "`askai ask --no-rerank`",
    "askai ask": "`askai ask`",
}
ASKING = tuple(LABELS)
INDEXING = (PLAIN, "txtai", "llamaindex", ASKAI)
_MISSING = "–"
_ASKING = (
    "**From the shell to the answer, and within one process.** Time and memory as a multiple of "
    "the plain script's: the median of the ratios within a round, and in brackets the median."
)
_INDEXING = (
    "**Indexing**, the loading of the model apart. *documents* counts the characters of the "
    "documents, *embedding* those that were embedded: askai embeds sentences and words, too."
)


def tables(results: Results) -> str:
    """Everything that was measured, in Markdown."""
    parts = [
        _heading(results),
        _ASKING,
        _table(("", "cold start", "peak memory", "warm, median", "warm, p95"), _asking(results)),
        _INDEXING,
        _table(
            ("", "documents", "embedded", "embedding", "peak memory", "index on disk"),
            _indexing(results),
        ),
        _embedding(results),
        "**What is found.** Whole documents, the same questions for each.",
        _table(_quality_head(results), _quality(results)),
        "**The targets of issue 5.**",
        _table(("", "must reach", "aim", "measured", ""), _targets(results)),
    ]
    return "\n\n".join(part for part in parts if part)


def rewritten(page: str, figures: str) -> str:
    """The page with the figures between its markers; raises BenchError where they are not."""
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(END) < page.index(BEGIN):
        raise BenchError(f"The page needs the lines {BEGIN} and {END}, once each, in this order.")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{figures}\n\n{END}{after}"


def _heading(results: Results) -> str:
    about, machine = results.about, results.about.get("machine", {})
    lines = []
    if not results.complete:
        lines.append("**Partial: the run was stopped before its end.**\n")
    sets = ", ".join(about.get("sets", ()))
    lines.append(
        f"Measured on {about.get('date', '?')} at commit {about.get('commit') or '?'}"
        f"{' with changes' if about.get('changed') else ''}, in {_minutes(about)}: "
        f"{about.get('documents', 0)} documents of {about.get('characters', 0)} characters "
        f"({sets})."
    )
    lines.append(
        f"Machine: {machine.get('processor', '?')}, {machine.get('cores', '?')} cores, "
        f"{machine.get('memory_gb', '?')} GB, {machine.get('system', '?')}, "
        f"Python {machine.get('python', '?')}; {_load(about)}. "
        f"{_packages(about)}"
    )
    if about.get("notes"):
        lines.append(f"Cut short: {'; '.join(about['notes'])}.")
    return "\n".join(lines)


def _minutes(about: dict[str, object]) -> str:
    seconds = about.get("seconds")
    return f"{seconds / 60:.0f} minutes" if isinstance(seconds, int | float) else "a part of a run"


def _load(about: dict[str, object]) -> str:
    """The load average of a minute: more than the cores means that others worked here, too."""
    began, ended = about.get("load"), about.get("load_at_end")
    if not isinstance(began, int | float):
        return "load unknown"
    after = f", {ended:.1f} when it ended" if isinstance(ended, int | float) else ""
    return f"load {began:.1f} when the run began{after}"


def _packages(about: dict[str, object]) -> str:
    found = about.get("packages")
    if not isinstance(found, dict):
        return ""
    return " ".join(
        f"{where}: {', '.join(f'{name} {version}' for name, version in versions.items())}."
        for where, versions in found.items()
    )


def _asking(results: Results) -> list[list[str]]:
    rows = []
    for name in ASKING:
        warm = results.of("warm seconds", name)
        base = results.of("warm seconds", PLAIN)
        p95 = _missing_or(
            lambda warm=warm, base=base: (  # type: ignore[misc]
                f"{quantile(warm, 0.95) / quantile(base, 0.95):.2f} × "
                f"({_milliseconds(quantile(warm, 0.95))})"
            )
        )
        rows.append(
            [
                LABELS[name],
                _against_plain(results, "cold seconds", name, "{:.2f} s"),
                _against_plain(results, "cold peak MB", name, "{:.0f} MB"),
                _against_plain(results, "warm seconds", name, "{:.1f} ms", times=1e3),
                p95,
            ]
        )
    return rows


def _indexing(results: Results) -> list[list[str]]:
    rows = []
    for name in INDEXING:
        rate, given = "indexing characters per second", results.about.get("characters", 0)
        texts = results.of("embedded texts", name)
        characters = results.of("embedded characters", name)
        embedded = (
            f"{texts[0]:.0f} texts, {characters[0] / given:.1f} × the characters"
            if texts and given
            else _MISSING
        )
        rows.append(
            [
                LABELS.get(name, "askai"),
                _against_plain(results, rate, name, "{:.0f} characters/s"),
                embedded,
                _per_embedded(results, name),
                _against_plain(results, "indexing peak MB", name, "{:.0f} MB"),
                _against_plain(results, "index bytes", name, "{:.2f} MB", times=1e-6),
            ]
        )
    return rows


def _per_embedded(results: Results, name: str) -> str:
    """The rate in characters that were embedded, of which askai has more than documents have."""
    given = results.about.get("characters", 0)
    rates = {
        who: [
            rate * embedded / given
            for rate, embedded in zip(
                results.of("indexing characters per second", who),
                results.of("embedded characters", who),
                strict=False,
            )
        ]
        for who in (name, PLAIN)
    }
    return _missing_or(lambda: f"{paired_ratio(rates[name], rates[PLAIN]).median:.2f} ×")


def _embedding(results: Results) -> str:
    rate = "embedding characters per second"
    ours, theirs = results.of(rate, ASKAI), results.of(rate, PLAIN)
    if not ours or not theirs:
        return ""
    ratio = paired_ratio(ours, theirs)
    return (
        f"Vectors alone, the same texts: askai's embedder makes {ratio.median:.2f} × the "
        f"characters per second of `SentenceTransformer.encode` with default arguments "
        f"({ratio.low:.2f} to {ratio.high:.2f} in {len(ours)} rounds; {median(ours):.0f} and "
        f"{median(theirs):.0f} characters/s)."
    )


def _sets(results: Results) -> Sequence[str]:
    return tuple(results.about.get("sets", ()))


def _quality_head(results: Results) -> list[str]:
    names = [f"{measure} {name}" for name in _sets(results) for measure in ("nDCG@10", "Success@1")]
    return ["", *names]


def _quality(results: Results) -> list[list[str]]:
    rows = []
    for name in INDEXING:
        cells = [results.of(measure, name) for measure in _quality_head(results)[1:]]
        shown = [f"{fmean(cell):.3f}" if cell else _MISSING for cell in cells]
        rows.append([LABELS.get(name, "askai"), *shown])
    return rows


def _targets(results: Results) -> list[list[str]]:
    rows = []
    for target in TARGETS:
        try:
            value = target.measured(results)
        except ValueError:
            measured, verdict = _MISSING, "not measured"
        else:
            measured, verdict = target.form.format(value), target.verdict(value)
        bounds = (target.bound(target.must), target.bound(target.aim))
        rows.append([target.what, *bounds, measured, verdict])
    return rows


def _against_plain(
    results: Results, measure: str, name: str, form: str, *, times: float = 1.0
) -> str:
    """The ratio and, in brackets, the median."""
    values = results.of(measure, name)
    return _missing_or(
        lambda: (
            f"{paired_ratio(values, results.of(measure, PLAIN)).median:.2f} × "
            f"({form.format(times * median(values))})"
        )
    )


def _missing_or(cell: Callable[[], str]) -> str:
    try:
        return cell()
    except ValueError:  # of an empty list, or of no pair
        return _MISSING


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.1f} ms"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
