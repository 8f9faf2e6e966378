"""Passages for a question: by meaning and by words, fused.

Rank fusion gives a leg that knows nothing as much say as one that knows (across languages it took
nDCG@10 from .81 to .36). Here the lexical leg speaks in proportion to what it can match: its score
is a share of what a passage holding every term of the question would score, unknown terms
included, and that share is added to the cosine. A Chinese question is also searched for in English,
word by word, so that this leg has something to say across languages.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from askai.aliases import Aliases, Mention
from askai.catalog_reader import CatalogReader
from askai.centring import Centring
from askai.context import WEIGHT as CONTEXT_WEIGHT
from askai.context import in_context, order
from askai.embedders import Embedder, Vector
from askai.induced_lexicon import Translator
from askai.language import language_of
from askai.legs import Legs, in_turn
from askai.lexical import WordSearch
from askai.lexicon import translations
from askai.records import Chunk, Hit
from askai.repeats import without_repeats
from askai.stores import VectorSearch
from askai.tokens import content_tokens, folded, is_han, stemmed
from askai.units import chunk_of, embedded_units, says_something, unit_id
from askai.vocabulary import latin_words

if TYPE_CHECKING:
    from askai.scope import Scope

# What a full lexical match is worth in cosine: measured on development data, see docs/retrieval.md.
LEXICAL_WEIGHT = 0.25
UNIT_SHARE = 0.5  # of the best sentence's cosine in a passage's, where it is the higher one
# What a passage in the question's language loses where nearly all others are in another one: there
# it is a summary or a translation, which a model of many languages puts before what it sums up.
_OWN_LANGUAGE = 0.06
_NOTHING_SAID = 0.2  # what a passage loses that is but an address, a label or a button
_DEPTH = 50  # candidates of each leg
_NO_RANKS: Mapping[str, int] = MappingProxyType({})


View = tuple[tuple[str, ...], ...]  # terms, each with the tokens any of which counts as it


@dataclass(frozen=True, slots=True)
class Query:
    """A question as the legs see it."""

    text: str
    language: str
    dense_text: str  # with the names that the corpus uses
    views: tuple[View, ...]  # the question's own terms, and those of its translation if it has one
    vector: Vector
    names: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = ()  # aliased, with all their forms
    groups: tuple[tuple[str, ...], ...] = ()  # the same names as the aliases have them
    induced: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # token to translations
    own_language_loss: float = 0.0  # of cosine, see `loss`
    # Of sentences by their ids: what comes next asks for those of the same passages again.
    cosines: dict[str, float] = field(default_factory=dict, compare=False, repr=False)

    @property
    def terms(self) -> View:
        """The question's own terms."""
        return self.views[0]

    def loss(self, chunk: Chunk) -> float:
        """What a passage or a sentence loses for being in the question's language."""
        return self.own_language_loss if chunk.language == self.language else 0.0


@dataclass(frozen=True, slots=True)
class Retriever:
    catalog: CatalogReader
    store: VectorSearch  # vectors of passages
    units: VectorSearch  # vectors of their sentences, see `units.unit_texts`
    lexical: WordSearch
    embedder: Embedder
    centring: Centring
    aliases: Aliases
    lexical_weight: float = LEXICAL_WEIGHT
    unit_share: float = UNIT_SHARE
    context_weight: float = CONTEXT_WEIGHT  # of what stands beside a passage, see `context`
    translates: bool = True  # whether a question is also searched for in the corpus's language
    induced: Translator | None = None
    scope: "Scope | None" = None  # what is looked at; None: everything
    legs: Legs = in_turn

    def query(self, text: str) -> Query:
        """Prepares a question: its language, its terms, and its names as the corpus spells them."""
        language = language_of(text)
        mentions = self.aliases.mentions(text)
        own = self._terms(text, mentions)
        translated = self._translated(text, mentions) if self.translates else ()
        induced = self._induced(text, language) if self.translates else {}
        if induced:
            translated = tuple((*dict.fromkeys((*induced.get(t[0], ()), *t)),) for t in own)
        added = [name for mention in mentions if (name := self._spelling(text, mention))]
        dense = f"{text} ({', '.join(dict.fromkeys(added))})" if added else text
        return Query(
            text=text,
            language=language,
            dense_text=dense,
            views=(own, translated) if translated else (own,),
            vector=self.centring.query(self.embedder.embed_query(dense), language),
            names=tuple(
                (mention.group[0], tuple(form for form in map(_form, mention.group) if form))
                for mention in mentions
            ),
            groups=tuple(mention.group for mention in mentions),
            induced=induced,
            own_language_loss=self._own_language_loss(language),
        )

    def _own_language_loss(self, language: str) -> float:
        if self.induced is None or language == self.induced.language:
            return 0.0
        return _OWN_LANGUAGE * (1.0 - self.induced.shares.get(language, 0.0))

    def _terms(self, text: str, mentions: Sequence[Mention]) -> View:
        """Each term once, a name with its other spellings."""
        terms: list[tuple[str, ...]] = []
        for piece in _pieces(text, mentions):
            if isinstance(piece, Mention):
                terms += self._name(_written(text, piece), piece.group)
            else:
                terms += [(token,) for token in content_tokens(piece)]
        return tuple(dict.fromkeys(terms))

    def _translated(self, text: str, mentions: Sequence[Mention]) -> View:
        """The terms of a Chinese question in English; none where nothing can be translated."""
        terms: list[tuple[str, ...]] = []
        some = False
        for piece in _pieces(text, mentions):
            if isinstance(piece, Mention):
                latin = next((name for name in piece.group if not is_han(folded(name)[0])), None)
                terms += self._name(latin or _written(text, piece), piece.group)
                continue
            for word, english in translations(piece):
                some = some or bool(english)
                terms.append(english or (word,))
            terms += [(token,) for token in content_tokens(piece) if not is_han(token)]
        return tuple(dict.fromkeys(terms)) if some else ()

    def _induced(self, text: str, language: str) -> dict[str, tuple[str, ...]]:
        """The words of the corpus for those of a question in another language, by their stems."""
        if self.induced is None or not self.induced.translates(language):
            return {}
        words = latin_words(text).items()
        found = {
            stemmed(plain): self.induced.translations(self.embedder.embed_query(word.lower()))
            for plain, word in words
        }
        return {stem: near for stem, near in found.items() if near}

    def _name(self, written: str, group: tuple[str, ...]) -> list[tuple[str, ...]]:
        """The terms of a name: as written, or else as passages of the corpus write it.

        The first form that the corpus has counts. The others are alternatives to its first token,
        so that a name in three languages is one thing to match and not three; of several Latin
        words none would stand for the name.
        """
        known = [form for form in map(_form, (written, *group)) if self._has(form)]
        if not known:
            return [(token,) for token in _form(written)]
        head, *rest = known[0]
        others = (form[0] for form in known[1:] if len(form) == 1 or is_han(form[0]))
        alternatives = (other for other in dict.fromkeys(others) if other != head)
        return [(head, *alternatives), *((token,) for token in rest)]

    def _spelling(self, text: str, mention: Mention) -> str | None:
        """The first spelling that the corpus has of a name; None where it has the one written."""
        if self._has(_form(_written(text, mention))):
            return None
        return next((name for name in mention.group if self._has(_form(name))), None)

    def _has(self, form: tuple[str, ...]) -> bool:
        return bool(form) and all(token in self.lexical for token in form)

    def search(self, query: Query, k: int) -> list[Hit]:
        """The k best passages, best first, ties in order of id."""
        depth = max(k, _DEPTH)
        near, lexical = self.legs(
            lambda: self._near(query, depth), lambda: self._lexical(query, depth)
        )
        blended = self._blended(query, [*near, *(i for i, _ in lexical)])
        dense = [(i, cosine) for i, cosine in blended if i in near][:depth]
        dense_ranks = {i: rank for rank, (i, _) in enumerate(dense, 1)}
        lexical_ranks = {i: rank for rank, (i, _) in enumerate(lexical, 1)}
        found = [pair for pair in blended if pair[0] in dense_ranks or pair[0] in lexical_ranks]
        hits = self._fused(query, found, dense_ranks, lexical_ranks).values()
        ranked = in_context(
            sorted(hits, key=order),
            lambda ids: self._fused(query, self._blended(query, ids)),
            self.context_weight,
        )
        distinct = without_repeats(ranked, k)
        return [replace(hit, rank=rank) for rank, hit in enumerate(distinct, 1)]

    def _fused(
        self,
        query: Query,
        blended: Sequence[tuple[str, float]],
        dense_ranks: Mapping[str, int] = _NO_RANKS,
        lexical_ranks: Mapping[str, int] = _NO_RANKS,
    ) -> dict[str, Hit]:
        """The passages of these cosines with their scores, and with their ranks in the legs, by
        id."""
        ids = [i for i, _ in blended]
        chunks = self.catalog.chunks(ids)
        shares = dict(self._lexical(query, len(ids), among=ids))
        hits = {}
        for i, cosine in blended:
            share = shares.get(i, 0.0)
            loss = 0.0 if says_something(chunks[i]) else _NOTHING_SAID
            score = cosine + self.lexical_weight * share - loss
            hits[i] = Hit(
                chunk=chunks[i],
                rank=0,
                score=score,
                dense=cosine,
                lexical=share,
                dense_rank=dense_ranks.get(i),
                lexical_rank=lexical_ranks.get(i),
            )
        return hits

    def leg(
        self, query: Query, k: int, *, name: Literal["dense", "lexical"]
    ) -> list[tuple[str, float]]:
        """The k best (id, score) of one leg alone, as `Hit.dense` and `Hit.lexical` have it."""
        if name == "lexical":
            return self._lexical(query, k)
        return self._blended(query, self._near(query, k))[:k]

    def _near(self, query: Query, k: int) -> dict[str, None]:
        """The ids of the passages that are among the k nearest, or have a sentence that is."""
        passages, units = (self.scope.passages, self.scope.units) if self.scope else (None, None)
        found = [i for i, _ in self.store.search(query.vector, k, among=passages)]
        near = [chunk_of(i) for i, _ in self.units.search(query.vector, k, among=units)]
        return dict.fromkeys((*found, *near))

    def _blended(self, query: Query, ids: Iterable[str]) -> list[tuple[str, float]]:
        """(id, cosine) of passages, best first; half of it is that of their best sentence, if it is
        higher.

        A passage of many sentences is near to much and very near to nothing: on the development
        questions the evidence was in the first five passages for .92 instead of .88 of the English
        ones.
        """
        chunks = list(self.catalog.chunks(ids).values())
        units = [unit_id(chunk, n) for chunk in chunks for n in embedded_units(chunk)]
        of_units = iter(self.unit_cosines(query, units))
        cosines = self.store.cosines(query.vector, [chunk.id for chunk in chunks]).tolist()
        blended = []
        for chunk, cosine in zip(chunks, cosines, strict=True):
            best = max((next(of_units) for _ in embedded_units(chunk)), default=cosine)
            if cosine > -math.inf:
                better = self.unit_share * max(0.0, best - cosine)
                blended.append((chunk.id, cosine + better - query.loss(chunk)))
        return sorted(blended, key=lambda pair: (-pair[1], pair[0]))

    def unit_cosines(self, query: Query, ids: Sequence[str]) -> list[float]:
        """Of sentences by id, see `units.unit_id`; −∞ for one that has no vector."""
        known = query.cosines
        if new := [id_ for id_ in ids if id_ not in known]:
            known.update(zip(new, self.units.cosines(query.vector, new).tolist(), strict=True))
        return [known[id_] for id_ in ids]

    def _lexical(
        self, query: Query, k: int, *, among: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        """(id, share of what a passage with every term would score), by the view it fits best."""
        if among is None and self.scope:
            among = self.scope.passages
        shares: dict[str, float] = {}
        for view in query.views:
            ceiling = self.lexical.ceiling(view)
            for id_, score in self.lexical.search(view, k, among=among):
                shares[id_] = max(shares.get(id_, 0.0), min(1.0, score / ceiling))
        return sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))[:k]


def _pieces(text: str, mentions: Sequence[Mention]) -> Iterator[str | Mention]:
    """The folded question in order: its names, and what stands between them."""
    plain = folded(text)
    at = 0
    for mention in mentions:
        yield plain[at : mention.start]
        yield mention
        at = mention.end
    yield plain[at:]


def _written(text: str, mention: Mention) -> str:
    return folded(text)[mention.start : mention.end]


def _form(name: str) -> tuple[str, ...]:
    return tuple(content_tokens(name))
