"""What lies in a cache is believed only as this user sealed it; anything else is made anew, and never read."""

import json
import os
from pathlib import Path

import pytest

from edgefuse.runtime.files.sealed_cache import SealedCache

NOBODY = 65534
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def fill(entry: Path) -> None:
    (entry / "a.bin").write_bytes(b"first" * 100)
    (entry / "b.bin").write_bytes(b"second" * 100)


def read(entry: Path) -> bytes:
    return (entry / "a.bin").read_bytes() + (entry / "b.bin").read_bytes()


@pytest.fixture
def cache(tmp_path: Path) -> SealedCache:
    cache = SealedCache(tmp_path / "edgefuse" / "things")
    cache.save("key", fill)
    return cache


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def link(path: Path) -> None:
    """The same content, that lies where somebody else may change it."""
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def plant(entry: Path, key: str = "key") -> None:
    """What another wrote, with a seal that fits it."""
    (entry / "a.bin").write_bytes(b"wrong")
    SealedCache(entry.parent).save(key, lambda made: fill(made) or ((made / "a.bin").write_bytes(b"wrong") and None))


DAMAGE = {
    "a bit of the first": lambda entry: flip(entry / "a.bin"),
    "a bit of the second": lambda entry: flip(entry / "b.bin"),
    "a bit of the seal": lambda entry: flip(entry / "seal.json"),
    "cut": lambda entry: os.truncate(entry / "a.bin", 3),
    "grown": lambda entry: (entry / "a.bin").write_bytes((entry / "a.bin").read_bytes() + b"\0"),
    "one gone": lambda entry: (entry / "b.bin").unlink(),
    "one more": lambda entry: (entry / "c.bin").write_bytes(b""),
    "no seal": lambda entry: (entry / "seal.json").unlink(),
    "an empty seal": lambda entry: (entry / "seal.json").write_text("{}"),
    "a seal of nothing": lambda entry: (entry / "seal.json").write_text(json.dumps({"key": "key", "sha256": {}})),
    "a seal that is a list": lambda entry: (entry / "seal.json").write_text("[]"),
    "a seal that is a directory": lambda entry: ((entry / "seal.json").unlink(), (entry / "seal.json").mkdir()),
    "a linked file": lambda entry: link(entry / "a.bin"),
    "a linked seal": lambda entry: link(entry / "seal.json"),
    "a linked entry": link,
    "a pipe": lambda entry: ((entry / "a.bin").unlink(), os.mkfifo(entry / "a.bin")),
    "a file that others may write": lambda entry: (entry / "a.bin").chmod(0o666),
    "a file that the group may write": lambda entry: (entry / "a.bin").chmod(0o660),
    "an entry that others may write": lambda entry: entry.chmod(0o777),
    "a file for an entry": lambda entry: (entry.rename(entry.with_name("moved")), entry.write_bytes(b"x")),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_was_not_sealed_so_is_not_read_and_can_be_made_again(cache, damage):
    assert cache.load("key", read) == b"first" * 100 + b"second" * 100
    damage(cache.directory / "key")
    assert cache.load("key", lambda entry: pytest.fail("it was read")) is None
    cache.save("key", fill)
    assert cache.load("key", read) == b"first" * 100 + b"second" * 100


def test_an_entry_of_another_key_is_not_read(cache):
    cache.save("other", lambda entry: (entry / "a.bin").write_bytes(b"wrong") and None)
    (cache.directory / "key").rename(cache.directory / "away")
    (cache.directory / "other").rename(cache.directory / "key")
    assert cache.load("key", read) is None


@AS_ROOT
@pytest.mark.parametrize("place", ["key", "key/a.bin", "key/seal.json"])
def test_what_another_user_planted_is_not_read(cache, place):
    os.chown(cache.directory / place, NOBODY, NOBODY)
    assert cache.load("key", lambda entry: pytest.fail("it was read")) is None


def give_away(path: Path) -> None:
    os.chown(path, NOBODY, -1)


@pytest.mark.parametrize("opened", [lambda path: path.chmod(0o777), pytest.param(give_away, marks=AS_ROOT)])
@pytest.mark.parametrize("up", [0, 1])
def test_a_directory_that_is_open_to_others_is_left_alone(cache, opened, up):
    opened([cache.directory, cache.directory.parent][up])
    assert cache.load("key", lambda entry: pytest.fail("it was read")) is None
    with pytest.raises(OSError, match=r"others may write to|belongs to another user"):
        cache.save("new", lambda entry: pytest.fail("it was written"))
    assert (cache.directory / "key" / "seal.json").is_file()


def test_what_cannot_be_loaded_is_dropped(cache):
    def fail(entry: Path) -> None:
        raise RuntimeError("not a graph\nof ours")

    assert cache.load("key", fail) is None
    assert not (cache.directory / "key").exists()
    assert cache.load("key", read) is None


def test_nothing_is_left_of_an_entry_whose_making_failed(cache):
    with pytest.raises(ZeroDivisionError):
        cache.save("new", lambda entry: (fill(entry), 1 / 0))
    assert [path.name for path in cache.directory.iterdir()] == ["key"]


def test_what_is_kept_is_for_this_user_alone(cache):
    assert (cache.directory / "key").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (cache.directory / "key").iterdir()} == {0o600}
