"""How long after its start a new process has its first batch, beside a bare `import keras` and one decoded batch.

    python benchmarks/first_batch.py

32 samples of four channels are drawn and written as PNGs. The two programs take turns, each in fresh processes.
"""

import argparse
import subprocess
import sys
import tempfile

import numpy as np

import keras_hpa

SIZE, BATCH = 512, 32
BARE = """
import time
start = time.perf_counter()
import sys
from pathlib import Path
import keras
import numpy as np
from kornia_rs import io
paths = sorted(Path(sys.argv[1], "train").glob("*.png"))
batch = np.stack([io.decode_image_png_u8(path.read_bytes(), (512, 512), "mono") for path in paths])
print(time.perf_counter() - start)
"""
OURS = """
import time
start = time.perf_counter()
import sys
import keras
import keras_hpa
samples = keras_hpa.load_kaggle(sys.argv[1])
batch = next(iter(samples.batches(batch_size=32, dtype="source")))
print(time.perf_counter() - start)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9, help="processes of each kind")
    arguments = parser.parse_args()
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        keras_hpa.SyntheticAtlas(BATCH, image_size=(SIZE, SIZE)).save(folder)
        for _ in range(arguments.rounds + 1):
            seconds.append([run(program, folder) for program in (BARE, OURS)])
    bare, ours = np.array(seconds[1:]).T  # the first reads the modules from the disk
    more = ours - bare
    print(f"bare {np.median(bare):.2f} s, ours {np.median(ours):.2f} s")
    print(f"{np.median(more):+.2f} s more ({more.min():+.2f} to {more.max():+.2f})")


def run(program: str, folder: str) -> float:
    return float(subprocess.check_output([sys.executable, "-c", program, folder], text=True))


if __name__ == "__main__":
    main()
