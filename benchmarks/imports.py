"""What imports cost, in seconds of the processor: each in fresh processes, in turn, medians.

    python benchmarks/imports.py

The modules have been read before, as in all but the first start of a day.
"""

import argparse
import os
import subprocess
import sys

import numpy as np

_TIMED = """
import time
start = time.process_time()
{statement}
print(time.process_time() - start)
"""
_WITH_NUMPY = """
import time
start = time.process_time()
import numpy
numpy_there = time.process_time()
{statement}
print(numpy_there - start, time.process_time() - numpy_there)
"""
_WITHOUT_KERAS = ("from keras_hpa import load_folder", "from keras_hpa import Samples, PackedSource")
_WITH_KERAS = (
    "import keras",
    "import keras, keras_hpa",
    "import keras_hpa, keras",
    "from keras_hpa import MultiChannelSequence, GapNet",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="processes of each kind")
    parser.add_argument("--without-keras", action="store_true", help="leave out what takes minutes")
    arguments = parser.parse_args()
    rounds = arguments.rounds
    beside_numpy: dict[str, list[list[float]]] = {statement: [] for statement in _WITHOUT_KERAS}
    with_keras = () if arguments.without_keras else _WITH_KERAS
    beside_keras: dict[str, list[float]] = {statement: [] for statement in with_keras}
    for number in range(rounds + 1):
        for statement, times in beside_numpy.items():
            times.append(run(_WITH_NUMPY.format(statement=statement)))
        for statement, once in beside_keras.items():
            once += run(_TIMED.format(statement=statement))
        print(f"round {number} of {rounds}", file=sys.stderr)

    print("| After `import numpy` | seconds more | those of `import numpy` |\n| --- | ---: | ---: |")
    for statement, times in beside_numpy.items():
        base, more = np.median(times[1:], axis=0)  # the first reads the modules from the disk
        print(f"| `{statement}` | {more:.3f} | {base:.3f} |")
    if arguments.without_keras:
        return
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    print(f"\n| With Keras ({backend}) | seconds of the processor |\n| --- | ---: |")
    for statement, once in beside_keras.items():
        print(f"| `{statement}` | {np.median(once[1:]):.2f} |")


def run(program: str) -> list[float]:
    """The numbers that a program prints."""
    return [float(word) for word in subprocess.check_output([sys.executable, "-c", program], text=True).split()]


if __name__ == "__main__":
    main()
