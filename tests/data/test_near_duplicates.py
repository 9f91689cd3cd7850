import cv2
import numpy as np
import pytest

from keras_hpa import ArraySource, load_kaggle, near_duplicate_groups, stratified_split


def _field(seed):
    noise = np.random.default_rng(seed).integers(256, size=(96, 96, 4)).astype("uint8")
    smooth = cv2.GaussianBlur(noise, (0, 0), 6).astype(float)
    return ((smooth - smooth.min()) / np.ptp(smooth) * 255).astype("uint8")


def _again(image, seed):
    """The same field, saved as JPEG with other gain, noise and size."""
    noise = np.random.default_rng(seed).normal(scale=4, size=image.shape)
    darker = np.clip(image * 0.7 + noise, 0, 255).astype("uint8")
    channels = [cv2.imdecode(cv2.imencode(".jpg", darker[..., c])[1], -1) for c in range(4)]
    return cv2.resize(np.stack(channels, -1), (80, 80), interpolation=cv2.INTER_AREA)


def test_what_was_saved_again_is_one_group():
    fields = [_field(seed) for seed in range(12)]
    images = [*fields, _again(fields[3], 0), _again(fields[7], 1), _again(fields[3], 2)]
    groups = near_duplicate_groups(ArraySource(images), verbose=0)
    assert groups.tolist() == [*range(12), 3, 7, 3]
    train, test = stratified_split(np.eye(2, dtype=int)[np.arange(15) % 2], 0.3, groups)
    assert not set(groups[train]) & set(groups[test])


def test_wrong_distance_is_refused():
    with pytest.raises(ValueError, match="`max_distance`"):
        near_duplicate_groups(ArraySource([_field(0)]), max_distance=0.5)


@pytest.mark.real_data
def test_real_fields_are_different(real_data):
    samples = load_kaggle(real_data / "atlas_sample", "test")
    assert near_duplicate_groups(samples, verbose=0).tolist() == list(range(12))


def test_what_is_in_two_sets():
    fields = [_field(seed) for seed in range(4)]
    train, test = ArraySource(fields[:3]), ArraySource([fields[3], _again(fields[1], 0)])
    in_train, in_test = near_duplicate_groups([train, test], verbose=0)
    assert (in_train.tolist(), in_test.tolist()) == ([0, 1, 2], [3, 1])
    with pytest.raises(ValueError, match="as many channels"):
        near_duplicate_groups([train, ArraySource(np.zeros((1, 4, 4, 2), np.uint8))], verbose=0)
