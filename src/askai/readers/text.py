"""Plain text: structure that a typist or an extractor left in lines and blanks."""

from askai.language import parts
from askai.readers import Reading
from askai.readers.decoding import decode
from askai.readers.structure import find_marks


class TextReader:
    name = "text"
    version = "1"

    def read(self, data: bytes, *, password: str = "") -> Reading:  # noqa: ARG002
        text, encoding = decode(data)
        return structured(text, encoding=encoding)


def structured(text: str, *, encoding: str = "utf-8") -> Reading:
    """What the text reader finds in a text that is decoded already."""
    marks = find_marks(text)
    spoken = parts(text, marks)
    title = next((m.label for m in marks if m.kind == "heading"), None)
    return Reading(
        text=text,
        encoding=encoding,
        marks=tuple(sorted((*marks, *spoken), key=lambda m: (m.start, -m.end))),
        title=title,
        language=spoken[0].label if spoken else None,
    )
