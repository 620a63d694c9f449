"""What is worked out of a run: latency, age, news, CPU time and rate."""

from __future__ import annotations

import pytest
from made_runs import MS, moment, paced_run

from edgefuse.bench.runs.run import add_up, flow_from, percepts_hz_from_runs


def test_news_is_from_when_it_was_sensed_to_the_first_percept_that_heeds_it():
    moments = [
        moment(100, 3.0, audio=50),
        moment(200, 3.0, audio=50),  # nothing new
        moment(300, 5.0, audio=250),  # sensed at 250, out at 305
        moment(400, 7.0, audio=399),
    ]
    assert paced_run(moments).news_ms("audio").tolist() == [55.0, 8.0]


def test_the_first_evidence_of_a_run_is_no_news():
    """Nobody knows how long it had been there."""
    assert paced_run([moment(100), moment(200, audio=150), moment(300, audio=250)]).news_ms("audio").tolist() == [53.0]
    assert len(paced_run([moment(100, audio=50)]).news_ms("audio")) == 0


def test_ages_are_of_the_percepts_that_a_sense_took_part_in():
    run = paced_run([moment(100, audio=40, image=100), moment(200, image=200)])
    assert run.ages_ms("audio").tolist() == [60.0]
    assert run.ages_ms("image").tolist() == [0.0, 0.0]
    assert len(run.ages_ms("text")) == 0


def test_cpu_time_is_shared_out_to_the_percepts():
    assert paced_run([moment(0)] * 4, cpu_s=0.1).cpu_per_percept_ms == pytest.approx(25.0)


def test_the_share_of_the_sense_that_lost_most_counts():
    run = paced_run([moment(0)], offered={"image": 100, "audio": 10, "text": 0}, overtaken={"image": 5, "audio": 2})
    assert run.overtaken_share == pytest.approx(0.2)
    assert paced_run([moment(0)]).overtaken_share == 0.0


def test_rates_and_shares_are_over_all_rounds_together():
    runs = [paced_run([moment(0)] * 30, 1.0, 0.3), paced_run([moment(0)] * 10, 3.0, 0.1)]
    assert percepts_hz_from_runs(runs) == pytest.approx(10.0)
    flow = flow_from(runs, ["image"])
    assert flow.cpu_share == pytest.approx(0.1)
    assert flow.cpu_per_percept_ms.rounds == pytest.approx((10.0, 10.0))


def test_a_flow_has_the_stages_of_its_percepts_and_the_ages_of_senses_that_took_part():
    runs = [paced_run([moment(100, 3.0, image=90), moment(200, 6.0, image=180)], overtaken={"image": 1})] * 2
    flow = flow_from(runs, ["image", "audio"])
    assert list(flow.stages_ms) == ["receive", "fuse"]
    assert flow.stages_ms["receive"].mean + flow.stages_ms["fuse"].mean == pytest.approx(flow.latency_ms.mean) == 4.5
    assert list(flow.ages_ms) == ["image"]
    assert flow.ages_ms["image"].p50 == 15.0
    assert flow.overtaken == {"image": 2}
    assert flow.latency_ms.rounds == (4.5, 4.5)


def test_counts_add_up_by_name():
    assert add_up([{"image": 1}, {"audio": 2, "image": 3}, {}]) == {"image": 4, "audio": 2}


def test_latency_is_from_sensed_to_published():
    assert moment(100, 3.5).latency_ms == 3.5
    assert moment(100, 3.5).published_ns == 103.5 * MS
