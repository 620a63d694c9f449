"""`edgefuse` and `python -m edgefuse`."""

import sys

_INTERRUPTED = 130  # as a shell says of a program ended by Ctrl-C


def main() -> None:
    """Run the command line; Ctrl-C ends it without a traceback, also while its packages are still being imported."""
    try:
        from edgefuse.cli import main as run_command_line

        run_command_line()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
