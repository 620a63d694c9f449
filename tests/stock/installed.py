"""The installation of docs/ros.md on stock machines: `make stock`.

Debian 12 itself, in a folder that is entered by chroot (as root), and stand-ins for Ubuntu's Pythons. Each has to end
with percepts, and with the system's packages as they were.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import debian
import pythons


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="for all that is made, some 3 GB; Debian is used again")
    folder = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    wrong = {f"Ubuntu {each.name}": pythons.check(each, folder / each.name) for each in pythons.UBUNTUS}
    if os.geteuid() == 0:
        wrong["Debian 12"] = debian.check(folder / "bookworm")
    else:
        print("Debian 12: needs root for its chroot, not tried")
    for name, what in wrong.items():
        if what is not None:
            print(f"{name}: {what}", file=sys.stderr)
    sys.exit(any(wrong.values()))


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"make stock: {error}")
