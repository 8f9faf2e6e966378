"""`askai` and `python -m askai`: Ctrl-C is quiet while the command is still being loaded, too."""

from typing import NoReturn


def main() -> NoReturn:
    try:
        from askai.cli import main as run  # noqa: PLC0415

        run()
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
