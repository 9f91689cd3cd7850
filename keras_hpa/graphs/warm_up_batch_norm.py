"""A network whose BatchNorm follows the training from the first step."""

import keras
import numpy as np

from keras_hpa.graphs.model_graph import Changes, is_functional, rebuild, trace
from keras_hpa.layers import WarmUpBatchNormalization


def warm_up_batch_norm(model: keras.Model, momentum: float = 0.99) -> keras.Model:
    """Rebuilds a functional model with `WarmUpBatchNormalization` in the place of every `BatchNormalization`.

    Weights and statistics are kept, and change nothing until the model is trained; models within it are rebuilt too.
    """
    graph, changes = trace(model), Changes()
    for call in graph.calls:
        layer = call.layer
        if layer in changes.layers:
            continue
        if is_functional(layer):
            changes.layers[layer] = warm_up_batch_norm(layer, momentum)
        elif type(layer) is keras.layers.BatchNormalization:
            new = WarmUpBatchNormalization.from_config(layer.get_config() | {"momentum": momentum})
            new.build(call.inputs[0].shape)
            new.set_weights([*layer.get_weights(), np.float32(0)])
            new.trainable = layer.trainable
            changes.layers[layer] = new
    return rebuild(model, graph, changes)
