"""Weights that have a name: in the package, or fetched once and checked by their digest."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import keras

_CACHE = "keras_hpa"  # a folder beside Keras's own `models`


@dataclass(frozen=True)
class PublishedWeights:
    """Where weights come from and which network they fit.

    Attributes:
        variant: variant of `GapNet`.
        num_classes: classes of the network.
        files: SHA-256 by file name; the first is the one to load.
        url: folder from which files are fetched; `None` where they are in the package.
    """

    variant: str
    num_classes: int
    files: Mapping[str, str]
    url: str | None = None

    def find(self) -> Path:
        """Gives the path of the first file, and fetches what is not in Keras's cache yet.

        Raises:
            FileNotFoundError: if a file is neither in the cache nor to be had, or is damaged.
        """
        if self.url is None:
            return Path(__file__).parent / "weights" / next(iter(self.files))
        paths = [_fetch(name, f"{self.url}/{name}", digest) for name, digest in self.files.items()]
        return paths[0]


PUBLISHED: MappingProxyType[str, PublishedWeights] = MappingProxyType(
    {
        "drawn": PublishedWeights(
            "textured", 28, {"drawn.weights.h5": "854efe71a75803638592d8fd9a6d33cb661dc328926d442a26c952f2bef80218"}
        ),
        "gapnet-pl": PublishedWeights(
            "gapnet-pl",
            13,
            {
                "gapnet-pl.ckpt.index": "8abd2697748cc1b83b54227dc780e68b7680b00516a3c8cc34140b016f3d604d",
                "gapnet-pl.ckpt.data-00000-of-00001": (
                    "8b09c5b3e3a2bfc6c81841701aa329c89f1cb85edd1400fa576fb16d0f1a45ab"
                ),
            },
            "https://github.com/ml-jku/gapnet-pl/raw/6010347c7c1573fc814e8632a98359b62f048af1/models",
        ),
    }
)
"""Weights of `GapNet` by name."""


def _fetch(name: str, url: str, digest: str) -> Path:
    try:
        return Path(keras.utils.get_file(name, url, file_hash=digest, hash_algorithm="sha256", cache_subdir=_CACHE))
    except Exception as error:  # Keras raises nothing narrower
        place = Path(os.environ.get("KERAS_HOME", "~/.keras"), _CACHE)
        raise FileNotFoundError(
            f"The weights file {name} could not be downloaded. Fetch {url} where there is a network and put it into "
            f"{place}, under that name; its SHA-256 is {digest}. Received: {error}"
        ) from error
