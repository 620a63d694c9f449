"""What the examples of a batch are to be called."""

import numpy as np

from edgefuse.fusion.batch import agreement_labels, fused_labels

NOTHING = 36


def test_what_the_senses_say_together():
    told = np.array([[3, 3, 3], [3, NOTHING, 3], [3, 7, 3], [3, 7, 3], [NOTHING, NOTHING, 5], [-1, -1, 5], [3, -1, 3]])
    present = np.array(
        [[1, 1, 1], [1, 1, 0], [1, 1, 0], [1, 0, 1], [1, 1, 0], [0, 1, 0], [1, 1, 0]],
        dtype=bool,
    )
    assert fused_labels(told, present, NOTHING).tolist() == [3, 3, -1, 3, NOTHING, -1, 3]
    assert agreement_labels(told, present, NOTHING).tolist() == [1, 1, 0, 1, 1, -1, -1]
