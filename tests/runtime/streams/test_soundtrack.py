"""Blocks of sound as they come from ROS topics and recordings, made into one track."""

import numpy as np
import pytest

from edgefuse.runtime import SampleError
from edgefuse.runtime.messages.ros_sounds import Sound
from edgefuse.runtime.streams.soundtrack import Soundtrack

MS = 1_000_000
RATE_HZ = 16_000


def block(index: int | None, samples: int = 320) -> Sound:
    return Sound(np.zeros((samples, 1), np.float32), RATE_HZ, index)


def indices(*blocks: tuple[int | None, int]) -> list[int]:
    track = Soundtrack(RATE_HZ, "audio")
    return [track.chunk(block(index), stamp_ms * MS).index for index, stamp_ms in blocks]


def test_an_index_is_kept():
    assert indices((0, 0), (320, 20), (960, 60)) == [0, 320, 960]


def test_a_microphone_that_was_started_again_goes_on_where_the_stamps_say():
    assert indices((0, 0), (320, 20), (0, 1040), (320, 1060)) == [0, 320, 320 + 16_320, 640 + 16_320]


def test_a_block_that_comes_twice_is_not_taken_for_a_new_beginning():
    track = Soundtrack(RATE_HZ, "audio")
    assert [track.chunk(block(index), index * 62_500).index for index in (0, 320)] == [0, 320]
    with pytest.raises(SampleError, match="has the last one's stamp"):
        track.chunk(block(320), 20 * MS)
    assert track.chunk(block(640), 40 * MS).index == 640
