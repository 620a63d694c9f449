"""A size that a bag states is not believed: it is refused in one line, in a moment and in little memory.

Each bag is opened in a process of its own, which may take little more memory than an ordinary one.
"""

import os
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from foreign_bags import HUMBLE_SCHEMA, by_mcap, scene
from fuzzing import is_one_line
from mcap.opcode import Opcode
from mcap.well_known import MessageEncoding, SchemaEncoding
from mcap.writer import MCAP0_MAGIC, Writer
from robot_bags import EPOCH_NS

from edgefuse.runtime.messages.cdr import CdrBuilder

GB = 1 << 30
ABOVE_ORDINARY_MB = 300
OPEN = """
import pathlib, resource, sys
from edgefuse.runtime import StreamError
from edgefuse.runtime.streams.recording import Recording
def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
list(Recording(pathlib.Path(sys.argv[1]), live=False))
ordinary_mb = peak_mb()
try:
    print(len(list(Recording(pathlib.Path(sys.argv[2]), live=False))), "samples")
except StreamError as error:
    print(error)
print(peak_mb() - ordinary_mb)
"""


def record(opcode: int, content: bytes, length: int | None = None) -> bytes:
    return struct.pack("<BQ", opcode, len(content) if length is None else length) + content


def mcap(path: Path, *records: bytes, summary_start: int = 0) -> Path:
    header = record(Opcode.HEADER, struct.pack("<II", 0, 0))
    footer = record(Opcode.FOOTER, struct.pack("<QQI", summary_start, 0, 0))
    ended = record(Opcode.DATA_END, struct.pack("<I", 0))
    path.write_bytes(MCAP0_MAGIC + header + b"".join(records) + ended + footer + MCAP0_MAGIC)
    return path


def chunk(compression: str, size: int, data: bytes) -> bytes:
    name = compression.encode()
    head = struct.pack("<QQQII", 0, 0, size, 0, len(name)) + name
    return record(Opcode.CHUNK, head + struct.pack("<Q", len(data)) + data)


def zeros_zstd(size: int) -> bytes:
    """A frame of zeros, in blocks that repeat one byte (RLE): a few KB for a gigabyte."""
    block = struct.pack("<I", (1 << 17) << 3 | 1 << 1)[:3] + b"\0"
    last = struct.pack("<I", (1 << 17) << 3 | 1 << 1 | 1)[:3] + b"\0"
    head = b"\x28\xb5\x2f\xfd" + b"\xe0" + struct.pack("<Q", size)
    return head + block * (size // (1 << 17) - 1) + last


def zeros_lz4(size: int) -> bytes:
    packer = lz4.frame.LZ4FrameCompressor(block_size=lz4.frame.BLOCKSIZE_MAX4MB)
    piece = bytes(1 << 22)
    parts = [packer.begin(size)] + [packer.compress(piece) for _ in range(size >> 22)]
    return b"".join([*parts, packer.flush()])


def of_definition(path: Path, type_name: str, definition: str, data: bytes, topic: str = "/camera") -> Path:
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start()
        schema = writer.register_schema(type_name, SchemaEncoding.ROS2, definition.encode())
        channel = writer.register_channel(topic, MessageEncoding.CDR, schema)
        for n in range(3):
            writer.add_message(channel, EPOCH_NS + n, data, EPOCH_NS + n)
        writer.finish()
    return path


def doubling(path: Path) -> Path:
    """Each message has two of the next: 2**26 of one byte."""
    parts = [f"{'=' * 80}\nMSG: a_msgs/L{n}\na_msgs/L{n + 1} a\na_msgs/L{n + 1} b\n" for n in range(26)]
    text = "a_msgs/L0 header\nstring format\nuint8[] data\n" + "".join(parts) + f"{'=' * 80}\nMSG: a_msgs/L26\nbool x\n"
    return of_definition(path, "sensor_msgs/msg/CompressedImage", text, bytes(4) + bytes(1 << 26))


def endless(path: Path) -> Path:
    text = "sensor_msgs/CompressedImage header\nstring format\nuint8[] data\n"
    text += f"{'=' * 80}\nMSG: sensor_msgs/CompressedImage\nsensor_msgs/CompressedImage header\n"
    return of_definition(path, "sensor_msgs/msg/CompressedImage", text, bytes(100))


def many_objects(path: Path) -> Path:
    text = "a_msgs/One[] header\nstring format\nuint8[] data\n" + f"{'=' * 80}\nMSG: a_msgs/One\nbool x\n"
    data = struct.pack("<4sI", b"\0\1\0\0", 1 << 26) + bytes(1 << 26)
    return of_definition(path, "sensor_msgs/msg/CompressedImage", text, data)


def many_numbers(path: Path) -> Path:
    text = "std_msgs/Header header\nfloat64 sample_rate\nuint32 channels\nuint64 index\nuint64 gap\nfloat32[] data\n"
    data = bytes(64) + bytes(1 << 25)
    return of_definition(path, "edgefuse_msgs/msg/Signal", text, data)


def texts_of(path: Path, length: int, there: bytes) -> Path:
    return of_definition(
        path, "std_msgs/msg/String", "string data", struct.pack("<4sI", b"\0\1\0\0", length) + there, "/text"
    )


def many_topics(path: Path) -> Path:
    """10,000 types of 64 KB each: 650 MB in 100 KB; the format has room for 65,535."""
    parts = []
    for first in range(1, 10_000, 2000):
        schemas = [
            record(Opcode.SCHEMA, struct.pack("<HI", n, 4) + b"a/b/c"[:4] + struct.pack("<I", 4) + b"json" +
                   struct.pack("<I", 1 << 16) + bytes(1 << 16))
            for n in range(first, first + 2000)
        ]  # fmt: skip
        plain = b"".join(schemas)
        parts.append(chunk("zstd", len(plain), zstandard.compress(plain)))
    return mcap(path, *parts)


MCAPS = {
    "a record of 2**63": lambda path: mcap(path, record(Opcode.CHUNK, b"", 1 << 63)),
    "a record of 2**64 - 1": lambda path: mcap(path, record(Opcode.MESSAGE, b"", (1 << 64) - 1)),
    "a chunk that says 2**62": lambda path: mcap(path, chunk("zstd", 1 << 62, zeros_zstd(1 << 20))),
    "a chunk that says 2**62, lz4": lambda path: mcap(path, chunk("lz4", 1 << 62, zeros_lz4(1 << 22))),
    "a bomb of zstd": lambda path: mcap(path, chunk("zstd", 8 * GB, zeros_zstd(8 * GB))),
    "a bomb of zstd that says it is small": lambda path: mcap(path, chunk("zstd", 1000, zeros_zstd(8 * GB))),
    "a bomb of lz4": lambda path: mcap(path, chunk("lz4", GB, zeros_lz4(GB))),
    "a bomb of lz4 that says it is small": lambda path: mcap(path, chunk("lz4", 1000, zeros_lz4(GB))),
    "a summary that is a bomb": lambda path: mcap(path, chunk("zstd", 8 * GB, zeros_zstd(8 * GB)), summary_start=25),
    "an attachment of 2**62": lambda path: mcap(path, record(Opcode.ATTACHMENT, bytes(100), 1 << 62), summary_start=25),
    "types without number": many_topics,
    "messages in messages, doubling": doubling,
    "messages in messages, endless": endless,
    "a list of messages": many_objects,
    "numbers that become objects": many_numbers,
    "a text of 2**32 - 1": lambda path: texts_of(path, (1 << 32) - 1, b"the red ball"),
    "a text that is longer than its message": lambda path: texts_of(path, 13, b"the red"),
    "a text of 32 MB": lambda path: texts_of(path, 1 << 25, bytes(1 << 25)),
    "a file that is nothing but hole": lambda path: sparse(path),
}  # fmt: skip


def sparse(path: Path) -> Path:
    mcap(path, record(Opcode.CHUNK, b"", 1 << 40))
    os.truncate(path, 1 << 41)
    return path


def database(path: Path, *statements: str) -> Path:
    with sqlite3.connect(path) as made:
        made.executescript(HUMBLE_SCHEMA)
        made.execute("INSERT INTO topics VALUES (1, '/text', 'std_msgs/msg/String', 'cdr', '')")
        message = CdrBuilder().string("the red ball").content
        made.execute("INSERT INTO messages VALUES (1, 1, ?, ?)", (EPOCH_NS, message))
        for statement in statements:
            made.execute(statement)
    made.close()
    return path


def going_round(path: Path) -> Path:
    """A table whose pages name the same page again and again: 400 ** 10 rows in 40 KB."""
    with sqlite3.connect(path) as made:
        made.executescript("PRAGMA page_size = 4096;" + HUMBLE_SCHEMA)
        made.execute("INSERT INTO topics VALUES (1, '/text', 'std_msgs/msg/String', 'cdr', '')")
        rows = ((n, EPOCH_NS, b"x" * 900) for n in range(1, 2000))
        made.executemany("INSERT INTO messages VALUES (?, 2, ?, ?)", rows)
        (root,) = made.execute("SELECT rootpage FROM sqlite_master WHERE name = 'messages'").fetchone()
        made.execute("DROP INDEX timestamp_idx")
    made.close()
    content = bytearray(path.read_bytes())
    pages = range(root + 1, root + 12)
    for page, following in zip([root, *pages], pages, strict=False):
        at = (page - 1) * 4096
        cells = 400
        pointers = b"".join(struct.pack(">H", 4096 - 5 * (n + 1)) for n in range(cells))
        head = struct.pack(">BHHHBI", 5, 0, cells, 4096 - 5 * cells, 0, following) + pointers
        body = b"".join(struct.pack(">IB", following, n % 127 + 1) for n in reversed(range(cells)))
        content[at : at + 4096] = head + bytes(4096 - len(head) - len(body)) + body
    path.write_bytes(content)
    return path


VIEW = (
    "CREATE VIEW messages AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) "
    "SELECT id, 1 AS topic_id, 1 AS timestamp, zeroblob(1000000) AS data FROM n"
)
DATABASES = {
    "messages that a view makes up": lambda path: database(path, "DROP TABLE messages", VIEW),
    "messages that a view of another case makes up": lambda path: database(
        path, "DROP TABLE messages", VIEW.replace("messages", "MESSAGES")
    ),
    "topics that a view makes up": lambda path: database(
        path, "DROP TABLE topics",
        "CREATE VIEW topics AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) "
        "SELECT id, 'a' AS name, 'a' AS type, 'cdr' AS serialization_format FROM n",
    ),
    "data that are computed": lambda path: database(
        path, "DROP TABLE messages",
        "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, "
        "data BLOB GENERATED ALWAYS AS (zeroblob(900000000)))",
        "INSERT INTO messages (id, topic_id, timestamp) VALUES (1, 1, 1)",
    ),
    "a blob of 900 MB": lambda path: database(
        path, f"INSERT INTO messages VALUES (2, 1, {EPOCH_NS}, zeroblob(900000000))"
    ),
    "a name of 100 MB": lambda path: database(path, "UPDATE topics SET name = printf('%.*c', 100000000, 'x')"),
    "rows that go round in circles": going_round,
}  # fmt: skip


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory) -> Path:
    return by_mcap(tmp_path_factory.mktemp("bags") / "ordinary", scene())


@pytest.mark.parametrize("kind", [*MCAPS, *DATABASES])
def test_what_a_bag_says_of_its_sizes_is_not_believed(kind, ordinary, tmp_path):
    path = MCAPS[kind](tmp_path / "a.mcap") if kind in MCAPS else DATABASES[kind](tmp_path / "a.db3")
    done = subprocess.run(
        [sys.executable, "-c", OPEN, ordinary, path], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said, above_mb = done.stdout.strip().rsplit("\n", 1)
    assert is_one_line(said), said
    assert str(path) in said, said
    assert int(above_mb) < ABOVE_ORDINARY_MB, f"{above_mb} MB: {said}"
