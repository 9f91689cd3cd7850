"""The published weights of SubCell, read from Torch's files."""

import os
import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

State = Mapping[str, npt.NDArray[np.float32]]


def read_subcell_checkpoint(path: str | os.PathLike[str]) -> dict[str, npt.NDArray[np.float32]]:
    """The tensors of a `.pth` file by name. Nothing in the file is run.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if Torch is not installed.
        ValueError: if the file holds anything but tensors.
        OSError: if it is damaged.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"SubCell's weights must be a `.pth` file. Received: {os.fspath(path)!r}, no such file")
    try:
        import torch
    except ImportError as error:
        raise ImportError('Reading a `.pth` file needs Torch: pip install "keras-hpa[torch]"') from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"SubCell's weights must be a file of tensors only. Received: {os.fspath(path)!r}: {error}"
        ) from error
    except (RuntimeError, EOFError, OSError, LookupError) as error:
        raise OSError(f"SubCell's weights cannot be read. Received: {os.fspath(path)!r}: {error}") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f"SubCell's weights must be named tensors. Received: {os.fspath(path)!r}")
    return {name: value.float().numpy() for name, value in state.items()}


def load_subcell_checkpoint(model: keras.Model, encoder: State, classifiers: Sequence[State]) -> None:
    """Copies the tensors of an encoder's file, which holds the pooling too, and of the classifiers' into a `SubCell`.

    Raises:
        ValueError: if a tensor is missing, has another shape or has no place in the model; nothing is copied then.
    """
    layers = {layer.name: layer for layer in model.layers}
    count = sum(re.fullmatch(r"classifier\d+_logits", name) is not None for name in layers)
    if count != len(classifiers):
        raise ValueError(f"`classifiers` must be {count} for this network. Received: {len(classifiers)}")
    new: dict[str, list[npt.NDArray[np.float32]]] = {}
    tensors = _Tensors(encoder, "encoder")
    _read_transformer(tensors, layers, new)
    # The file was written by a network with dropout before these layers, which counts.
    for name, theirs in (("pool_tanh", "attention_v"), ("pool_gelu", "attention_u")):
        number = 1 if f"pool_model.{theirs}.1.weight" in encoder else 0
        new[name] = tensors.dense(f"pool_model.{theirs}.{number}")
    new["pool_scores"] = tensors.dense("pool_model.attention")
    tensors.check_all_used()
    for number, state in enumerate(classifiers, start=1):
        tensors = _Tensors(state, f"classifier {number}")
        places = ("0", "3", "6") if "6.weight" in state else ("0", "2", "4")  # with dropout, without
        for layer, place in zip(("dense1", "dense2", "logits"), places, strict=True):
            new[f"classifier{number}_{layer}"] = tensors.dense(place)
        tensors.check_all_used()
    _check_shapes(layers, new)
    for name, weights in new.items():
        layers[name].set_weights(weights)


def _read_transformer(tensors: "_Tensors", layers: Mapping[str, Any], new: dict[str, list[Any]]) -> None:
    embeddings = "encoder.embeddings"
    patches = f"{embeddings}.patch_embeddings.projection"
    new["patches"] = [tensors.take(f"{patches}.weight").transpose(2, 3, 1, 0), tensors.take(f"{patches}.bias")]
    new["tokens"] = [tensors.take(f"{embeddings}.cls_token"), tensors.take(f"{embeddings}.position_embeddings")]
    number = 1
    while (attention := layers.get(f"block{number}_attention")) is not None:
        ours, theirs = f"block{number}", f"encoder.encoder.layer.{number - 1}"
        heads = attention.get_config()["num_heads"]
        weights = []
        for part in ("query", "key", "value"):
            kernel, bias = tensors.dense(f"{theirs}.attention.attention.{part}")
            weights += [kernel.reshape(len(kernel), heads, -1), bias.reshape(heads, -1)]
        kernel, bias = tensors.dense(f"{theirs}.attention.output.dense")
        new[f"{ours}_attention"] = [*weights, kernel.reshape(heads, -1, kernel.shape[-1]), bias]
        new[f"{ours}_norm1"] = tensors.norm(f"{theirs}.layernorm_before")
        new[f"{ours}_norm2"] = tensors.norm(f"{theirs}.layernorm_after")
        new[f"{ours}_dense1"] = tensors.dense(f"{theirs}.intermediate.dense")
        new[f"{ours}_dense2"] = tensors.dense(f"{theirs}.output.dense")
        number += 1
    new["norm"] = tensors.norm("encoder.layernorm")


def _check_shapes(layers: Mapping[str, Any], new: Mapping[str, list[Any]]) -> None:
    for name, weights in new.items():
        expected, received = [w.shape for w in layers[name].get_weights()], [w.shape for w in weights]
        if expected != received:
            raise ValueError(
                f"The weights must fit the network: layer {name!r} has weights of shapes {expected}. "
                f"(Are `channels` and `variant` those of the file?) Received: {received}"
            )


class _Tensors:
    """The tensors of one file, and which of them have found a place."""

    def __init__(self, state: State, file: str) -> None:
        self._state, self._file = state, file
        self._used: set[str] = set()

    def take(self, name: str) -> npt.NDArray[np.float32]:
        if name not in self._state:
            names = sorted(self._state)[:5]
            raise ValueError(f"The file of the {self._file} must hold {name!r}. Received: {names}, ...")
        self._used.add(name)
        return np.asarray(self._state[name], "float32")

    def dense(self, name: str) -> list[npt.NDArray[np.float32]]:
        return [self.take(f"{name}.weight").T, self.take(f"{name}.bias")]

    def norm(self, name: str) -> list[npt.NDArray[np.float32]]:
        return [self.take(f"{name}.weight"), self.take(f"{name}.bias")]

    def check_all_used(self) -> None:
        # A file may hold more of its training, such as a decoder; what belongs to encoder or pooling must be known.
        unknown = [
            name
            for name in self._state
            if name not in self._used and (name.startswith(("encoder.", "pool_model.")) or self._file != "encoder")
        ]
        if unknown:
            raise ValueError(f"The file of the {self._file} must be SubCell's. Received: {unknown[:5]} besides")
