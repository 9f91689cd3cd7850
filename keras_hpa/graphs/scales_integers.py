"""Whether a model of floats may be given integers."""

import keras
import numpy as np

from keras_hpa.graphs.inflate_channels import PIXELWISE
from keras_hpa.graphs.model_graph import is_functional, trace
from keras_hpa.layers import GapNetPLPreprocessing, ImageStandardization, MinMaxNormalization, PercentileNormalization

_ANY_SCALE = (GapNetPLPreprocessing, ImageStandardization, MinMaxNormalization, PercentileNormalization)


def scales_integers(model: keras.Model) -> bool:
    """Whether a model that takes floats scales integer pixels by itself.

    It does if its input goes through a `Rescaling` such as 1/255, a layer that normalises each image, or the user's
    own arithmetic. Of a model without a known graph nothing is known, which counts as yes.
    """
    if not is_functional(model):
        return True
    graph = trace(model, inline=True)
    images = set(graph.inputs)
    for call in graph.calls:
        layer = call.layer
        if images.isdisjoint(call.inputs) or isinstance(layer, _ANY_SCALE) or not isinstance(layer, keras.layers.Layer):
            continue
        if isinstance(layer, PIXELWISE):
            images.update(call.outputs)
        elif not isinstance(layer, keras.layers.Rescaling) or np.max(np.abs(layer.scale)) > 0.1:
            return False
    return True
