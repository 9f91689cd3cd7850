"""Every family of keras.applications under four channels: built, saved, loaded in a new process, trained one step.

    python benchmarks/backbones.py

Prints a Markdown table: the smallest member of each family, and InceptionResNetV2, with both adapters and random
weights. One process builds and saves, another, which imports nothing but keras_hpa, loads and predicts; the largest
difference of their outputs stands in the table. Models of more than 30 million parameters are not trained.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np

import keras_hpa

BACKBONES = (
    "ConvNeXtTiny",
    "DenseNet121",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "InceptionResNetV2",
    "InceptionV3",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Small",
    "NASNetMobile",
    "ResNet50",
    "ResNet50V2",
    "VGG16",
    "Xception",
)
LARGEST_TRAINED = 30_000_000
LOAD_AND_PREDICT = """
import sys, numpy, keras_hpa, keras
folder = sys.argv[1]
model = keras.saving.load_model(f"{folder}/model.keras")
numpy.save(f"{folder}/loaded.npy", keras.ops.convert_to_numpy(model(numpy.load(f"{folder}/images.npy"))))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", nargs="+", default=BACKBONES)
    parser.add_argument("--adapters", nargs="+", default=("mixer", "inflate"))
    parser.add_argument("--image-size", type=int, default=96)
    args = parser.parse_args()
    print("| backbone | adapter | parameters | largest difference after loading | one training step |")
    print("| --- | --- | --- | --- | --- |", flush=True)
    for backbone in args.backbones:
        for adapter in args.adapters:
            with tempfile.TemporaryDirectory() as folder:
                print(
                    f"| {backbone} | {adapter} | {row(backbone, adapter, args.image_size, Path(folder))} |", flush=True
                )
            keras.backend.clear_session()


def row(backbone: str, adapter: str, size: int, folder: Path) -> str:
    keras.utils.set_random_seed(0)
    options = {"adapter": adapter, "matrix": "report" if adapter == "mixer" else None, "head": "gap"}
    model = keras_hpa.PretrainedClassifier(backbone, (size, size, 4), 28, weights=None, **options)
    images = np.random.default_rng(0).random((2, size, size, 4), "float32")
    outputs = keras.ops.convert_to_numpy(model(images))
    model.save(folder / "model.keras")
    np.save(folder / "images.npy", images)
    subprocess.run([sys.executable, "-c", LOAD_AND_PREDICT, folder], check=True)
    difference = np.abs(np.load(folder / "loaded.npy") - outputs).max()
    return f"{model.count_params():,} | {difference:.1g} | {train(model, images)}"


def train(model: keras.Model, images: np.ndarray) -> str:
    if model.count_params() > LARGEST_TRAINED:
        return f"not trained: over {LARGEST_TRAINED:,} parameters"
    labels = np.eye(28, dtype="float32")[: len(images)]
    before = [keras.ops.convert_to_numpy(weight.value).copy() for weight in model.trainable_weights]
    # Op by op: compiling a graph for one step takes longer than the step.
    model.compile("adam", "binary_crossentropy", run_eagerly=True)
    loss = float(model.train_on_batch(images, labels))
    after = [keras.ops.convert_to_numpy(weight.value) for weight in model.trainable_weights]
    moved = sum(not np.array_equal(new, old) for new, old in zip(after, before, strict=True))
    return f"loss {loss:.3f}, {moved} of {len(before)} weights moved"


if __name__ == "__main__":
    main()
