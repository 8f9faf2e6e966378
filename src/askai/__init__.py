"""askai: answers from a folder of documents, every sentence a verbatim, re-provable quotation."""
