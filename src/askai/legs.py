"""The two legs of a question: one after the other, or at the same time."""

from collections.abc import Callable
from typing import Protocol, TypeVar

A = TypeVar("A")
B = TypeVar("B")


class Legs(Protocol):
    def __call__(self, one: Callable[[], A], other: Callable[[], B]) -> tuple[A, B]:
        """What each of them returns; raises what the first of them raises, when none is at work
        any more."""
        ...


def in_turn(one: Callable[[], A], other: Callable[[], B]) -> tuple[A, B]:
    """See `Legs`."""
    return one(), other()


def together(one: Callable[[], A], other: Callable[[], B]) -> tuple[A, B]:
    """See `Legs`; `one` runs in a thread of its own, where another machine does the work."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  only servers need it

    with ThreadPoolExecutor(1, "askai-leg") as thread:
        first = thread.submit(one)
        try:
            second = other()
        finally:
            first.exception()  # waits for it, and does not raise
        return first.result(), second
