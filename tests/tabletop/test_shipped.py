"""The checkpoint of this repository does what its report says."""

import json

import numpy as np
import pytest

from edgefuse.fusion.checkpoint import load_checkpoint
from edgefuse.fusion.prediction import NetworkPredictor
from edgefuse.fusion.task_record import BuiltInRecord
from edgefuse.fusion.tokenizer import token_ids
from edgefuse.tabletop.samples import test_set as make_test_set
from edgefuse.tabletop.task import SHIPPED


@pytest.fixture(scope="module")
def predictor():
    return NetworkPredictor(load_checkpoint(SHIPPED))


def test_it_says_that_it_is_of_the_tabletop():
    assert load_checkpoint(SHIPPED).task == BuiltInRecord(name="tabletop")


def test_it_is_small_and_its_report_says_how_far_it_meets_the_goals():
    report = json.loads(SHIPPED.with_name("report.json").read_text())
    assert SHIPPED.stat().st_size < 6e6
    missed = {name for name, goal in report["goals"].items() if goal["reached"] < goal["wanted"]}
    assert missed <= {"contradiction, AUC"}
    assert report["contradiction"]["auc"] > 0.96


def test_it_reaches_about_what_the_report_says(predictor):
    report = json.loads(SHIPPED.with_name("report.json").read_text())
    some = make_test_set("middle", 4)
    encoded = {
        "image": predictor.encode("image", some.images),
        "audio": predictor.encode("audio", some.audio),
        "text": predictor.encode("text", some.text_ids),
    }
    prompts = predictor.prompts()
    for senses in (("image",), ("audio",), ("image", "audio")):
        row = next(one for one in report["rows"] if one["condition"] == "middle" and one["senses"] == list(senses))
        guess = predictor.fuse(encoded, senses, prompts)["scores"].argmax(axis=1)
        expected = (row["seen"] * row["examples"] + row["unseen"] * row["unseen_examples"]) / (
            row["examples"] + row["unseen_examples"]
        )
        assert np.mean(guess == some.labels) > expected - 0.12


def test_prompts_in_other_words_find_the_object(predictor):
    some = make_test_set("low", 4).take(np.array([0, 7, 21, 35]))
    texts = ["a scarlet orb", "some tangerine block", "the grene cylnder", "violet star"]
    prompts = predictor.encode("text", token_ids(predictor.checkpoint.tokenizer, texts)).embedding
    encoded = {
        "image": predictor.encode("image", some.images),
        "audio": predictor.encode("audio", some.audio),
        "text": predictor.encode("text", some.text_ids),
    }
    assert predictor.fuse(encoded, ("image", "audio"), prompts)["scores"].argmax(axis=1).tolist() == [0, 1, 2, 3]
