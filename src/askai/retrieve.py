"""Passages for a question: by meaning and by words, fused.

Rank fusion gives a leg that knows nothing as much say as one that knows (across languages it took
nDCG@10 from .81 to .36). Here the lexical leg speaks in proportion to what it can match: its score
is a share of what a passage holding every term of the question would score, unknown terms
included, and that share is added to the cosine.
"""

from dataclasses import dataclass, replace

from askai.aliases import Aliases
from askai.catalog import Catalog
from askai.embedders import Embedder, Vector
from askai.language import language_of
from askai.lexical import LexicalIndex
from askai.records import Hit
from askai.stores import Store
from askai.tokens import content_tokens, folded, is_han

# What a full lexical match is worth in cosine: measured on development data, see docs/retrieval.md.
LEXICAL_WEIGHT = 0.09
# A model places a passage nearer to a question of its own language than to one of another: by .11
# for Chinese and .10 for English questions on xquad's parallel texts. Half of it is given back:
# with both languages' passages in one collection that costs no question its right passage, and on
# the development questions the reciprocal rank of the evidence rose from .70 to .80.
LANGUAGE_GAP = 0.04
_DEPTH = 50  # candidates of each leg


@dataclass(frozen=True, slots=True)
class Query:
    """A question as the legs see it."""

    text: str
    language: str
    dense_text: str  # with the names that the corpus uses
    terms: tuple[tuple[str, ...], ...]  # each a term with its other names, any of which matches it
    vector: Vector
    names: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = ()  # aliased, with all their forms

    @property
    def tokens(self) -> list[str]:
        """Each term once, with its names in other scripts: two in one script would count twice."""
        return [
            token
            for term in self.terms
            for token in term
            if token == term[0] or is_han(token) != is_han(term[0])
        ]


@dataclass(frozen=True, slots=True)
class Retriever:
    catalog: Catalog
    store: Store
    lexical: LexicalIndex
    embedder: Embedder
    aliases: Aliases

    def query(self, text: str) -> Query:
        """Prepares a question: its language, its terms, and its names as the corpus spells them."""
        plain = folded(text)
        terms: list[tuple[str, ...]] = []
        added: list[str] = []
        names: list[tuple[str, tuple[tuple[str, ...], ...]]] = []
        at = 0
        for mention in self.aliases.mentions(text):
            terms += [(token,) for token in content_tokens(plain[at : mention.start])]
            at = mention.end
            terms += self._name(plain[mention.start : mention.end], mention.group, added)
            forms = (tuple(content_tokens(n)) for n in mention.group)
            names.append((mention.group[0], tuple(form for form in forms if form)))
        terms += [(token,) for token in content_tokens(plain[at:])]
        dense = f"{text} ({', '.join(added)})" if added else text
        vector = self.embedder.embed_query(dense)
        distinct = tuple(dict.fromkeys(terms))
        return Query(text, language_of(text), dense, distinct, vector, tuple(names))

    def _name(
        self, written: str, group: tuple[str, ...], added: list[str]
    ) -> list[tuple[str, ...]]:
        """The terms of a name: as written, and as other passages of the corpus write it."""
        forms = [content_tokens(name) for name in (written, *group)]
        known = [form for form in forms if form and all(t in self.lexical for t in form)]
        if not known:
            return [(token,) for token in forms[0]]
        if forms[0] not in known:
            added.append(next(name for name in group if content_tokens(name) == known[0]))
        # The first known form counts. The others are alternatives to its first token, so that a
        # name in three languages is one thing to match and not three; of several Latin words none
        # would stand for the name.
        head, *rest = known[0]
        others = (form[0] for form in known[1:] if len(form) == 1 or is_han(form[0]))
        alternatives = (other for other in dict.fromkeys(others) if other != head)
        return [(head, *alternatives), *((token,) for token in rest)]

    def search(self, query: Query, k: int) -> list[Hit]:
        """The k best passages, best first, ties in order of id."""
        words = query.tokens
        depth = max(k, _DEPTH)
        dense = self.store.search(query.vector, depth)
        lexical = self.lexical.search(words, depth)
        ids = list(dict.fromkeys([i for i, _ in dense] + [i for i, _ in lexical]))
        cosines = dict(self.store.search(query.vector, len(ids), among=ids))
        matched = dict(self.lexical.search(words, len(ids), among=ids))
        ceiling = self.lexical.ceiling([term[0] for term in query.terms])
        dense_ranks = {i: rank for rank, (i, _) in enumerate(dense, 1)}
        lexical_ranks = {i: rank for rank, (i, _) in enumerate(lexical, 1)}
        chunks = self.catalog.chunks(ids)
        hits = []
        for i in ids:
            share = min(1.0, matched.get(i, 0.0) / ceiling) if ceiling else 0.0
            hits.append(
                Hit(
                    chunk=chunks[i],
                    rank=0,
                    score=cosines[i] + LEXICAL_WEIGHT * share + gap(query, chunks[i].language),
                    dense=cosines[i],
                    lexical=share,
                    dense_rank=dense_ranks.get(i),
                    lexical_rank=lexical_ranks.get(i),
                )
            )
        hits.sort(key=lambda hit: (-hit.score, hit.chunk.id))
        return [replace(hit, rank=rank) for rank, hit in enumerate(hits[:k], 1)]


def gap(query: Query, language: str | None) -> float:
    """What a text in another language than the question's is given back."""
    return LANGUAGE_GAP if language not in (None, query.language) else 0.0
