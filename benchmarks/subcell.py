"""Is our SubCell the published one? Both with the same random weights, their outputs compared.

    python benchmarks/subcell.py --original SubCellPortable

compares all eight published configurations with the original code, a copy of
https://github.com/CellProfiling/SubCellPortable. That needs Torch and transformers==4.45.2, in an environment of its
own.

    python benchmarks/subcell.py --original SubCellPortable --write tests/models/subcell_original.npz

writes what the original computes at a small size, for the tests.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

_SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "layer_norm_eps": 1e-12,
    "image_size": 32,
    "patch_size": 8,
    "num_channels": 4,
    "qkv_bias": True,
}
_SMALL_SIZES = ((32, 32), (40, 24), (16, 72))
_OUTPUTS = ("embedding", "probabilities", "attention", "pool_attention")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--original", type=Path, required=True, help="folder of the original code")
    parser.add_argument("--write", type=Path, help="write the small arrays to this file and compare nothing")
    parser.add_argument("--only", nargs="*", default=[], help="configurations such as rybg/vit_supcon")
    parser.add_argument("--size", type=int, default=448, help="side of the crops")
    arguments = parser.parse_args()
    sys.path.insert(0, str(arguments.original))
    import vit_model

    if arguments.write:
        np.savez_compressed(arguments.write, **_small_arrays(vit_model))
        return
    print(f"| configuration | {' | '.join(_OUTPUTS)} | seconds |\n|{' --- |' * 6}")
    worst = 0.0
    for file in sorted(arguments.original.glob("models/*/*/model_config.yaml")):
        channels, variant = file.parent.parent.name, file.parent.name.removesuffix("_model")
        if not arguments.only or f"{channels}/{variant}" in arguments.only:
            started = time.perf_counter()
            differences = _compare(vit_model, file, channels, variant, arguments.size)
            worst = max(worst, *differences)
            cells = " | ".join(f"{one:.1e}" for one in differences)
            print(f"| {channels}/{variant} | {cells} | {time.perf_counter() - started:.0f} |", flush=True)
    if worst > 1e-4:
        sys.exit(f"The largest difference is {worst:.1e}, more than 1e-4")


def _compare(vit_model: ModuleType, file: Path, channels: str, variant: str, size: int) -> list[float]:
    """The largest difference in each output."""
    import torch
    import yaml

    import keras_hpa

    config = yaml.safe_load(file.read_text())
    network = vit_model.ViTPoolClassifier(config["model_config"])
    network.classifiers = torch.nn.ModuleList([network.make_classifier() for _ in config["classifier_paths"]])
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        # Livelier than an initialiser's, so that attention is far from uniform and norms are not all alike.
        for name, parameter in network.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(1 + 0.1 * noise if "layernorm" in name and name.endswith("weight") else 0.05 * noise)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("encoder.pth", *map(Path, config["classifier_paths"]))]
        paths = [Path(folder, path.name) for path in paths]
        for path, state in zip(paths, _as_published(network), strict=True):
            torch.save(state, path)
        converted = Path(folder, "subcell.weights.h5")
        keras_hpa.subcell.convert_subcell(paths[0], paths[1:], converted, channels=channels, variant=variant)
        model = keras_hpa.subcell.SubCell(channels, variant=variant, weights=converted, image_size=size)
        # The original reads its files as well: what it renames is part of what is compared.
        network.load_model_dict(str(paths[0]), [str(path) for path in paths[1:]])
    images = np.random.default_rng(1).gamma(2, 300, (1, size, size, len(channels))).astype("float32")
    theirs, ours = _theirs(network, images), _ours(model, images)
    return [float(np.abs(theirs[name] - ours[name]).max()) for name in _OUTPUTS]


def _as_published(network: Any) -> list[dict[str, Any]]:
    """The state of the network, named as in the published files."""
    encoder = {f"encoder.{name}": value for name, value in network.encoder.state_dict().items()}
    for name, value in network.pool_model.state_dict().items():
        encoder[f"pool_model.{name.replace('.0.', '.1.')}"] = value
    places = {"0": "0", "2": "3", "4": "6"}
    classifiers = [
        {f"{places[name[0]]}{name[1:]}": value for name, value in classifier.state_dict().items()}
        for classifier in network.classifiers
    ]
    return [encoder, *classifiers]


def _theirs(network: Any, images: np.ndarray) -> dict[str, np.ndarray]:
    import torch

    x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    lowest, highest = torch.amin(x, dim=(1, 2, 3), keepdim=True), torch.amax(x, dim=(1, 2, 3), keepdim=True)
    with torch.no_grad():
        output = network.eval()((x - lowest) / (highest - lowest + 1e-6))
    return {
        "embedding": output.pool_op.numpy(),
        "probabilities": output.probabilities.numpy(),
        "attention": output.attentions.numpy().transpose(0, 2, 3, 1),
        "pool_attention": output.pool_attn.numpy().transpose(0, 2, 3, 1),
    }


def _ours(model: Any, images: np.ndarray) -> dict[str, np.ndarray]:
    import keras

    import keras_hpa

    maps = keras_hpa.subcell.attention_model(model)
    outputs = [model.get_layer("embedding").output, model.output, *maps.outputs]
    values = keras.Model(model.inputs[0], outputs).predict(images, verbose=0)
    return dict(zip(_OUTPUTS, values, strict=True))


def _small_arrays(vit_model: ModuleType) -> dict[str, np.ndarray]:
    """Weights of few levels, which compress well, as int8 and a scale; images and what the original makes of them."""
    import torch

    pool = {"dim": _SMALL["hidden_size"], "int_dim": 12, "num_heads": 2}
    network = vit_model.ViTPoolClassifier({"vit_model": _SMALL, "pool_model": pool, "num_classes": 31})
    network.classifiers = torch.nn.ModuleList([network.make_classifier() for _ in range(2)])
    rng, arrays = np.random.default_rng(0), {}
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            levels = rng.integers(-3, 4, parameter.shape, dtype=np.int8)
            scale = np.float32(0.3 / np.sqrt(parameter.shape[-1]) if "classifiers" in name else 0.1)
            if "layernorm" in name and name.endswith("weight"):
                levels += np.int8(10)
            parameter.copy_(torch.from_numpy(levels * scale))
    for number, state in enumerate(_as_published(network)):
        file = "encoder" if number == 0 else f"classifier{number}"
        for name, value in state.items():
            values = value.numpy()
            scale = np.float32(0.3 / np.sqrt(values.shape[-1]) if file != "encoder" else 0.1)
            arrays[f"{file}:{name}"] = np.round(values / scale).astype(np.int8)
            arrays[f"{file}:{name}:scale"] = scale
    for height, width in _SMALL_SIZES:
        images = rng.integers(0, 60, (2, height, width, 4)).astype("float32")
        arrays[f"{height}x{width}:images"] = images.astype(np.uint8)
        arrays |= {f"{height}x{width}:{name}": value for name, value in _theirs(network, images).items()}
    return arrays


if __name__ == "__main__":
    main()
