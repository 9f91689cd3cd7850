"""Masks that are none are refused, and the message names the sample."""

import numpy as np
import pytest
from PIL import Image

import keras_hpa
from keras_hpa.cells import CellCrops
from tests.cells.fields import field_of_rectangles

_SHAPE = (40, 50)


@pytest.fixture
def samples():
    image, _ = field_of_rectangles()
    return keras_hpa.Samples(keras_hpa.ArraySource([image, image], ["good", "bad"]))


def _good():
    return field_of_rectangles()[1]


def _two_pieces():
    mask = _good()
    mask[:2, :2] = mask[-2:, -2:] = 900
    return mask


def _all_in_one():
    return ((_good() > 0) * 255).astype(np.uint8)


_WRONG = {
    "another size": (_good()[:-1], r"must have the size of its image, 40 x 50\. Received: 39 x 50"),
    "turned": (_good().T, r"40 x 50; its axes are exchanged\. Received: 50 x 40"),
    "two pieces": (_two_pieces(), r"`pieces='largest'` takes the largest.*Received: label 900 in 2 pieces"),
    "all cells as one": (_all_in_one(), r"where all cells have one label, `skimage.measure.label`.* label 255 in"),
    "floats": (_good().astype("float32"), r"whole numbers.*probabilities.*Received: float32"),
    "booleans": (_good() > 0, r"which pixel is of which cell.*skimage\.measure\.label.*Received: True and False"),
    "negative": (_good().astype("int32") - 1, r"no negative label\. Received: -1"),
    "beyond whole numbers": (_good().astype("uint64") * np.uint64(2**62), r"labels below 2 \*\* 63\. Received: "),
    "several channels": (np.stack([_good()] * 3, axis=-1), r"outlines and overlays.*Received: shape \(40, 50, 3\)"),
    "several planes": (np.stack([_good()] * 4), r"shape \(height, width\).*Received: shape \(4, 40, 50\)"),
    "nothing at all": (None, r"`masks` must have a mask for every sample\. Received: none under its id for sample"),
    "what a function gave whole": ((_good(), {}), r"the first thing that Cellpose and StarDist return.*tuple"),
    "texts": (np.full(_SHAPE, "1"), r"must hold whole numbers"),
    "no pixels": (np.zeros((0, 0), "uint8"), r"Received: shape \(0, 0\)"),
}


@pytest.mark.parametrize("wrong", _WRONG)
def test_wrong_arrays(samples, wrong):
    mask, message = _WRONG[wrong]
    with pytest.raises(ValueError, match=message) as raised:
        CellCrops(samples, {"good": _good(), "bad": mask}, size=16)
    assert "sample 'bad'" in str(raised.value)
    if mask is not None:
        with pytest.raises(ValueError, match="sample 'bad'"):
            CellCrops(samples, [_good(), mask], size=16)
        masks = iter([_good(), mask])
        with pytest.raises(ValueError, match="sample 'bad'"):
            CellCrops(samples, lambda image: next(masks), size=16)


def test_more_cells_than_a_mask_can_number():
    samples = keras_hpa.Samples(keras_hpa.ArraySource(np.zeros((1, 256, 257, 1), "uint8"), ["bad"]))
    mask = np.arange(256 * 257, dtype="uint32").reshape(1, 256, 257)
    with pytest.raises(ValueError, match=r"sample 'bad' must have at most 65535 cells\. Received: 65791"):
        CellCrops(samples, mask, size=16)


def _overlay():
    return np.stack([_good() * 20, 200 - _good() * 20, np.full(_SHAPE, 90)], axis=-1).astype(np.uint8)


def _write(path, wrong):
    if wrong == "pickled":
        np.save(path, {"masks": _good()}, allow_pickle=True)
    elif wrong == "damaged":
        Image.fromarray(_good()).save(path)
        path.write_bytes(path.read_bytes()[:-30])
    elif wrong == "overlay":
        Image.fromarray(_overlay()).save(path)
    elif wrong == "stack":
        pages = [Image.fromarray(_good())] * 2
        pages[0].save(path, save_all=True, append_images=pages[1:])
    elif wrong == "floats":
        np.save(path, _good().astype(float))
    elif wrong == "JPEG":
        Image.fromarray(_good().astype(np.uint8)).save(path)


_WRONG_FILES = {
    "pickled": ("bad_seg.npy", r"pickled object, which is never loaded.*np\.save\('masks\.npy'"),
    "damaged": ("bad_cp_masks.png", "Cannot read"),
    "overlay": ("bad_cp_masks.png", "it must hold one channel, but its colours differ"),
    "stack": ("bad_cp_masks.tif", "it must hold one channel, but has shape"),
    "floats": ("bad_masks.npy", "must hold whole numbers"),
    "missing": ("", r"found by its id; the folder has \['good_cp_masks.png', 'notes.txt'\]\. Received: no file in"),
    "JPEG": ("bad_mask.jpg", "the folder has"),
}


@pytest.mark.parametrize("wrong", _WRONG_FILES)
def test_wrong_files(samples, tmp_path, wrong):
    Image.fromarray(_good()).save(tmp_path / "good_cp_masks.png")
    (tmp_path / "notes.txt").write_text("Masks of Tuesday")
    name, message = _WRONG_FILES[wrong]
    if name:
        _write(tmp_path / name, wrong)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as raised:
        CellCrops(samples, tmp_path, size=16)
    assert "sample 'bad'" in str(raised.value)
    masks = {"good": tmp_path / "good_cp_masks.png", "bad": tmp_path / (name or "missing.png")}
    with pytest.raises((ValueError, FileNotFoundError), match="sample 'bad'"):
        CellCrops(samples, masks, size=16)


def test_two_masks_of_one_sample(samples, tmp_path):
    for name in ("good_cp_masks.png", "bad_cp_masks.png", "bad_cp_masks.tif"):
        Image.fromarray(_good()).save(tmp_path / name)
    with pytest.raises(ValueError, match=r"'\{id\}_cp_masks.png'. Received: .*bad_cp_masks.tif'\] for sample 'bad'"):
        CellCrops(samples, tmp_path, size=16)
    assert len(CellCrops(samples, f"{tmp_path}/{{id}}_cp_masks.png", size=16)) == 2 * len(np.unique(_good())[1:])


def test_a_mask_without_its_image_is_told(samples, tmp_path, caplog):
    for name in ("good", "bad", "stranger"):
        Image.fromarray(_good()).save(tmp_path / f"{name}_cellmask.png")
    assert CellCrops(samples, tmp_path, size=16).unused_masks == ("stranger_cellmask.png",)
    given = {"good": _good(), "bad": _good(), "stranger": _good()}
    assert CellCrops(samples, given, size=16).unused_masks == ("stranger",)
    told = [record.message for record in caplog.records]
    assert told[0] == "1 masks belong to no sample, the first of them 'stranger_cellmask.png'"


def test_an_empty_mask_is_a_field_without_cells(samples, caplog):
    crops = CellCrops(samples, [_good(), np.zeros(_SHAPE, "uint8")], size=16)
    assert crops.fields_without_cells == ("bad",)
    assert set(crops.metadata["field"]) == {"good"}
    assert [record.message for record in caplog.records] == [
        "1 fields have no cells, the first of them sample 'bad'",
    ]
    with pytest.raises(ValueError, match=r"`masks` must show a cell in one field at least\. Received: none in 2"):
        CellCrops(samples, np.zeros((2, *_SHAPE), "uint8"), size=16)


def test_ids_do_not_lead_out_of_the_folder(tmp_path):
    outside, masks = tmp_path / "secret_cp_masks.png", tmp_path / "masks"
    masks.mkdir()
    Image.fromarray(_good()).save(outside)
    image, _ = field_of_rectangles()
    samples = keras_hpa.Samples(keras_hpa.ArraySource([image], ["../secret"]))
    for folder in (masks, masks / "{id}_cp_masks.png"):
        with pytest.raises(FileNotFoundError, match=r"the folder is empty\. Received: no file in"):
            CellCrops(samples, folder, size=16)
    (masks / "link_cp_masks.png").symlink_to(outside)
    with pytest.raises(ValueError, match=r"sample 'link'.*must lie below `root`, links included"):
        CellCrops(keras_hpa.Samples(keras_hpa.ArraySource([image], ["link"])), masks, size=16)


def test_a_mask_that_changes_is_noticed(samples, tmp_path):
    for name in ("good", "bad"):
        Image.fromarray(_good()).save(tmp_path / f"{name}_cp_masks.png")
    crops = CellCrops(samples, tmp_path, size=16, outside="zero")
    changed = _good()
    changed[changed == 1] = 0
    Image.fromarray(changed).save(tmp_path / "bad_cp_masks.png")
    with pytest.raises(ValueError, match=r"'bad' must be the one that the crops were made from\. Received: label 1"):
        crops.read(crops.ids.index("bad/1"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "`size` must be"),
        ({"size": 16, "margin": 8}, "`margin` must be pixels, less than half"),
        ({"size": 16, "margin": 0.5}, "`margin` must be pixels"),
        ({"size": 16, "outside": "black"}, r"`outside` must be one of \['keep', 'zero'\]"),
        ({"size": 16, "border": "cut"}, "`border` must be one of"),
        ({"size": 16, "pieces": "all"}, "`pieces` must be one of"),
        ({"size": 16, "pixel_size": -1}, "`pixel_size` must be micrometres"),
        ({"size": 16, "pixel_size": 0.2}, "`pixel_size` must be known of every field.*None for sample 'good'"),
    ],
)
def test_wrong_arguments(samples, arguments, message):
    with pytest.raises(ValueError, match=message):
        CellCrops(samples, [_good(), _good()], **arguments)


def test_samples_that_are_no_masks(samples):
    with pytest.raises(ValueError, match=r"Received: none in <1 samples.* for sample 'bad'"):
        CellCrops(samples, samples[["good"]], size=16)
    with pytest.raises(ValueError, match=r"sample '(good|bad)' must have shape \(height, width\)"):
        CellCrops(samples, samples, size=16)
    masks = keras_hpa.ArraySource(np.stack([_good()] * 3)[..., None], ["good", "bad", "stranger"])
    assert CellCrops(samples, masks, size=16).unused_masks == ("stranger",)


def test_masks_that_are_none_of_the_kinds(samples, tmp_path):
    with pytest.raises(TypeError, match=r"`masks` must be a folder"):
        CellCrops(samples, 5, size=16)
    with pytest.raises(ValueError, match=r"`masks` must be 2, one per sample.*Received: 1"):
        CellCrops(samples, [_good()], size=16)
    with pytest.raises(FileNotFoundError, match=r"`masks` must be a folder"):
        CellCrops(samples, tmp_path / "nowhere", size=16)
    with pytest.raises(ValueError, match=r"a path with one \{id\} in it"):
        CellCrops(samples, f"{tmp_path}/{{name}}.png", size=16)
    with pytest.raises(TypeError, match="`source` must have"):
        CellCrops([1, 2], [_good(), _good()], size=16)
