"""What processes hold in shared memory for Fast DDS."""

from __future__ import annotations

from pathlib import Path


def segments() -> set[str]:
    """All files that are there, of whatever process."""
    return {str(path) for path in Path("/dev/shm").glob("fast*")}


def segments_mb(pid: int | str) -> dict[str, float]:
    """The files that a process has mapped, its own and those of others that it hears; how much each holds."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    mapped = {line.split()[-1] for line in lines if "/dev/shm/fast" in line}
    return {path: Path(path).stat().st_blocks * 512 / 1e6 for path in mapped if Path(path).exists()}
