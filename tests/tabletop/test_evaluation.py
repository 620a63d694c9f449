"""The measuring itself."""

import numpy as np
import pytest

from edgefuse.fusion.checkpoint import Checkpoint
from edgefuse.fusion.prediction import NetworkPredictor
from edgefuse.fusion.tokenizer import token_ids
from edgefuse.tabletop.evaluation import calibration_error, encode, evaluate, late_scores
from edgefuse.tabletop.samples import test_set as make_test_set
from edgefuse.tabletop.vocabulary import LABELS, build_tokenizer


def test_calibration_error():
    sure = np.tile([0.9, 0.1], (10, 1))
    assert np.isclose(calibration_error(sure, np.array([0] * 9 + [1])), 0.0)
    assert np.isclose(calibration_error(sure, np.array([0] * 4 + [1] * 6)), 0.5)


def test_late_fusion_multiplies_what_is_present():
    scores = np.array([[[0.6, 0.4], [0.1, 0.9], [0.99, 0.01]]])
    assert late_scores(scores, ("image", "audio")).argmax() == 1
    assert late_scores(scores, ("image",)).argmax() == 0


@pytest.mark.slow
def test_a_report_of_an_untrained_network_is_whole(network):
    checkpoint = Checkpoint(network, build_tokenizer(), LABELS, {}, network.config)
    report = evaluate(NetworkPredictor(checkpoint), per_class=2)
    assert len(report.rows) == 3 * 7 + 2
    row = report.row("middle", "image", "audio")
    assert row.examples == 62
    assert row.unseen_examples == 12
    assert np.isclose(row.seen, row.seen_late, atol=0.04)
    assert set(row.classes["red ball"]) == {"precision", "recall", "f1", "support"}
    assert "macro avg" in report.row("low", "text").classes
    assert len(report.as_json()["rows"]) == 23
    assert len(report.goals()) == 6
    assert report.table() is not None


def test_texts_are_read_with_the_networks_own_tokenizer(network):
    short = build_tokenizer(4)
    predictor = NetworkPredictor(Checkpoint(network, short, LABELS, {}, network.config))
    some = make_test_set("middle", 2)
    own, built_in = (encode(predictor, some, one)["text"].embedding for one in (short, None))
    np.testing.assert_array_equal(own, predictor.encode("text", token_ids(short, some.texts)).embedding)
    assert (own != built_in).any()
