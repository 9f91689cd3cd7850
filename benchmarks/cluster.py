"""Scoring by actors of Ray against `predict_scores`, and what a run on a cluster will take.

    python benchmarks/cluster.py --measure                # the tables, and parts.json
    python benchmarks/cluster.py --samples 10000000 --nodes 20 --cores 32 --bytes 1048576 --score 0.25

Measured: small drawings from a pack, few of them, repeated by index. Each process has one thread for the network and
one that reads. The clock runs from when all processes have asked for their first sample, which waits for the others,
to when the last score is written: no start of a process counts, neither of Ray nor of a plain one. Ways take turns,
and ratios are those of medians, because a machine that others use is never twice as fast.
The processor time of the processes themselves depends less on what else runs.
Memory is the peak of the process that calls `cluster.score`, which begins fresh.

Computed: core-seconds from the measured parts, in processor time, and the bytes of images over each node's network and
the storage's. What takes longest binds.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import keras_hpa
from keras_hpa import cluster

SIZE, BATCH, BLOCK, DRAWN, CLASSES = 64, 64, 4096, 64, 28
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
WAYS = {"plain, 1": 1, "actors, 1": 1, "plain, 2": 2, "actors, 2": 2}
PARTS = {  # as --measure found them
    "read": 9.7e-6,
    "score": 2.1e-4,
    "overhead": 0.013,
    "start": 7.2,
    "driver_mb": 147.0,
    "actor_mb": 1010.0,
    "id_bytes": 70.0,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--count", type=int, default=60_000, help="drawings of each measured run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", type=Path, help="what --measure wrote; the figures of the page unless given")
    parser.add_argument("--samples", type=int, default=10_000_000)
    parser.add_argument("--nodes", type=int, default=20)
    parser.add_argument("--cores", type=int, default=32, help="of a node, each with an actor")
    parser.add_argument("--bytes", type=float, default=2**20, help="of a sample in the storage")
    parser.add_argument("--read", type=float, help="seconds to read and decode a sample; as measured unless given")
    parser.add_argument("--score", type=float, help="seconds to score a sample on a core; as measured unless given")
    parser.add_argument("--node-gbit", type=float, default=10.0, help="network of a node, gigabits a second")
    parser.add_argument("--storage-gbit", type=float, default=40.0, help="the storage, gigabits a second")
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(*args.work)
    elif args.measure:
        measure(args)
    else:
        print_forecast(args, PARTS if args.parts is None else json.loads(args.parts.read_text()))


def print_forecast(args: argparse.Namespace, parts: dict[str, float]) -> None:
    given = {name: getattr(args, name) for name in ("read", "score") if getattr(args, name) is not None}
    found = forecast({**parts, **given}, args.samples, args.nodes, args.cores, args.bytes, args)
    print(f"{args.samples:,} samples of {args.bytes / 2**20:.3g} MiB, {args.nodes} nodes of {args.cores} cores")
    for name in ("cores", "network of the nodes", "storage"):
        print(f"{name}: {found[name] / 3600:.2f} hours")
    print(f"it takes {found['seconds'] / 3600:.2f} hours; what binds: {found['binds']}")
    print(f"memory: {found['driver_mb']:.0f} MB where it is called, {found['node_mb'] / 1024:.1f} GiB on each node")
    print(f"over the wire: {found['wire'] / 2**40:.2f} TiB of images, {found['written'] / 2**30:.2f} GiB of scores")


def forecast(
    parts: dict[str, float], samples: int, nodes: int, cores: int, size: float, args: argparse.Namespace
) -> dict:
    """Seconds, memory and bytes of a run, and what takes longest."""
    core_seconds = samples * (parts["read"] + parts["score"]) * (1 + parts["overhead"])
    bits = 8.0 * samples * size
    took = {
        "cores": core_seconds / (nodes * cores),
        "network of the nodes": bits / (nodes * args.node_gbit * 1e9),
        "storage": bits / (args.storage_gbit * 1e9),
    }
    binds = max(took, key=took.__getitem__)
    ids = samples * parts["id_bytes"] / 2**20
    return {
        **took,
        "binds": binds,
        "seconds": took[binds] + parts["start"],
        "driver_mb": parts["driver_mb"] + 2 * ids,  # the ids, and the copy that is sent
        "node_mb": cores * (parts["actor_mb"] + ids),
        "wire": samples * size,
        "written": samples * (4 * CLASSES + 24),  # an id and its scores
    }


def measure(args: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, __file__, "--work", "prepare", name, "0", "0"], check=True)
        took: dict[str, list[float]] = {way: [] for way in WAYS}
        used: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(args.rounds):
            for way, number in WAYS.items():
                found = run(way.split(",")[0], folder, args.count, number)
                took[way].append(found["seconds"])
                used[way].append(found["cpu"])
        median = {way: float(np.median(values)) for way, values in took.items()}
        print(
            f"{os.cpu_count()} cores, {args.count:,} drawings of {SIZE} pixels, medians of {args.rounds} runs in turn"
        )
        print("| processes | `predict_scores`, a shard each | `cluster.score` | of its speed | processor time, times |")
        print("| ---: | ---: | ---: | ---: | ---: |")
        for number in (1, 2):
            plain, actors = median[f"plain, {number}"], median[f"actors, {number}"]
            work = np.median(used[f"actors, {number}"]) / np.median(used[f"plain, {number}"])
            print(f"| {number} | {plain:.1f} s | {actors:.1f} s | {plain / actors:.2f} | {work:.2f} |")
        print(f"two actors are {median['actors, 1'] / median['actors, 2']:.2f} times as fast as one")
        for name, values in (("seconds", took), ("processor seconds", used)):
            each = "; ".join(f"{way}: {' '.join(f'{one:.1f}' for one in values[way])}" for way in WAYS)
            print(f"<!-- {name}: {each} -->")
        parts = measure_parts(folder, used, args)
        print(f"parts: {json.dumps(parts)}")
        Path("parts.json").write_text(json.dumps(parts))
        compare(folder, parts, args)


def compare(folder: Path, parts: dict[str, float], args: argparse.Namespace) -> None:
    """The forecast beside measured runs of other lengths and numbers of actors."""
    print("\n| actors | drawings | computed | measured | memory of the caller |\n| ---: | ---: | ---: | ---: | ---: |")
    runs = [(number, count) for number in (1, 2, 4) for count in (600, 6_000, 60_000)]
    for number, count in runs:
        found = run("actors", folder, count, number)
        cores = min(number, os.cpu_count() or 1)
        took = forecast(parts, count, 1, cores, SIZE * SIZE * 4, args)["cores"]
        row = (number, f"{count:,}", f"{took:.1f} s", f"{found['seconds']:.1f} s", f"{found['memory_mb']:.0f} MB")
        print(f"| {' | '.join(map(str, row))} |", flush=True)


def measure_parts(folder: Path, used: dict[str, list[float]], args: argparse.Namespace) -> dict[str, float]:
    source, passes = Repeated(folder, 6_000, 0), []
    for _ in range(7):  # the quickest: what else runs on the machine makes some slow
        start = time.perf_counter()
        for _ in keras_hpa.MultiChannelSequence(source, batch_size=BATCH, workers=0):
            pass
        passes.append((time.perf_counter() - start) / len(source))
    read = min(passes)
    found = run("actors", folder, 6_000, 1)
    plain, actors = (float(np.median(used[way])) for way in ("plain, 1", "actors, 1"))  # processor seconds
    import cloudpickle

    longer = Repeated(folder, 12_000, 0)
    return {
        "read": read,
        "score": plain / args.count - read,
        "overhead": max(0.0, actors / plain - 1),
        "start": found["start"],
        "driver_mb": found["memory_mb"],
        "actor_mb": found["actor_mb"],
        "id_bytes": (len(cloudpickle.dumps(longer)) - len(cloudpickle.dumps(source))) / 6_000 + 49,  # a text's own
    }


def run(way: str, folder: Path, count: int, number: int) -> dict[str, float]:
    for old in (*folder.glob("there-*"), *folder.glob("used-*")):
        old.unlink()
    command = [sys.executable, __file__, "--work", way, str(folder), str(count), str(number)]
    environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0"} | ONE_THREAD
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    memory, seconds = np.array([one.read_text().split() for one in folder.glob("used-*")], float).T
    return json.loads(answer.stdout.splitlines()[-1]) | {"actor_mb": memory.max(), "cpu": seconds.sum()}


def work(way: str, name: str, count: str, number: str) -> None:
    folder, num_samples, num_processes = Path(name), int(count), int(number)
    if way == "prepare":
        prepare(folder)
        return
    if way == "plain":
        command = [sys.executable, __file__, "--work"]
        parts = [[f"part-{one}", name, count, number] for one in range(num_processes)]
        processes = [subprocess.Popen([*command, *part]) for part in parts]
        codes = [process.wait() for process in processes]
        assert not any(codes), codes
        ended = max(float((folder / f"ended-{one}").read_text()) for one in range(num_processes))
        print(json.dumps({"seconds": ended - began(folder)}))
        return
    if way.startswith("part-"):
        part = int(way.partition("-")[2])
        predict_part(Repeated(folder, num_samples, num_processes), folder, part, num_processes)
        return
    with tempfile.TemporaryDirectory(dir=folder) as output:
        called = time.time()
        cluster.score(
            folder / "model.keras",
            Repeated(folder, num_samples, num_processes),
            output,
            num_workers=num_processes,
            batch_size=BATCH,
            block_size=min(BLOCK, num_samples // (2 * num_processes)),
            verbose=0,
        )
        blocks = list(Path(output, "scores").iterdir())
        values = {
            "seconds": max(block.stat().st_mtime for block in blocks) - began(folder),
            "start": began(folder) - called,
            "memory_mb": peak_memory_mb(),
        }
    print(json.dumps(values))


def prepare(folder: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    keras_hpa.GapNet((SIZE, SIZE, 4), CLASSES, variant="light").save(folder / "model.keras")
    keras_hpa.SyntheticAtlas(DRAWN, image_size=SIZE).samples.packed(folder / "pack", verbose=0)


def predict_part(source: "Repeated", folder: Path, part: int, num_processes: int) -> None:
    import keras

    model = keras.saving.load_model(folder / "model.keras", compile=False)
    shard = keras_hpa.subset(source, np.arange(part, len(source), num_processes))
    scores = keras_hpa.predict_scores(
        model, keras_hpa.MultiChannelSequence(shard, batch_size=BATCH, workers=1), verbose=0
    )
    np.save(folder / f"scores-{part}", scores)
    (folder / f"ended-{part}").write_text(str(time.time()))


def began(folder: Path) -> float:
    """When the last process asked for its first sample."""
    return max(path.stat().st_mtime for path in folder.glob("there-*"))


def peak_memory_mb() -> float:
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024


class Repeated:
    """A few drawings as many; who reads the first one waits until so many processes do."""

    channels = keras_hpa.atlas.CHANNELS

    def __init__(self, folder: Path, num_samples: int, num_processes: int):
        self.folder, self.num_processes = folder, num_processes
        self.pack = keras_hpa.PackedSource(folder / "pack")
        self.ids = tuple(f"plate 1, well {index}" for index in range(num_samples))
        self.is_first = True

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, index: int) -> np.ndarray:
        if self.is_first and self.num_processes:
            self.is_first = False
            self.used_before = time.process_time()
            (self.folder / f"there-{os.getpid()}").touch()
            while len(list(self.folder.glob("there-*"))) < self.num_processes:
                time.sleep(0.001)
        if index % 256 < self.num_processes:
            used = time.process_time() - self.used_before
            (self.folder / f"used-{os.getpid()}").write_text(f"{peak_memory_mb()} {used}")
        return self.pack.read(index % len(self.pack))


if __name__ == "__main__":
    main()
