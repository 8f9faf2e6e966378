"""The words of the corpus for questions in other languages, where a server holds them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO

from askai.embedders import Vector
from askai.errors import IndexDamaged
from askai.induced_lexicon import InducedLexicon


@dataclass(slots=True)
class StoredLexicon:
    """See `induced_lexicon.Translator`. They are megabytes, and only a question in another language
    than most documents' needs them: `fetch` gives the content of words.npz then."""

    fetch: Callable[[], bytes]
    shares: dict[str, float]
    where: str  # for messages
    _loaded: InducedLexicon | None = field(default=None, repr=False)

    @property
    def language(self) -> str:
        return min(self.shares, key=lambda code: (-self.shares[code], code), default="")

    def translates(self, language: str) -> bool:
        if language in {self.language, "zh"} or self.language == "zh":
            return False
        return self._lexicon().translates(language)

    def translations(self, vector: Vector) -> tuple[str, ...]:
        return self._lexicon().translations(vector)

    def _lexicon(self) -> InducedLexicon:
        if self._loaded is None:
            content = self.fetch()
            try:
                self._loaded = InducedLexicon.read(BytesIO(content), self.shares)
            except Exception as error:  # zip, header and key errors of several kinds
                raise IndexDamaged(
                    f"The words in {self.where} cannot be used: {type(error).__name__}. Run "
                    "`askai index --rebuild`."
                ) from error
        return self._loaded
