import gzip
import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile

from keras_hpa.data import png, read_image, read_stack, tiff


def _noise(shape, dtype):
    rng = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=shape).astype(dtype)
    return rng.integers(np.iinfo(dtype).max, size=shape, endpoint=True).astype(dtype)


def _png(width, height, depth=8, color=0, rows=b"\0" * 99, extra=()):
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _looping_tiff():
    """One page whose next page is itself."""
    entries = [(256, 3, 1, 4), (257, 3, 1, 4), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 200)]
    entries += [(277, 3, 1, 1), (278, 3, 1, 4), (279, 4, 1, 16)]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return (b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 8)).ljust(200, b"\0") + bytes(range(16))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_png_keeps_type_and_values(tmp_path, dtype):
    image = _noise((5, 7), dtype)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    read = read_image(tmp_path / "a.png")
    assert read.dtype == image.dtype
    np.testing.assert_array_equal(read, image)


@pytest.mark.parametrize(
    ("dtype", "options"),
    [
        ("uint8", {}),
        ("uint16", {"byteorder": ">"}),
        ("uint16", {"bigtiff": True}),
        ("float32", {"compression": "zlib"}),
        ("uint16", {"compression": "lzw"}),
        ("uint8", {"compression": "packbits"}),
        ("int16", {"compression": "zlib", "predictor": True}),
        ("uint16", {"tile": (16, 16), "compression": "lzw"}),
        ("uint8", {"rowsperstrip": 3}),
        ("uint8", {"photometric": "palette", "colormap": np.tile(np.arange(256, dtype="uint16") * 257, (3, 1))}),
    ],
)
@pytest.mark.parametrize("name", ["a.tif", "a.TIFF", "a.tif.gz"])
def test_tiff_keeps_type_and_values(tmp_path, name, dtype, options):
    image = _noise((21, 34), dtype)
    tifffile.imwrite(tmp_path / "b.tif", image, **options)
    content = (tmp_path / "b.tif").read_bytes()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    read = read_image(tmp_path / name)
    assert read.dtype == image.dtype
    np.testing.assert_array_equal(read, image)


def test_jpeg_in_tiff_equals_tifffile(tmp_path):
    image = cv2.GaussianBlur(_noise((64, 64), "uint8"), (0, 0), 5)
    tifffile.imwrite(tmp_path / "a.tif", image, compression="jpeg")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), tifffile.imread(tmp_path / "a.tif"))


@pytest.mark.parametrize("dtype", ["uint8", ">u2", "float64"])
def test_npy_keeps_values(tmp_path, dtype):
    image = _noise((3, 4), "uint8").astype(dtype)
    np.save(tmp_path / "a.npy", image)
    read = read_image(tmp_path / "a.npy")
    assert read.dtype == image.dtype.newbyteorder("=")
    np.testing.assert_array_equal(read, image)


@pytest.mark.parametrize("weights", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0.02, 1, 0.05), (1, 1, 1)])
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_channel_in_a_colour_of_its_own_becomes_the_channel(tmp_path, weights, suffix):
    signal = cv2.GaussianBlur(_noise((64, 64), "uint8"), (0, 0), 3)
    image = np.rint(signal[..., None] * np.array(weights)).astype(np.uint8)
    if suffix == "tif":
        tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb")
    else:
        cv2.imwrite(str(tmp_path / f"a.{suffix}"), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])
    np.testing.assert_allclose(read_image(tmp_path / f"a.{suffix}"), signal, atol=8 if suffix == "jpg" else 0)


@pytest.mark.parametrize(
    ("shape", "axes", "names"),
    [((3, 8, 6), "CYX", ["dapi", "gfp", "er"]), ((8, 6, 3), "YXS", None), ((1, 3, 1, 8, 6), "TCZYX", None)],
)
def test_stack_has_channels_last_and_their_names(tmp_path, shape, axes, names):
    image = _noise(shape, "uint16")
    metadata = {"axes": axes} | ({} if names is None else {"Channel": {"Name": names}})
    photometric = "rgb" if axes == "YXS" else "minisblack"
    tifffile.imwrite(tmp_path / "a.ome.tif", image, ome=True, metadata=metadata, photometric=photometric)
    read, read_names = read_stack(tmp_path / "a.ome.tif")
    expected = image if axes == "YXS" else np.moveaxis(image.reshape(3, 8, 6), 0, -1)
    np.testing.assert_array_equal(read, expected)
    assert read_names == (None if names is None else tuple(names))


@pytest.mark.parametrize(("shape", "axes"), [((3, 8, 6), None), ((8, 6, 3), None), ((6, 3, 8), "XCY"), ((8, 6), None)])
def test_axes_are_the_smallest_or_given(tmp_path, shape, axes):
    image = _noise(shape, "float32")
    np.save(tmp_path / "a.npy", image)
    read, _ = read_stack(tmp_path / "a.npy", axes=axes)
    assert read.shape == ((8, 6, 1) if len(shape) == 2 else (8, 6, 3))
    np.testing.assert_array_equal(np.sort(read, axis=None), np.sort(image, axis=None))


@pytest.mark.parametrize(
    ("shape", "axes"), [((5, 5, 5), None), ((2, 3, 8, 6), None), ((3, 8, 6), "ZYX"), ((8, 6), "CY")]
)
def test_axes_that_are_not_clear_are_an_error(tmp_path, shape, axes):
    np.save(tmp_path / "a.npy", np.zeros(shape, "uint8"))
    with pytest.raises(ValueError, match=r"a\.npy.*axes"):
        read_stack(tmp_path / "a.npy", axes=axes)


_GRAY = cv2.imencode(".png", _noise((64, 64), "uint8"))[1].tobytes()
_JPEG = cv2.imencode(".jpg", _noise((64, 64), "uint8"))[1].tobytes()
_COLOR = cv2.imencode(".png", _noise((64, 64, 3), "uint8"))[1].tobytes()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.png", b"", "empty"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "truncated"),
        ("a.png", _GRAY[: len(_GRAY) // 2], "truncated"),
        ("a.png", _GRAY[:-1], "truncated"),
        ("a.png", _GRAY[:999] + b"x" + _GRAY[1000:], "damaged"),
        ("a.png", _JPEG, "not a PNG.*JPEG"),
        ("a.png", b"hello", "not a PNG.*no known format"),
        ("a.png", _png(60_000, 60_000), "60000 x 60000"),
        ("a.png", _png(0, 8), "header is damaged"),
        ("a.png", _png(8, 8, color=2), "truncated or damaged"),
        ("a.png", _png(8, 8, color=6), "transparency"),
        ("a.png", _png(8, 8, extra=[(b"tRNS", b"\0\0")]), "transparency"),
        ("a.png", _png(8, 8, depth=4), "4 bits"),
        ("a.png", _png(8, 8, rows=b"\0" * 9), "damaged"),
        ("a.png", _COLOR, "colours differ"),
        ("a.jpg", _JPEG[: len(_JPEG) // 2], "truncated or damaged"),
        ("a.jpg", _JPEG[:30], "header is damaged"),
        ("a.jpg", b"\xff\xd8\xff\xc0" + bytes(20), "0 x 0"),
        ("a.jpg", b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03" + bytes(20), "65535 x 65535"),
        ("a.jpg", _GRAY, "not a JPEG.*PNG"),
        ("a.tif", b"II*\0", "truncated"),
        ("a.tif", _GRAY, "not a TIFF.*PNG"),
        ("a.tif.gz", _GRAY, "not a gzip file.*PNG"),
        ("a.tif.gz", gzip.compress(b"II*\0", mtime=0)[:-3], "damaged"),
        ("a.npy", b"\x93NUMPY\1\0", "damaged"),
        ("a.npy", _npy(np.zeros((3, 3)))[:-1], "as many bytes"),
        ("a.npy", _npy(np.zeros((2, 2), object)), "Python objects"),
        ("a.npy", _npy(np.array([[0.0, np.nan]])), "NaN"),
        ("a.npy", _npy(np.array([[0.0, np.inf]])), "infinity"),
        ("a.npy", _npy(np.zeros((2, 2), bool)), "bool"),
        ("a.npy", _npy(np.zeros((2, 2), complex)), "complex128"),
        ("a.npy", _npy(np.zeros((0, 2))), "nothing"),
        ("a.npy", _npy(np.zeros((2, 2, 2))), "one channel"),
        ("a.gif", b"GIF89a", r"must end in one of .*\.png"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_the_path(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}.*{message}|{message}.*{name}"):
        read_image(tmp_path / name)


def test_tiff_that_is_not_whole_or_not_one_image(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", _noise((32, 32), "uint16"), rowsperstrip=4)
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[:-9])
    with pytest.raises(ValueError, match=r"a\.tif.*truncated"):
        read_image(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((2, 8, 8), "uint8"), photometric="minisblack")
    with pytest.raises(ValueError, match=r"b\.tif.*one channel"):
        read_image(tmp_path / "b.tif")
    falling = np.tile(np.arange(256, dtype="uint16")[::-1], (3, 1))
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((8, 8), "uint8"), photometric="palette", colormap=falling)
    with pytest.raises(ValueError, match=r"c\.tif.*palette"):
        read_image(tmp_path / "c.tif")


def test_tiff_whose_pages_loop_is_refused(tmp_path):
    (tmp_path / "a.tif").write_bytes(_looping_tiff())
    with pytest.raises(ValueError, match=r"a\.tif.*loop"):
        read_image(tmp_path / "a.tif")


def test_what_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tiff, "SPARE_BYTES", 1000)
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((100, 200), "uint8"))
    (tmp_path / "a.tif.gz").write_bytes(gzip.compress((tmp_path / "b.tif").read_bytes()))
    with pytest.raises(ValueError, match=r"a\.tif\.gz.*unpacks to more than 1200"):
        read_image(tmp_path / "a.tif.gz", max_bytes=100)
    with pytest.raises(ValueError, match=r"b\.tif.*20000 bytes when decoded, more than 100"):
        read_image(tmp_path / "b.tif", max_bytes=100)
    assert read_image(tmp_path / "b.tif", max_bytes=20_000).shape == (100, 200)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.png"):
        read_image(tmp_path / "a.png")
    (tmp_path / "b.png").mkdir()
    with pytest.raises(ValueError, match=r"b\.png"):
        read_image(tmp_path / "b.png")


def test_both_decoders_of_png_agree(tmp_path):
    """Interlaced too."""
    image = pytest.importorskip("PIL.Image")
    for number, size in enumerate([(1, 1), (3, 5), (64, 33)]):
        image.fromarray(_noise(size, "uint8")).save(tmp_path / f"{number}.png", interlace=bool(number % 2))
        first = read_image(tmp_path / f"{number}.png")
        with png._one_at_a_time:  # as if another thread were using kornia's
            np.testing.assert_array_equal(read_image(tmp_path / f"{number}.png"), first)
        np.testing.assert_array_equal(first, _noise(size, "uint8"))


@pytest.mark.real_data
def test_real_samples_equal_another_decoder(real_data):
    image = pytest.importorskip("PIL.Image")
    for path in [
        *sorted((real_data / "atlas_sample" / "train").glob("*.png"))[:12],
        *(real_data / "formats").glob("*.png"),
    ]:
        np.testing.assert_array_equal(read_image(path), np.asarray(image.open(path)))


@pytest.mark.real_data
def test_real_formats(real_data):
    image = pytest.importorskip("PIL.Image")
    formats = real_data / "formats"
    for color, component in {"red": 0, "green": 1, "blue": 2, "yellow": (0, 1)}.items():
        expected = np.asarray(image.open(formats / f"800_A6_1_{color}.jpg"))[..., component]
        read = read_image(formats / f"800_A6_1_{color}.jpg")
        if color == "yellow":
            expected = expected[..., int(expected.sum(axis=(0, 1)).argmax())]
        assert read.shape == (2048, 2048)
        assert np.abs(read.astype(int) - expected).max() <= 3  # two JPEG decoders round differently
    for name in ("383_D2_1_blue.tif", "01_POS002_D.TIF", "cells.tiff"):
        np.testing.assert_array_equal(read_image(formats / name), tifffile.imread(formats / name))
    for name in ("cell_0.tiff", "cell_9.tiff"):
        np.testing.assert_array_equal(read_stack(formats / name)[0], tifffile.imread(formats / name))
        with pytest.raises(ValueError, match="one channel"):
            read_image(formats / name)
