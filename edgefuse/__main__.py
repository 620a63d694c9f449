"""`edgefuse` and `python -m edgefuse`."""

from edgefuse.border import guard


def main() -> None:
    """Run the command line, see `guard`; its packages are imported within, where Ctrl-C is heeded already."""
    guard(_run_command_line)


def _run_command_line() -> int:
    from edgefuse.cli import run_command_line

    return run_command_line()


if __name__ == "__main__":
    main()
