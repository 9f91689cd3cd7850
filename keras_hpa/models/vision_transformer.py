"""The body of a vision transformer, of Keras's own layers."""

from dataclasses import dataclass
from typing import Any

import keras

from keras_hpa.layers import ClassTokenAndPositions


@dataclass(frozen=True)
class TransformerSize:
    """The size of a vision transformer.

    Args:
        features: length of a token.
        blocks: number of blocks.
        heads: heads of attention.
        hidden_units: units of the dense layer within a block.
        patch: side of a patch in pixels.
        image: side of the images for which there are positions, in pixels.
        epsilon: of the layer normalisation.
    """

    features: int = 768
    blocks: int = 12
    heads: int = 12
    hidden_units: int = 3072
    patch: int = 16
    image: int = 448
    epsilon: float = 1e-12


def vision_transformer(x: Any, size: TransformerSize) -> Any:
    """The normalised tokens of images, `(batch, 1 + patches, features)`, the class token first.

    The last block's attention is the second output of layer `block{size.blocks}_attention`:
    `(batch, heads, tokens, tokens)`.
    """

    def normalize(x: Any, name: str) -> Any:
        return keras.layers.LayerNormalization(epsilon=size.epsilon, name=name)(x)

    x = keras.layers.Conv2D(size.features, size.patch, strides=size.patch, data_format="channels_last", name="patches")(
        x
    )
    grid = (size.image // size.patch,) * 2
    x = ClassTokenAndPositions(grid, name="tokens")(x)
    for number in range(1, size.blocks + 1):
        block = f"block{number}"
        y = normalize(x, f"{block}_norm1")
        attention = keras.layers.MultiHeadAttention(size.heads, size.features // size.heads, name=f"{block}_attention")
        if number == size.blocks:
            y, _ = attention(y, y, return_attention_scores=True)
        else:
            y = attention(y, y)
        x = keras.layers.Add(name=f"{block}_add1")([x, y])
        y = normalize(x, f"{block}_norm2")
        y = keras.layers.Dense(size.hidden_units, activation="gelu", name=f"{block}_dense1")(y)
        y = keras.layers.Dense(size.features, name=f"{block}_dense2")(y)
        x = keras.layers.Add(name=f"{block}_add2")([x, y])
    return normalize(x, "norm")
