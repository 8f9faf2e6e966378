"""Every failure askai can name, drawn as a tree.

    AskaiError                    exit code 1
      UsageError                  exit code 2: the command was given something it cannot use
        SettingsError             askai.toml or an ASKAI_* variable
        QuestionError             the question itself
      CorpusError                 the folder of documents as a whole
      ReadError                   one file of it; the build goes on without it
        ReaderStopped             its reader crashed or took too long, which may pass
      ModelError                  an embedding model is missing, damaged or not what was expected
        TokenizerError            the tiktoken tables
      StoredIndexError                 the index as a whole
        IndexMissing              there is none
        IndexDamaged              a file of it is gone, cut short or altered
        IndexMismatch             made by another format or with another model
        IndexLocked               another process is writing it
        StoreError                the server that holds it: no right, no extension
          StoreUnreachable        no way there, now
      PartsError                  parts of an index: none, damaged, of another format or model
      ClusterError                the Ray cluster: no way there, lost, with another askai on it
      AnswerFileError             a file given to `askai verify`
      GoldError                   a gold set or a bench folder

A message says what was found, what was expected and what to do next, on one line.
"""


class AskaiError(Exception):
    """Base of all expected failures; the command line prints its message and nothing else."""

    exit_code = 1


class UsageError(AskaiError):
    exit_code = 2


class SettingsError(UsageError):
    pass


class QuestionError(UsageError):
    pass


class CorpusError(AskaiError):
    pass


class ReadError(AskaiError):
    pass


class ReaderStopped(ReadError):
    pass


class ModelError(AskaiError):
    pass


class TokenizerError(ModelError):
    pass


class StoredIndexError(AskaiError):
    pass


class IndexMissing(StoredIndexError):
    pass


class IndexDamaged(StoredIndexError):
    pass


class IndexMismatch(StoredIndexError):
    pass


class IndexLocked(StoredIndexError):
    pass


class StoreError(StoredIndexError):
    pass


class StoreUnreachable(StoreError):
    pass


class PartsError(AskaiError):
    pass


class ClusterError(AskaiError):
    pass


class AnswerFileError(AskaiError):
    pass


class GoldError(AskaiError):
    pass
