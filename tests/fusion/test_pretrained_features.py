"""What the graphs compute is what transformers' own feature extractors compute."""

import cv2
import numpy as np
import pytest
import torch
from transformers import ASTFeatureExtractor, Wav2Vec2FeatureExtractor, WhisperFeatureExtractor

from edgefuse.fusion.pretrained.features import KaldiLogMel, NormalizedImage, Waveform, WhisperLogMel

MEAN, DEVIATION = -4.2677393, 4.5689974
"""Of AST on AudioSet."""


@pytest.fixture(scope="module")
def sounds():
    """Noise; a chirp with an offset; hardly any sound: float32 (3, 25600)."""
    rng = np.random.default_rng(0)
    time_s = np.arange(25_600) / 16_000
    chirp = 0.3 * np.sin(2 * np.pi * 440 * time_s * (1 + time_s)) + 0.05
    return np.stack([rng.normal(0, 0.1, 25_600), chirp, rng.normal(0, 1e-4, 25_600)]).astype(np.float32)


def of(features, sounds):
    return features(torch.from_numpy(sounds)).numpy()


def test_the_waveform_of_wav2vec2(sounds):
    expected = np.stack(Wav2Vec2FeatureExtractor()(list(sounds), sampling_rate=16_000).input_values)
    np.testing.assert_allclose(of(Waveform(normalized=True), sounds), expected, atol=1e-5)
    assert (of(Waveform(normalized=False), sounds) == sounds).all()


@pytest.mark.parametrize(("bands", "length"), [(128, 1024), (64, 100)])
def test_the_log_mel_of_ast_padded_and_cut(sounds, bands, length):
    extractor = ASTFeatureExtractor(num_mel_bins=bands, max_length=length)
    expected = np.stack(extractor(list(sounds), sampling_rate=16_000).input_values)
    found = of(KaldiLogMel(bands, length, MEAN, DEVIATION), sounds)
    assert found.shape == expected.shape == (3, length, bands)
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize(("bands", "seconds"), [(80, 30), (128, 30), (80, 2)])
def test_the_log_mel_of_whisper_with_silence_after_it(sounds, bands, seconds):
    extractor = WhisperFeatureExtractor(feature_size=bands, chunk_length=seconds)
    expected = np.stack(extractor(list(sounds), sampling_rate=16_000).input_features)
    found = of(WhisperLogMel(bands, seconds * 100), sounds)
    assert found.shape == expected.shape == (3, bands, seconds * 100)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_the_image_is_resized_and_normalised_by_channel():
    rng = np.random.default_rng(1)
    frame = cv2.GaussianBlur(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8), (0, 0), 3)
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    found = NormalizedImage((30, 40), mean, deviation)(torch.from_numpy(frame)[None])[0].numpy()
    expected = (cv2.resize(frame, (40, 30), interpolation=cv2.INTER_AREA) / 255 - mean) / deviation
    np.testing.assert_allclose(found, expected.transpose(2, 0, 1), atol=0.02)
