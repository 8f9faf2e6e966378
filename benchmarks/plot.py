"""Figures as a plot: an SVG of bars, readable on light and on dark pages."""

from collections.abc import Iterator, Sequence
from html import escape

from benchmarks.measures import Ratio, paired_ratio
from benchmarks.report import ASKING, LABELS
from benchmarks.results import Results
from benchmarks.systems import PLAIN

_PANELS = (
    ("From the shell to the answer", "cold seconds"),
    ("Peak memory of that", "cold peak MB"),
    ("The next question, in one process", "warm seconds"),
)
_WIDTH, _LEFT, _RIGHT = 760, 190, 70
_ROW, _TITLE, _GAP = 22, 34, 18
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 }
.other { fill: #8c959f } .ours { fill: #0969da } .spread { stroke: #24292f; stroke-width: 1.2 }
.one { stroke: #8c959f; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .spread { stroke: #e6edf3 }
  .ours { fill: #4493f8 } .other { fill: #6e7681 }
}
"""


def svg(results: Results) -> str:
    """Bars of the ratio to the plain script, its range as a line; what is missing is left out."""
    body: list[str] = []
    top = 0
    for title, measure in _PANELS:
        bars = list(_bars(results, measure))
        if bars:
            body += _panel(title, bars, top)
            top += _TITLE + _ROW * len(bars) + _GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" role="img" '
        f'aria-label="askai and others, as multiples of the plain script">\n'
        f"<style>{_STYLE}</style>\n" + "\n".join(body) + "\n</svg>\n"
    )


def _bars(results: Results, measure: str) -> Iterator[tuple[str, Ratio]]:
    base = results.of(measure, PLAIN)
    for name in ASKING:
        values = results.of(measure, name)
        if values and base:
            yield name, paired_ratio(values, base)


def _panel(title: str, bars: Sequence[tuple[str, Ratio]], top: int) -> list[str]:
    # A single slow repetition may not flatten all bars: its line is cut off at the edge.
    most = 1.15 * max(1.0, *(ratio.median for _, ratio in bars))
    across = (_WIDTH - _LEFT - _RIGHT) / most

    def x(value: float) -> str:
        return f"{_LEFT + min(value, most) * across:.1f}"

    first, last = top + _TITLE - 4, top + _TITLE + _ROW * len(bars) - 4
    found = [
        _text(_LEFT, top + 20, f"{title}, × the plain script (less is better)", 'class="title"'),
        f'<line class="one" x1="{x(1)}" x2="{x(1)}" y1="{first}" y2="{last}"/>',
    ]
    for n, (name, ratio) in enumerate(bars):
        y = top + _TITLE + n * _ROW
        kind = "ours" if name.startswith("askai") else "other"
        low, width = x(ratio.low), float(x(ratio.median)) - _LEFT
        place = f'x1="{low}" x2="{x(ratio.high)}" y1="{y + 7.5}" y2="{y + 7.5}"'
        found += [
            _text(_LEFT - 8, y + 12, LABELS[name].strip("`"), 'text-anchor="end"'),
            f'<rect class="{kind}" x="{_LEFT}" y="{y}" height="15" width="{width:.1f}"/>',
            f'<line class="spread" {place}/>',
            _text(_WIDTH - _RIGHT + 8, y + 12, f"{ratio.median:.2f} ×"),
        ]
    return found


def _text(x: float, y: float, text: str, how: str = "") -> str:
    return f'<text x="{x}" y="{y}" {how}>{escape(text)}</text>'
