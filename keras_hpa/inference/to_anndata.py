"""Embeddings as the table that single-cell tools read."""

from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data import Samples, needs


def to_anndata(embeddings: npt.ArrayLike, samples: Samples) -> Any:
    """Makes an `anndata.AnnData` of embeddings, with ids, labels, groups and metadata of their samples.

    Scanpy and others take it; `to_anndata(...).write_h5ad("embeddings.h5ad")` keeps it. Needs the extra `anndata`.

    Args:
        embeddings: of shape `(num_samples, num_features)`, such as [`embed`](embed.md) gives.
        samples: the same samples in the same order.

    Returns:
        An `AnnData`: `X` are the embeddings as float32; `obs` has a row per sample, named by its id, with a column of
        1, 0 and -1 per class, and the metadata; `uns["class_names"]` are the columns that are classes.

    Raises:
        ImportError: without the extra `anndata`.
        ValueError: if there are more or fewer embeddings than samples.

    Example:
        >>> import keras_hpa
        >>> samples = keras_hpa.SyntheticAtlas(3, image_size=32).samples
        >>> table = to_anndata(np.zeros((3, 8)), samples)  # doctest: +SKIP
        >>> table.shape, table.obs_names[0] == samples.ids[0]  # doctest: +SKIP
        ((3, 8), True)
    """
    anndata = needs("anndata", "`to_anndata` makes an AnnData", extra="anndata")
    features = np.asarray(embeddings, np.float32)
    if features.ndim != 2 or len(features) != len(samples):
        raise ValueError(
            f"`embeddings` must have shape ({len(samples)}, num_features), a row per sample. Received: {features.shape}"
        )
    about = samples.to_frame().set_index("id")
    about.index = about.index.astype(str)
    for name in about.columns:
        if about[name].dtype == object:  # of which a file holds texts only
            about[name] = about[name].map(str)
    num_classes = 0 if samples.labels is None else samples.labels.shape[1]
    return anndata.AnnData(
        features, obs=about, uns={"class_names": [str(name) for name in about.columns[:num_classes]]}
    )
