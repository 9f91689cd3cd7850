"""The published GapNet-PL network: a judge of cell images that has only ever seen real ones."""

from pathlib import Path

import cv2
import keras
import numpy as np

_CHANNELS = [2, 1, 0, 3]  # blue, green, red, yellow, of red, green, blue, yellow
_STRIDES = (2, 2, 1, 1, 1, 1, 1, 1)
_POOLED = (0, 4)  # convolutions after which the network pools and taps


class GapNetPL:
    """Scores 13 classes of protein location with the weights of the network's authors.

    Args:
        checkpoint: path of `gapnet-pl.ckpt`.

    References:
        Rumetshofer et al., Human-level Protein Localization with Convolutional Neural Networks, ICLR 2019.
    """

    def __init__(self, checkpoint: Path) -> None:
        import tensorflow as tf

        reader = tf.train.load_checkpoint(str(checkpoint))
        self._convolutions = [
            (reader.get_tensor(f"ConvLayer-{n}/W_conv"), reader.get_tensor(f"ConvLayer-{n}/b_conv"))
            for n in range(1, 9)
        ]
        self._dense = [
            (reader.get_tensor(f"FC-{n}/W_dense"), reader.get_tensor(f"FC-{n}/b_dense")) for n in range(1, 4)
        ]

    def predict(self, image: np.ndarray, side: int = 2048) -> np.ndarray:
        """Scores of the 13 classes for one image `(height, width, 4)`, enlarged to `side` pixels beforehand."""
        image = image.astype(np.float32)
        if side != image.shape[0]:
            image = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
        image = (image - image.mean((0, 1))) / (image.std((0, 1)) + 1e-6)
        x = keras.ops.convert_to_tensor(image[None, ..., _CHANNELS])
        taps = []
        for number, (weights, bias) in enumerate(self._convolutions):
            x = keras.ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
            x = keras.ops.selu(keras.ops.conv(x, weights, strides=_STRIDES[number], padding="valid") + bias)
            if number in _POOLED:
                x = keras.ops.max_pool(x, 2, 2)
            if number in (*_POOLED, 7):
                taps.append(keras.ops.mean(x, (1, 2)))
        x = keras.ops.concatenate(taps, -1)
        for number, (weights, bias) in enumerate(self._dense):
            x = keras.ops.matmul(x, weights) + bias
            x = keras.ops.selu(x) if number < 2 else keras.ops.sigmoid(x)
        return keras.ops.convert_to_numpy(x)[0]
