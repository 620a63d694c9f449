"""What came to nothing is counted, and each new kind of it said once."""

from edgefuse.runtime.errors import SampleError
from edgefuse.runtime.senses.drops import Drops, Kinds


def test_each_kind_is_new_once_whatever_its_numbers():
    drops = Drops(["image", "audio"])
    first = drops.refuse("image", SampleError("says 4x4 in rows of 12 bytes, but holds 47 bytes"))
    same = drops.refuse("image", SampleError("says 8x4 in rows of 24 bytes, but holds 1 bytes"))
    other = drops.refuse("image", SampleError("is a damaged JPEG"))
    elsewhere = drops.refuse("audio", SampleError("is a damaged JPEG"))
    assert [first, same, other, elsewhere] == [True, False, True, True]
    assert drops.as_dict() == {"image": {"malformed": 3}, "audio": {"malformed": 1}}


def test_kinds_without_end_are_not_all_said():
    kinds = Kinds()
    assert sum(kinds.is_new("x" * n) for n in range(1000)) == 20
