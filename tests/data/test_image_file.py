"""Nothing outside the root is read, whoever exchanges links meanwhile."""

import os
import threading

import numpy as np
import pytest

from keras_hpa.data import ChannelFiles, ChannelStacks, image_file, read_image

_READS = 2000


@pytest.fixture
def root(tmp_path):
    for folder, value in (("root/in", 0), ("out", 1)):
        (tmp_path / folder).mkdir(parents=True)
        np.save(tmp_path / folder / "a.npy", np.full((4, 4), value, "uint8"))
    return tmp_path / "root"


def _replace_by_link(path, target):
    os.symlink(target, f"{path}.new")
    os.replace(f"{path}.new", path)


def _link_to_folder(root):
    """A link that leads into the root and out of it in turn."""
    for target in ("in", "../out"):
        _replace_by_link(root / "swapped", target)


def _link_to_file(root):
    (root / "swapped").mkdir(exist_ok=True)
    for target in ("../in/a.npy", "../../out/a.npy"):
        _replace_by_link(root / "swapped" / "a.npy", target)


def _folder_and_link(root):
    """A folder that is moved away, a link in its place meanwhile."""
    if not (root / "swapped").exists():
        (root / "swapped").mkdir()
        (root / "swapped" / "a.npy").write_bytes((root / "in" / "a.npy").read_bytes())
    os.rename(root / "swapped", root / "aside")
    os.symlink("../out", root / "swapped")
    os.unlink(root / "swapped")
    os.rename(root / "aside", root / "swapped")


def _file_and_link(root):
    (root / "swapped").mkdir(exist_ok=True)
    (root / "new").write_bytes((root / "in" / "a.npy").read_bytes())
    os.replace(root / "new", root / "swapped" / "a.npy")
    _replace_by_link(root / "swapped" / "a.npy", "../../out/a.npy")


@pytest.mark.parametrize("swap", [_link_to_folder, _link_to_file, _folder_and_link, _file_and_link])
def test_no_link_that_is_exchanged_meanwhile_leads_out(root, swap):
    is_done = threading.Event()

    def swap_on():
        while not is_done.is_set():
            swap(root)

    swap(root)
    thread = threading.Thread(target=swap_on)
    thread.start()
    outcomes = {"inside": 0, "outside": 0, "refused": 0}
    for _ in range(_READS):
        try:
            outcomes["outside" if read_image(root / "swapped" / "a.npy", root=root).any() else "inside"] += 1
        except (ValueError, FileNotFoundError):
            outcomes["refused"] += 1
    is_done.set()
    thread.join()
    assert outcomes["outside"] == 0
    assert outcomes["inside"] + outcomes["refused"] == _READS


@pytest.mark.parametrize("has_directories", [True, False])
def test_links_inside_the_root_are_legal_and_others_refused(root, monkeypatch, has_directories):
    if not has_directories:
        monkeypatch.setattr(os, "supports_dir_fd", set())
    os.symlink("in", root / "folder")
    os.symlink("folder/a.npy", root / "file.npy")
    os.symlink("../out/a.npy", root / "leads_out.npy")
    os.symlink(os.devnull, root / "device.npy")
    os.symlink("../root/in/a.npy", root / "round.npy")
    ids = ["in/a", "folder/a", "file", "round", "leads_out", "device"]
    source = ChannelFiles(root, ids, channels=["x"], pattern="{id}.npy")
    for index in range(4):
        assert not source.read(index).any()
    for index in range(4, 6):
        with pytest.raises(ValueError, match="must lie below `root`, links included"):
            source.read(index)


def test_a_root_that_is_a_link_is_legal(root):
    os.symlink("root", root.parent / "link")
    source = ChannelStacks(root.parent / "link", ["in/a"], pattern="{id}.npy", channels=["x"])
    assert not source.read(0).any()


def test_exchange_while_opening_is_seen_without_directory_descriptors(root, monkeypatch):
    """As on Windows: what was opened must be what the path leads to."""
    monkeypatch.setattr(os, "supports_dir_fd", set())
    real_open = os.open

    def exchange_and_open(path, flags):
        (root / "in" / "a.npy").unlink()
        os.symlink("../../out/a.npy", root / "in" / "a.npy")
        return real_open(path, flags)

    monkeypatch.setattr(image_file.os, "open", exchange_and_open)
    with pytest.raises(ValueError, match="exchanged while it was opened"):
        read_image(root / "in" / "a.npy", root=root)


def test_a_fifo_in_the_place_of_any_part_is_refused_at_once(root):
    os.mkfifo(root / "pipe")
    os.mkfifo(root / "pipe.npy")
    os.symlink("pipe.npy", root / "link.npy")
    for name in ("pipe.npy", "link.npy", "pipe/a.npy"):
        with pytest.raises(ValueError, match=r"not a file|Not a directory"):
            read_image(root / name, root=root)
        with pytest.raises(ValueError, match=r"not a file|Not a directory"):
            read_image(root / name)
