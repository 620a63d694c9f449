"""The front ends against independent NumPy and OpenCV."""

import cv2
import numpy as np
import pytest
import torch

from edgefuse.fusion.features import AudioFeatures, ImageFeatures


def reference_log_mel(pcm, hop):
    """Framing, FFT and HTK mel filters, written out."""
    silence = np.zeros((400 - hop) // 2)
    padded = np.concatenate([silence, pcm, silence])
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.stack([padded[start : start + 400] * window for start in range(0, len(padded) - 399, hop)])
    power = np.abs(np.fft.rfft(frames)) ** 2
    low, high = 2595 * np.log10(1 + np.array([60.0, 8000.0]) / 700)
    corners = 700 * (10 ** (np.linspace(low, high, 50) / 2595) - 1)
    bins = np.arange(201) * 40.0
    filters = np.zeros((48, 201))
    for band in range(48):
        left, middle, right = corners[band : band + 3]
        filters[band] = np.interp(bins, [left, middle, right], [0, 1, 0])
    filters /= np.maximum(filters.sum(axis=1, keepdims=True), 1e-9)
    return np.log(filters @ power.T + 1e-5)


@pytest.mark.parametrize(("hop", "frames"), [(200, 128), (160, 160), (175, 146)])
def test_log_mel_and_mfcc_equal_a_plain_numpy_computation(hop, frames):
    pcm = np.random.default_rng(0).normal(0, 0.2, 25_600).astype(np.float32)
    expected = reference_log_mel(pcm.astype(np.float64), hop)
    n = np.arange(48)
    dct = np.sqrt(2 / 48) * np.cos(np.pi * n[:, None] * (2 * n[None, :] + 1) / 96)
    dct[0] /= np.sqrt(2)
    for kind, wanted in (("log_mel", expected), ("mfcc", dct @ expected)):
        got = AudioFeatures(kind, 16_000, 400, hop, 48)(torch.from_numpy(pcm)[None])[0].numpy()
        assert got.shape == (48, frames)
        np.testing.assert_allclose(got, wanted, atol=2e-3)


def test_silence_has_finite_features():
    assert AudioFeatures("mfcc", 16_000, 400, 200, 48)(torch.zeros(1, 25_600)).isfinite().all()


def test_a_frame_of_any_size_becomes_the_networks_size():
    features = ImageFeatures((96, 128))
    for rows, columns in ((96, 128), (240, 320), (480, 640), (17, 501)):
        out = features(torch.full((1, rows, columns, 3), 255, dtype=torch.uint8))
        assert out.shape == (1, 3, 96, 128)
        assert torch.allclose(out, torch.tensor(2.0))


def test_the_resize_is_bilinear_to_the_double_size_and_a_mean():
    frame = np.random.default_rng(1).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    doubled = cv2.resize(frame.astype(np.float32), (256, 192), interpolation=cv2.INTER_LINEAR)
    expected = doubled.reshape(96, 2, 128, 2, 3).mean(axis=(1, 3)) / 63.75 - 2
    got = ImageFeatures((96, 128))(torch.from_numpy(frame)[None])[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(got, expected, atol=1e-3)


def test_trainings_shortcut_is_the_same_arithmetic():
    frames = torch.randint(0, 256, (3, 96, 128, 3), dtype=torch.uint8)
    features = ImageFeatures((96, 128))
    assert torch.allclose(features(frames), features.same_size(frames), atol=1e-5)
