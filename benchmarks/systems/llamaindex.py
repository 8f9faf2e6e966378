"""LlamaIndex: its Hugging Face embedding and its FAISS store, passages given whole as nodes."""

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.errors import BenchError
from benchmarks.systems import PASSAGE, QUERY, Indexed, Passage


class LlamaIndex:
    """See `benchmarks.systems.System`."""

    def __init__(self, model: Path, folder: Path) -> None:
        self._folder = folder
        self._model_folder = model
        self._index: Any = None

    def index(self, passages: Sequence[Passage]) -> Indexed:
        import faiss
        from llama_index.core import StorageContext, VectorStoreIndex
        from llama_index.core.schema import TextNode
        from llama_index.vector_stores.faiss import FaissVectorStore

        began = perf_counter()
        model = self._model()
        loaded = perf_counter()
        dim = len(model.get_text_embedding("dimensions"))
        store = FaissVectorStore(faiss_index=faiss.IndexFlatIP(dim))
        nodes = [TextNode(id_=passage.id, text=passage.text) for passage in passages]
        context = StorageContext.from_defaults(vector_store=store)
        index = VectorStoreIndex(nodes, storage_context=context, embed_model=model)
        index.storage_context.persist(str(self._folder))
        done = perf_counter()
        characters = sum(len(passage.text) for passage in passages)
        return Indexed(loaded - began, done - loaded, len(passages), characters)

    def open(self) -> None:
        from llama_index.core import StorageContext, load_index_from_storage
        from llama_index.vector_stores.faiss import FaissVectorStore

        if not (self._folder / "docstore.json").is_file():
            raise BenchError(f"There is no index in {self._folder}; index the documents first.")
        store = FaissVectorStore.from_persist_dir(str(self._folder))
        context = StorageContext.from_defaults(vector_store=store, persist_dir=str(self._folder))
        self._index = load_index_from_storage(context, embed_model=self._model())

    def answer(self, question: str, k: int, *, how: str) -> list[Passage]:
        del how  # without a language model it can only search
        found = self._index.as_retriever(similarity_top_k=k).retrieve(question)
        return [Passage(scored.node.node_id, scored.node.text) for scored in found]

    def _model(self) -> Any:
        from llama_index.embeddings.huggingface import HuggingFaceEmbedding

        return HuggingFaceEmbedding(
            model_name=str(self._model_folder), query_instruction=QUERY, text_instruction=PASSAGE
        )
