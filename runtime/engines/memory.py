"""How much memory graphs may take on the CPU: all of them together, from one allocator of ONNX Runtime."""

from __future__ import annotations

import logging
import re
from functools import cache
from typing import Final

from edgefuse.runtime.engines.onnxruntime_package import load_onnxruntime
from edgefuse.runtime.files.limits import GRAPH_BYTES

SHARED: Final = ("session.use_env_allocators", "1")
"""The option of a session that takes its memory from there."""

_EXHAUSTED = re.compile(r"smaller than requested bytes of (\d+)|requested buffer of size (\d+)|bad_alloc")
_log = logging.getLogger(__name__)


@cache
def limit_memory() -> None:
    """Once in a process, before the first session; where the program has such an allocator already, that one stays."""
    package = load_onnxruntime()
    arena = {"max_mem": GRAPH_BYTES.value, "arena_extend_strategy": -1, "initial_chunk_size_bytes": -1}
    info = package.OrtMemoryInfo("Cpu", package.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, package.OrtMemType.DEFAULT)
    try:
        package.create_and_register_allocator(info, package.OrtArenaCfg(arena | {"max_dead_bytes_per_chunk": -1}))
    except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
        _log.debug("graphs take their memory from another allocator: %s", error)


def in_words(said: str) -> str:
    """What ONNX Runtime says of a graph, where that is that its memory is at an end."""
    found = _EXHAUSTED.search(said)
    if found is None:
        return said
    asked = int(found[1] or found[2] or 0)
    at_once = f"{asked:,} bytes at once" if asked else "more memory"
    return f"it needs {at_once}, and graphs may take {GRAPH_BYTES.value:,} bytes ({GRAPH_BYTES.variable} raises that)"
