"""A plate in a bucket: a real S3 server, on the loopback."""

import logging

import numpy as np
import pytest

from keras_hpa import load_ome_zarr
from tests.data.zarr_plates import write_plate

pytest.importorskip("zarr")
s3fs = pytest.importorskip("s3fs")
moto = pytest.importorskip("moto.server")


@pytest.fixture(scope="module")
def store():
    """Options of fsspec for an empty server."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield {"key": "key", "secret": "secret", "endpoint_url": f"http://{host}:{port}"}
    server.stop()


def test_a_plate_in_a_bucket(tmp_path, store):
    write_plate(tmp_path / "plate.zarr", fields=1)
    files = s3fs.S3FileSystem(**store)
    bucket = "screens"
    files.mkdir(bucket)
    files.put(str(tmp_path / "plate.zarr"), f"{bucket}/plate.zarr", recursive=True)
    table = {"well": ["A01", "A02", "B01", "B02"], "moa": ["actin", "tubulin"] * 2}
    options = {"label_columns": "moa", "groups": "well", "max_pixel_size": 0.65}
    there = load_ome_zarr(f"s3://{bucket}/plate.zarr", table, storage_options=store, **options)
    here = load_ome_zarr(tmp_path / "plate.zarr", table, **options)
    assert there.ids == here.ids
    assert there.pixel_size(0) == here.pixel_size(0) == 0.65
    assert "threads" in repr(there.batches())
    for one, other in zip(there.batches(batch_size=3), here.batches(batch_size=3), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    assert load_ome_zarr(f"s3://{bucket}", storage_options=store).ids[0] == "plate_A01_0"
    with pytest.raises(FileNotFoundError, match=r"must be an OME-Zarr.*s3://nowhere/plate\.zarr"):
        load_ome_zarr("s3://nowhere/plate.zarr", storage_options=store)
