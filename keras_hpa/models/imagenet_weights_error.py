"""What to do when Keras cannot get a network's ImageNet weights."""

import os
import re
from pathlib import Path

import h5py


def imagenet_weights_error(backbone: str, error: Exception) -> OSError:
    """Turns what `keras.applications` raised into an error that names the file wanted and the ways out.

    Args:
        backbone: name of the network.
        error: what its constructor raised with `weights="imagenet"`.

    Returns:
        A `FileNotFoundError` if the download failed, an `OSError` if a file in Keras's cache is damaged.
    """
    cache = Path(os.environ.get("KERAS_HOME", "~/.keras"), "models")
    ways_out = (
        f'or call it with `weights=None` (a random start) or `weights="PATH"` of a file of {backbone} without its top'
    )
    url = re.search(r"https?://\S+\.h5", str(error))
    if url:
        return FileNotFoundError(
            f"The ImageNet weights of {backbone} could not be downloaded. Keras wants {url[0]} "
            f"as {cache / url[0].rsplit('/', 1)[1]}: put the file there, {ways_out}. Received: {error}"
        )
    damaged = [str(path) for path in sorted(cache.expanduser().glob("*.h5")) if not _opens(path)]
    return OSError(
        f"The ImageNet weights of {backbone} could not be read from Keras's cache {cache}. Damaged there: "
        f"{', '.join(damaged) or 'no file, but one does not fit'}. Delete it so that Keras downloads it again, "
        f"{ways_out}. Received: {error}"
    )


def _opens(path: Path) -> bool:
    try:
        with h5py.File(path):
            return True
    except OSError:
        return False
