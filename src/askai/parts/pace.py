"""How far a build is: parts made, texts a second, and the time that is left."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

_EVERY = 5.0  # seconds between two lines


@dataclass(slots=True)
class Pace:
    """Told of each part, tells from time to time, and at the end."""

    parts: int
    bytes: int  # of all files
    notify: Callable[[str], None]
    _began: float = field(default_factory=monotonic)
    _told: float = 0.0
    _done: int = 0
    _bytes: int = 0
    _texts: int = 0

    def tell(self, size: int, texts: int) -> None:
        """A part of files of `size` bytes is made, for which `texts` were embedded."""
        now = monotonic()
        self._done += 1
        self._bytes += size
        self._texts += texts
        if self._done < self.parts and now - max(self._told, self._began) < _EVERY:
            return
        self._told = now
        self.notify(self.line(now - self._began))

    def line(self, seconds: float) -> str:
        """What is told after so many seconds."""
        rate = self._texts / max(seconds, 1e-9)
        said = f"Built {self._done} of {self.parts} parts, {rate:.0f} texts/s"
        if self._done == self.parts:
            return f"{said}, in {_span(seconds)}."
        left = seconds * (self.bytes - self._bytes) / max(1, self._bytes)
        return f"{said}, about {_span(left)} left."


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
