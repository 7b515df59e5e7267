"""ECG of the demo: anomalies found in generated recordings."""

from random import Random

import pytest

from demo import ecg


@pytest.mark.parametrize("rhythm", ecg.RHYTHMS[1:])
def test_analyse_finds_each_rhythm_in_most_recordings(rhythm: str) -> None:
    rng = Random(7)
    found = [ecg.analyse(ecg.smooth(ecg.synthesise(rhythm, rng))).anomalies for _ in range(40)]
    assert sum(any(a.anomaly_type == rhythm for a in anomalies) for anomalies in found) >= 30


def test_analyse_normal_recording_finds_nothing() -> None:
    rng = Random(7)
    recordings = [ecg.synthesise("normal", rng) for _ in range(40)]
    assert {ecg.analyse(ecg.smooth(samples)).anomalies for samples in recordings} == {()}


def test_analyse_heart_rate_is_in_beats_per_minute() -> None:
    analysis = ecg.analyse(ecg.smooth(ecg.synthesise("normal", Random(7))))
    assert 60 <= analysis.heart_rate <= 90
