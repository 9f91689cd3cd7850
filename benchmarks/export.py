"""How fast ONNX Runtime runs GapNet beside Keras on this processor: the best of several batches, in turn.

python benchmarks/export.py [--size 256] [--batch 16] [--repeats 7]
"""

import argparse
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import onnxruntime

import keras_hpa


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", default="light")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    model = keras_hpa.GapNet((args.size, args.size, 4), 28, variant=args.variant, input_dtype="uint8")
    images = np.random.default_rng(0).integers(0, 256, (args.batch, args.size, args.size, 4), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        keras_hpa.export.onnx(model, path)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        runs = {
            f"Keras on {keras.backend.backend()}": lambda: model.predict_on_batch(images),
            "ONNX Runtime": lambda: session.run(None, {"images": images}),
        }
        seconds = {name: [] for name in runs}
        for _ in range(args.repeats + 1):  # the first is left out
            for name, run in runs.items():
                start = time.perf_counter()
                run()
                seconds[name].append(time.perf_counter() - start)
    for name, values in seconds.items():
        print(f"{name}: {args.batch / min(values[1:]):.0f} images a second of {args.size} pixels")


if __name__ == "__main__":
    main()
