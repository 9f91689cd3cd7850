"""GapNet-PL's published weights, once and for all in Keras's own form."""

import os
from pathlib import Path

from keras_hpa.models.gapnet import GapNet


def convert_gapnet_pl(checkpoint: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Writes the published TensorFlow checkpoint of GapNet-PL as a `.weights.h5` file.

    Such a file needs no TensorFlow to be read: `GapNet((512, 512, 4), 13, variant="gapnet-pl", weights=path)` loads it
    on every backend of Keras.

    Args:
        checkpoint: the checkpoint's prefix, `"models/gapnet-pl.ckpt"`, or its `.index` file.
        path: the file to write; its name ends in `.weights.h5`.

    Raises:
        FileNotFoundError: if there is no such checkpoint.
        ValueError: if it is not GapNet-PL's, or `path` ends otherwise.

    Example:
        >>> convert_gapnet_pl("models/gapnet-pl.ckpt", "gapnet_pl.weights.h5")  # doctest: +SKIP
        >>> model = GapNet((512, 512, 4), 13, variant="gapnet-pl", weights="gapnet_pl.weights.h5")  # doctest: +SKIP

    References:
        https://github.com/ml-jku/gapnet-pl holds the checkpoint, under the BSD licence.
    """
    target = Path(path)
    if not target.name.endswith(".weights.h5"):
        raise ValueError(f"`path` must end in .weights.h5. Received: {os.fspath(path)!r}")
    model = GapNet((None, None, 4), 13, variant="gapnet-pl", weights=checkpoint)
    # A conversion that is cut off leaves no half-written file under the final name.
    partial = target.with_name("." + target.name)
    model.save_weights(partial)
    partial.replace(target)
