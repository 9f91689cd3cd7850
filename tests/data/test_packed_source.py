import json
import multiprocessing
import os
import pickle
import random
import re
import shutil
import signal
import sys
import threading
import time

import numpy as np
import pytest

from keras_hpa import ArraySource, ChannelFiles, MultiChannelSequence, PackedSource, load_kaggle, subset
from keras_hpa.data.pack_builder import _sha256, image_checksum
from keras_hpa.files import hold
from tests.data.kaggle_folder import CHANNELS, write_kaggle_folder


class _Slow(ArraySource):
    def __init__(self):
        super().__init__(np.random.default_rng(0).integers(256, size=(60, 8, 8, 4)).astype("uint8"))

    def read(self, index):
        time.sleep(0.005)
        return super().read(index)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(65536, size=(7, 6, 8, 4)).astype(np.uint16)


@pytest.fixture
def path(tmp_path, images):
    PackedSource.build(ArraySource(images), tmp_path / "pack", verbose=0)
    return tmp_path / "pack"


def test_pack_is_the_source(path, images):
    packed = PackedSource(path)
    assert (packed.shape, packed.dtype, packed.ids, packed.channels) == (
        images.shape,
        images.dtype,
        ArraySource(images).ids,
        ArraySource(images).channels,
    )
    for source in (packed, pickle.loads(pickle.dumps(packed))):
        np.testing.assert_array_equal(np.stack([source.read(index) for index in range(7)]), images)
    assert {entry.name for entry in path.iterdir()} == {".lock", "images.bin", "manifest.json"}
    with pytest.raises(ValueError, match="read-only"):
        packed.read(0)[...] = 0


@pytest.mark.parametrize("dtype", ["float32", "source"])
def test_batches_of_files_and_of_their_pack_are_the_same(tmp_path, dtype):
    write_kaggle_folder(tmp_path, 7, size=12)
    samples = load_kaggle(tmp_path)
    packed = samples.packed(tmp_path / "pack", image_size=(5, 7), verbose=0)
    arguments = {"batch_size": 3, "shuffle": True, "augment": "dihedral", "dtype": dtype}
    files = MultiChannelSequence(samples, image_size=(5, 7), **arguments)
    pack = MultiChannelSequence(packed, **arguments)
    for one, other in zip(files, pack, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_same_source_opens_the_pack_and_another_is_refused(path, images):
    changed = os.stat(path / "images.bin").st_mtime_ns
    assert len(PackedSource.build(ArraySource(images), path, verbose=0)) == 7
    assert os.stat(path / "images.bin").st_mtime_ns == changed
    with pytest.raises(ValueError, match="another pack"):
        PackedSource.build(ArraySource(images + 1), path, verbose=0)
    with pytest.raises(ValueError, match="another pack"):
        PackedSource.build(ArraySource(images), path, image_size=3, verbose=0)


def test_truncated_pack_is_recognised(path):
    os.truncate(path / "images.bin", os.path.getsize(path / "images.bin") - 1)
    with pytest.raises(ValueError, match="whole pack"):
        PackedSource(path)


def test_altered_pack_is_recognised(path):
    content = bytearray((path / "images.bin").read_bytes())
    content[-1] ^= 1
    status = os.stat(path / "images.bin")
    (path / "images.bin").write_bytes(content)
    with pytest.raises(ValueError, match="sample '6' was altered"):
        PackedSource(path)
    os.utime(path / "images.bin", ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(ValueError, match="sample '6' was altered"):
        PackedSource(path, verify=True)


def test_copied_pack_opens(path, tmp_path, images):
    (tmp_path / "copy").mkdir()
    for name in ("images.bin", "manifest.json"):
        (tmp_path / "copy" / name).write_bytes((path / name).read_bytes())
    np.testing.assert_array_equal(PackedSource(tmp_path / "copy").read(6), images[6])


@pytest.mark.parametrize("change", [lambda text: text[:-9], lambda text: text.replace("<u2", "<u1"), lambda text: "{}"])
def test_altered_manifest_is_recognised(path, change):
    (path / "manifest.json").write_text(change((path / "manifest.json").read_text()))
    with pytest.raises(ValueError, match=r"manifest\.json' must (be a JSON file|hold .* in field)"):
        PackedSource(path)


@pytest.mark.parametrize(
    ("field", "change", "message"),
    [
        ("shape", lambda shape: [shape[1], shape[0], shape[2]], "sample '0' was altered"),
        ("shape", lambda shape: [shape[0] * shape[1], 1, shape[2]], "sample '0' was altered"),
        ("shape", lambda shape: [*shape, 1], "height, width and the number of channels in field 'shape'"),
        ("ids", lambda ids: [ids[0], *ids[:-1]], "different ids in field 'ids'"),
        ("channels", lambda channels: [channels[0]] * 4, "different names in field 'channels'"),
        ("dtype", lambda dtype: "<i2", "sample '0' was altered"),
        ("dtype", lambda dtype: "|O", "a type of numbers in field 'dtype'"),
        ("checksums", lambda checksums: checksums[1:], "one number per id in field 'checksums'"),
        ("filled", lambda filled: [["a"]], "pairs of an id and a channel in field 'filled'"),
    ],
)
def test_manifest_that_contradicts_itself_or_the_images_is_refused(path, field, change, message):
    manifest = json.loads((path / "manifest.json").read_text())
    manifest[field] = change(manifest[field])
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=r"manifest\.json' must hold"):
        PackedSource(path)
    (path / "manifest.json").write_text(json.dumps(manifest | {"sha256": _sha256(manifest)}))
    with pytest.raises(ValueError, match=re.escape(message)):
        PackedSource(path)


def test_pack_that_is_finished_is_only_read(path, images, monkeypatch):
    (path / ".lock").unlink()
    for can_write in (True, False):
        monkeypatch.setattr(os, "access", lambda *_, answer=can_write: answer)
        assert len(PackedSource.build(ArraySource(images), path, verbose=0)) == 7
        assert {entry.name for entry in path.iterdir()} == {"images.bin", "manifest.json"}


def test_copied_pack_is_verified_once_and_where_it_can_only_be_read_in_part(tmp_path, monkeypatch):
    images = np.random.default_rng(1).integers(256, size=(50, 3, 3, 2)).astype("uint8")
    PackedSource.build(ArraySource(images), tmp_path / "pack", verbose=0)
    shutil.copytree(tmp_path / "pack", tmp_path / "copy", copy_function=shutil.copyfile)
    checked = []
    monkeypatch.setattr(
        "keras_hpa.data.packed_source.image_checksum", lambda image: checked.append(1) or image_checksum(image)
    )
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(os, "utime", lambda *_, **__: (_ for _ in ()).throw(PermissionError()))
    for _ in range(2):
        PackedSource(tmp_path / "copy")
    assert len(checked) == 32
    monkeypatch.undo()
    monkeypatch.setattr(
        "keras_hpa.data.packed_source.image_checksum", lambda image: checked.append(1) or image_checksum(image)
    )
    for expected in (50, 16):
        checked.clear()
        PackedSource(tmp_path / "copy")
        assert len(checked) == expected


def test_pack_that_became_shorter_is_an_error_and_no_crash(path):
    packed = PackedSource(path)
    os.truncate(path / "images.bin", 100)
    with pytest.raises(ValueError, match=r"whole pack, 2688 bytes\. Received: 100 bytes in .*images\.bin"):
        packed.read(5)


def test_pack_that_was_built_anew_is_not_read_under_the_old_ids(path, images):
    packed = PackedSource(path)
    sent = pickle.dumps(packed)
    shutil.rmtree(path)
    PackedSource.build(ArraySource(images[::-1]), path, verbose=0)
    np.testing.assert_array_equal(packed.read(0), images[0])
    with pytest.raises(ValueError, match=r"must hold the pack that was opened.*built anew"):
        pickle.loads(sent).read(0)


def test_a_relative_path_outlives_a_change_of_the_working_directory(path, images, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    packed = PackedSource("pack")
    monkeypatch.chdir("/")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(packed)).read(3), images[3])


def test_a_packer_that_waits_says_so(tmp_path, images, caplog):
    with hold(tmp_path / "pack", wait=True):
        build = threading.Thread(
            target=PackedSource.build, args=(ArraySource(images), tmp_path / "pack"), kwargs={"verbose": 0}
        )
        build.start()
        while not caplog.messages:
            time.sleep(0.01)
    build.join()
    assert re.match("Waiting for another process or thread.*pack", caplog.messages[0])
    assert len(PackedSource(tmp_path / "pack")) == 7


def test_checksums_that_were_cut_short_go_on(tmp_path, images):
    source = ArraySource([*images[:6], images[6, :2]])
    with pytest.raises(ValueError, match="sample '6'"):
        PackedSource.build(source, tmp_path / "pack", verbose=0, workers=1)
    os.truncate(tmp_path / "pack" / "checksums.bin", 21)
    with pytest.raises(ValueError, match="sample '6'"):
        PackedSource.build(source, tmp_path / "pack", verbose=0, workers=1)


def test_folder_of_something_else(tmp_path, images):
    with pytest.raises(FileNotFoundError, match="no finished pack"):
        PackedSource(tmp_path)
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ValueError, match=r"thesis\.tex"):
        PackedSource.build(ArraySource(images), tmp_path, verbose=0)
    assert (tmp_path / "thesis.tex").read_text() == "x"


def test_unreadable_sample_is_named_and_what_was_built_stays(tmp_path):
    images = write_kaggle_folder(tmp_path, 6)
    path = tmp_path / "train" / "sample4_red.png"
    content = path.read_bytes()
    path.write_bytes(content[:40])
    source = ChannelFiles(tmp_path / "train", [f"sample{number}" for number in range(6)], channels=CHANNELS)
    with pytest.raises(ValueError, match=r"'sample4', channel 'red'.*sample4_red\.png"):
        PackedSource.build(source, tmp_path / "pack", verbose=0, workers=1)
    path.write_bytes(content)
    np.testing.assert_array_equal(PackedSource.build(source, tmp_path / "pack", verbose=0).read(4), images[4])


def test_sizes_that_differ_are_an_error_unless_resized(tmp_path):
    source = ArraySource([np.zeros((4, 4, 2), "uint8"), np.zeros((5, 4, 2), "uint8")])
    with pytest.raises(ValueError, match="sample '1'"):
        PackedSource.build(source, tmp_path / "a", verbose=0)
    assert PackedSource.build(source, tmp_path / "b", image_size=3, verbose=0).shape == (2, 3, 3, 2)


def test_too_little_space_is_an_error_before_anything_is_written(tmp_path, images, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10})())
    with pytest.raises(OSError, match=r"2688 bytes free.*Received: 10"):
        PackedSource.build(ArraySource(images), tmp_path / "pack", verbose=0)


@pytest.mark.parametrize(("arguments", "message"), [({"interpolation": "x"}, "interpolation"), ({}, "source")])
def test_wrong_argument_is_named(tmp_path, images, arguments, message):
    source = ArraySource(images) if arguments else subset(ArraySource(images), [])
    with pytest.raises(ValueError, match=f"`{message}`"):
        PackedSource.build(source, tmp_path / "pack", **arguments)


def _start_build(path):
    options = {"verbose": 0, "workers": 2}
    process = multiprocessing.get_context("fork").Process(
        target=PackedSource.build, args=(_Slow(), path), kwargs=options
    )
    process.start()
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_build_killed_again_and_again_equals_one_in_peace(tmp_path):
    rng = random.Random(0)
    kills, left = 0, set()
    for _ in range(10):
        process = _start_build(tmp_path / "killed")
        time.sleep(rng.uniform(0.02, 0.06))
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
        left |= {entry.name for entry in (tmp_path / "killed").glob("*")}
    assert kills >= 5
    assert {"plan.json", "checksums.bin"} <= left
    _finish(_start_build(tmp_path / "killed"), _start_build(tmp_path / "peace"))
    _assert_same_pack(tmp_path / "killed", tmp_path / "peace")


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_two_processes_that_build_the_same_pack(tmp_path):
    _finish(_start_build(tmp_path / "both"), _start_build(tmp_path / "both"), _start_build(tmp_path / "alone"))
    _assert_same_pack(tmp_path / "both", tmp_path / "alone")


def _finish(*processes):
    for process in processes:
        process.join()
        assert process.exitcode == 0


def _assert_same_pack(one, other):
    assert (one / "images.bin").read_bytes() == (other / "images.bin").read_bytes()
    manifests = [json.loads((path / "manifest.json").read_text()) for path in (one, other)]
    for manifest in manifests:
        del manifest["changed"]
    assert manifests[0] == manifests[1]
