import logging
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

import keras_hpa
from keras_hpa.cells import CellCrops
from tests.cells.fields import field_of_rectangles, fields


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    size=st.tuples(st.integers(12, 30), st.integers(12, 30)),
    outside=st.sampled_from(["keep", "zero"]),
)
def test_a_crop_shows_what_its_mask_says(seed, size, outside):
    """The image's channels are row and column: each pixel of a crop says where it comes from."""
    image, mask = field_of_rectangles(seed)
    crops = CellCrops(keras_hpa.ArraySource([image], ["f"]), [mask], size=size, outside=outside)
    assert crops.ids == tuple(f"f/{number}" for number in np.unique(mask)[1:])
    table = crops.metadata
    for index in range(len(crops)):
        crop, shown, number = crops.read(index), crops.mask(index), table["cell"][index]
        assert crop.shape == (*size, 2)
        assert crop.dtype == image.dtype
        assert shown.sum() == table["area"][index] == (mask == number).sum()
        inside = crop[..., 0] > 0
        if outside == "zero":
            np.testing.assert_array_equal(inside, shown)
        rows, columns = crop[inside].astype(int).T - 1
        np.testing.assert_array_equal(mask[rows, columns] == number, shown[inside])
        assert (mask[rows, columns] == number).sum() == table["area"][index]
        box = [table[side][index] for side in ("top", "left", "bottom", "right")]
        at_rows, at_columns = np.nonzero(mask == number)
        assert box == [at_rows.min(), at_columns.min(), at_rows.max() + 1, at_columns.max() + 1]
        assert (table["row"][index], table["column"][index]) == pytest.approx((at_rows.mean(), at_columns.mean()))
        at_border = {0, 40} & {box[0], box[2]} or {0, 50} & {box[1], box[3]}
        assert table["touches_border"][index] == bool(at_border)
        here_rows, here_columns = np.nonzero(shown)
        for here, side in ((here_rows, size[0]), (here_columns, size[1])):  # the box's middle in the crop's
            assert abs(here.min() - (side - 1 - here.max())) <= 1


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), pixel_size=st.floats(0.1, 3), margin=st.integers(0, 3))
def test_a_crop_of_another_scale_shows_what_its_mask_says(seed, pixel_size, margin):
    image, mask = field_of_rectangles(seed)
    shown = (mask[..., None] > 0).astype(np.float32)
    fields = keras_hpa.Samples(keras_hpa.ArraySource([np.concatenate([image, shown], axis=-1)]), pixel_sizes=0.5)
    options = {"size": 24, "pixel_size": pixel_size, "margin": margin}
    crops, alone = (CellCrops(fields, [mask], **options, outside=outside) for outside in ("keep", "zero"))
    for index in range(len(crops)):
        cell = crops.mask(index)
        assert cell.any()
        np.testing.assert_array_equal(alone.read(index)[..., 2] != 0, cell)
        np.testing.assert_array_equal(alone.read(index)[cell], crops.read(index)[cell])
        scale = crops.pixel_size(index) / 0.5
        # The centre of gravity of what is shown is where the cell's is, to half a pixel of the crop or of the field.
        rows, columns = np.nonzero(cell)
        for here, axis in ((rows, "row"), (columns, "column")):
            first, last = ("top", "bottom") if axis == "row" else ("left", "right")
            away = crops.metadata[axis][index] + 0.5 - (crops.metadata[first][index] + crops.metadata[last][index]) / 2
            assert abs((here.mean() + 0.5 - 12) - away / scale) <= 0.75 + 0.75 / scale
        box = [len(np.unique(rows)), len(np.unique(columns))]
        assert max(box) <= 24 - 2 * margin + 1
        assert scale >= pixel_size / 0.5 * (1 - 0.5 / max(0.5, 24 * pixel_size / 0.5 - 0.5)) - 1e-9


def test_physical_scale_is_that_of_the_sequence():
    """Two objectives: the same cell, once with pixels half as large."""
    small = np.zeros((20, 20, 1), np.uint8)
    small[6:12, 6:14] = 200
    large = small.repeat(2, axis=0).repeat(2, axis=1)
    fields = keras_hpa.Samples(keras_hpa.ArraySource([small, large], ["10x", "20x"]), pixel_sizes=[1.0, 0.5])
    crops = CellCrops(fields, lambda image: (image[..., 0] > 0).astype(int), size=12, pixel_size=1)
    np.testing.assert_array_equal(crops.read(0), crops.read(1))
    assert [crops.pixel_size(index) for index in range(2)] == [1, 1]
    assert crops.mask(0).sum() == 48


def test_what_does_not_fit_is_shown_smaller_and_told(caplog):
    image = np.full((40, 40, 1), 50, np.uint8)
    mask = np.zeros((40, 40), int)
    mask[5:35, 10:20], mask[1:4, 1:4] = 3, 7
    crops = CellCrops(keras_hpa.ArraySource([image], ["f"]), [mask], size=16, margin=2, outside="zero")
    assert [record.message for record in caplog.records] == [
        "1 of 2 cells are shown smaller than the others, as they do not fit into 16 x 16 with a margin of 2: the "
        "longest has 30 pixels"
    ]
    assert crops.source.scale(0) == pytest.approx(40 / 16)
    assert crops.mask(0).any(axis=1).nonzero()[0].tolist() == list(range(2, 14))
    assert crops.source.scale(1) == 1
    assert crops.pixel_size(0) is None


def test_borders():
    labels = [[1, 0], [0, 1], [1, 1]]
    samples, masks = fields(labels=labels)
    kept = CellCrops(samples, masks, size=16)
    at_border = np.array(kept.metadata["touches_border"])
    assert 0 < at_border.sum() < len(kept)
    of_field = np.array(labels)[[int(name[-1]) for name in kept.metadata["field"]]]
    np.testing.assert_array_equal(kept.labels, of_field)
    flagged = CellCrops(samples, masks, size=16, border="flag")
    np.testing.assert_array_equal(flagged.labels, np.where(at_border[:, None], -1, of_field))
    dropped = CellCrops(samples, masks, size=16, border="drop")
    assert dropped.ids == kept[~at_border].ids
    assert not any(dropped.metadata["touches_border"])
    whole = keras_hpa.ArraySource(np.ones((1, 8, 8, 1), "uint8"))
    with pytest.raises(ValueError, match="a cell that does not touch the border in one field at least"):
        CellCrops(whole, np.ones((1, 8, 8), int), size=8, border="drop")


def test_the_largest_piece():
    mask = np.zeros((20, 20), np.int64)
    mask[1:3, 1:3] = mask[5:10, 5:10] = mask[6, 12] = 70_000_000
    mask[15:18, 15:18] = 2
    image = np.full((20, 20, 1), 9, np.uint8)
    crops = CellCrops(keras_hpa.ArraySource([image], ["f"]), [mask], size=12, pieces="largest", outside="zero")
    assert crops.ids == ("f/2", "f/70000000")
    assert crops.metadata["area"] == [9, 25]
    assert (crops.metadata["top"][1], crops.metadata["right"][1]) == (5, 10)
    assert np.count_nonzero(crops.read(1)) == 25


def test_pixels_that_touch_at_a_corner_are_one_piece():
    mask = np.eye(8, dtype=int)
    assert ndimage.label(mask)[1] == 8
    assert CellCrops(keras_hpa.ArraySource(np.ones((1, 8, 8, 1))), [mask], size=8).metadata["area"] == [8]


def test_they_are_samples(tmp_path):
    samples, masks = fields(6, [[1, 0], [0, 1]] * 3, class_names=["a", "b"], metadata={"plate": list("xxyyzz")})
    crops = CellCrops(samples, masks, size=16)
    assert isinstance(crops, keras_hpa.Samples)
    assert crops.class_names == ("a", "b")
    assert crops.metadata["plate"] == ["xxyyzz"[int(name[-1])] for name in crops.metadata["field"]]
    for parts in (crops.split(validation_size=1 / 3), *crops.folds(3)):
        one, other = (set(part.metadata["field"]) for part in parts)
        assert not one & other
        assert one | other == set(samples.ids)
    packed = crops.packed(tmp_path / "pack", verbose=0)
    for index in range(len(crops)):
        np.testing.assert_array_equal(packed.read(index), crops.read(index))
    assert packed.metadata == crops.metadata
    images, labels = crops.batches(batch_size=4, workers=0)[0]
    assert images.shape == (4, 16, 16, 2)
    np.testing.assert_array_equal(labels, crops.labels[:4])
    chosen = crops.select_channels(["channel2"])
    np.testing.assert_array_equal(chosen.read(3), crops.read(3)[..., 1:])
    assert keras_hpa.validate(crops).is_valid


def test_groups_and_names_of_the_fields_stay():
    plates = ["p", "p", "q"]
    samples, masks = fields(groups=plates, metadata={"field": ["1", "2", "1"], "plate": plates})
    crops = CellCrops(samples, masks, size=16)
    positions = [int(name[-1]) for name in crops.metadata["field"]]
    assert crops.groups == [plates[position] for position in positions]
    assert crops.metadata["field field"] == [["1", "2", "1"][position] for position in positions]


def test_masks_of_every_form_give_the_same(tmp_path):
    samples, masks = fields()
    expected = CellCrops(samples, masks, size=16, outside="zero")
    for ending in ("_cp_masks.png", "_cp_masks.tif", "_cellmask.png", "_masks.npy", ".png"):
        folder = tmp_path / ending
        folder.mkdir()
        for sample_id, mask in masks.items():
            path = folder / f"{sample_id}{ending}"
            np.save(path, mask) if ending.endswith("npy") else Image.fromarray(mask).save(path)
        _same(CellCrops(samples, folder, size=16, outside="zero"), expected)
        _same(CellCrops(samples, str(folder / f"{{id}}{ending}"), size=16, outside="zero"), expected)
    paths = {sample_id: folder / f"{sample_id}.png" for sample_id in masks}
    _same(CellCrops(samples, paths, size=16, outside="zero"), expected)
    _same(CellCrops(samples, list(masks.values()), size=16, outside="zero"), expected)
    _same(CellCrops(samples, np.stack(list(masks.values()))[..., None], size=16, outside="zero"), expected)
    source = keras_hpa.load_folder(folder, pattern="{id}.png", channels=["cells"])[::-1]
    _same(CellCrops(samples, source, size=16, outside="zero"), expected)
    _same(CellCrops(samples, source.source, size=16, outside="zero"), expected)
    found = iter(masks.values())
    _same(CellCrops(samples, lambda image: next(found), size=16, outside="zero"), expected)


def _same(crops, expected):
    assert crops.ids == expected.ids
    assert crops.metadata == expected.metadata
    again = pickle.loads(pickle.dumps(crops))
    for index in range(len(crops)):
        np.testing.assert_array_equal(crops.read(index), expected.read(index))
        np.testing.assert_array_equal(again.read(index), expected.read(index))
        np.testing.assert_array_equal(again.mask(index), expected.mask(index))


class _Counting(keras_hpa.ArraySource):
    """Counts what is read."""

    def read(self, index):
        self.__dict__.setdefault("reads", []).append(index)
        return super().read(index)


def test_each_field_is_read_once():
    samples, masks = fields(4)
    source = _Counting(samples.source.images, samples.ids)
    crops = CellCrops(source, masks, size=16)
    source.reads.clear()
    for index in range(len(crops)):
        crops.read(index)
    assert source.reads == [0, 1, 2, 3]
    source.reads.clear()
    with ThreadPoolExecutor(8) as threads:
        read = list(threads.map(CellCrops(source, masks, size=16).read, [0] * 32))
    assert sorted(source.reads[:4]) == [0, 1, 2, 3], "threads measure the cells of the fields, in any order"
    assert source.reads[4:] == [0]
    assert all(np.array_equal(one, crops.read(0)) for one in read)


def test_a_field_that_could_not_be_read_is_tried_again():
    samples, masks = fields(1)
    source = _Failing(samples.source.images)
    crops = CellCrops(source, list(masks.values()), size=16)
    source.fails = True
    with pytest.raises(OSError, match="no answer"):
        crops.read(0)
    source.fails = False
    assert crops.read(0).shape == (16, 16, 2)


class _Failing(keras_hpa.ArraySource):
    fails = False

    def read(self, index):
        if self.fails:
            raise OSError("no answer")
        return super().read(index)


def test_crops_are_the_callers_to_change():
    samples, masks = fields(1)
    crops = CellCrops(samples, masks, size=16)
    before = crops.read(0)
    crops.read(0)[:] = 0
    np.testing.assert_array_equal(crops.read(0), before)


def test_the_mask_of_a_field():
    samples, masks = fields()
    crops = CellCrops(samples, masks, size=16)
    np.testing.assert_array_equal(crops.label_image("field1"), masks["field1"])
    with pytest.raises(ValueError, match=r"`field_id` must be the id of a field\. Received: 'field9'"):
        crops.label_image("field9")


def test_a_function_is_asked_once_for_each_field_and_by_one_thread():
    samples, masks = fields()
    asked = []

    def find(image):
        asked.append(threading.current_thread())
        return masks[f"field{len(asked) - 1}"]

    crops = CellCrops(samples, find, size=16, outside="zero")
    for index in range(len(crops)):
        crops.read(index)
    assert len(asked) == 3
    assert len(set(asked)) == 1


def test_where_a_function_fails_is_said():
    samples, _ = fields()

    def find(image):
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory") as raised:
        CellCrops(samples, find, size=16)
    assert raised.value.__notes__ == ["`masks` was called with the image of sample 'field0'."]


def test_what_was_filled_in_is_told_of_cells(tmp_path, caplog):
    image, mask = field_of_rectangles()
    Image.fromarray(image[..., 0]).save(tmp_path / "f_dapi.png")
    source = keras_hpa.ChannelFiles(tmp_path, ["f"], channels=["dapi", "gfp"], missing="zeros")
    crops = CellCrops(source, [mask], size=16)
    assert crops.reads_in_processes
    assert crops.filled == {(cell_id, "gfp") for cell_id in crops.ids}
    with caplog.at_level(logging.INFO, logger="keras_hpa.cells"):
        CellCrops(source, [mask], size=16)
    assert not caplog.records
