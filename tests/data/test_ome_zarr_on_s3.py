"""A plate in a bucket."""

import numpy as np
import pytest

from keras_hpa import load_ome_zarr
from tests.data.s3_server import s3_server, upload
from tests.data.zarr_plates import write_plate

pytest.importorskip("zarr")


def test_a_plate_in_a_bucket(tmp_path):
    write_plate(tmp_path / "plate.zarr", fields=1, levels=2)
    with s3_server() as store:
        upload(tmp_path / "plate.zarr", store, "screens")
        table = {"well": ["A01", "A02", "B01", "B02"], "moa": ["actin", "tubulin"] * 2}
        options = {"label_columns": "moa", "groups": "well", "max_pixel_size": 0.65}
        there = load_ome_zarr("s3://screens/plate.zarr", table, storage_options=store, **options)
        here = load_ome_zarr(tmp_path / "plate.zarr", table, **options)
        assert there.ids == here.ids
        assert there.pixel_size(0) == here.pixel_size(0) == 0.65
        assert "threads" in repr(there.batches())
        for one, other in zip(there.batches(batch_size=4)[0], here.batches(batch_size=4)[0], strict=True):
            np.testing.assert_array_equal(one, other)
        assert load_ome_zarr("s3://screens", storage_options=store).ids[0] == "plate_A01_0"
        with pytest.raises(FileNotFoundError, match=r"must be an OME-Zarr.*s3://nowhere/plate\.zarr"):
            load_ome_zarr("s3://nowhere/plate.zarr", storage_options=store)
