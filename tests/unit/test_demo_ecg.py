"""The demo's ECG: what is found in the recordings that it makes."""

from random import Random

import pytest

from demo import ecg


@pytest.mark.parametrize("rhythm", ecg.RHYTHMS[1:])
def test_a_rhythm_is_found_in_most_of_its_recordings(rhythm: str) -> None:
    rng = Random(7)
    found = [ecg.analyse(ecg.smooth(ecg.synthesise(rhythm, rng))).anomalies for _ in range(40)]
    assert sum(any(a.anomaly_type == rhythm for a in anomalies) for anomalies in found) >= 30


def test_nothing_is_found_in_normal_recordings() -> None:
    rng = Random(7)
    recordings = [ecg.synthesise("normal", rng) for _ in range(40)]
    assert {ecg.analyse(ecg.smooth(samples)).anomalies for samples in recordings} == {()}


def test_the_heart_rate_is_in_beats_per_minute() -> None:
    analysis = ecg.analyse(ecg.smooth(ecg.synthesise("normal", Random(7))))
    assert 60 <= analysis.heart_rate <= 90
