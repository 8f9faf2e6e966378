"""`askai` and `python -m askai`: Ctrl-C is quiet while the command is still being loaded, too."""

import os
from typing import NoReturn


def main() -> NoReturn:
    # NumPy's matrix products of a question are too small to share: a second thread saves little,
    # and where another program has its core both wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from askai.cli import main as run  # noqa: PLC0415

        run()
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
