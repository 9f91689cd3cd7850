"""Holds the embedded data set against real images of the Human Protein Atlas.

    KERAS_HPA_DATA=FOLDER python benchmarks/synthetic_atlas.py statistics judge scales speed pictures

statistics: mean, spread, correlation, spectrum and nuclei of real and drawn samples, in one table.
judge:      what the published GapNet-PL network, which has only seen real cells, makes of the drawings.
scales:     how well that network knows the real cells, by the `scale` of `GapNetPLPreprocessing`.
speed:      the cost of drawing, as a multiple of a Gaussian filter in the same run.
pictures:   real and drawn fields side by side (--pictures-to; real images are competition data and are not committed).
"""

import argparse
import itertools
import os
import time
from pathlib import Path

import cv2
import numpy as np
from gapnet_pl import GapNetPL
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score
from trials import in_memory

import keras_hpa
from keras_hpa import atlas

_BANDS = (1, 4, 16, 64, 256)  # cycles per field


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["statistics", "judge", "scales", "speed", "pictures"])
    parser.add_argument("--data", type=Path, default=os.environ.get("KERAS_HPA_DATA"))
    parser.add_argument("--samples", type=int, default=300, help="drawn samples for statistics and judge")
    parser.add_argument(
        "--judge-size", type=int, default=2048, help="pixels to which a field is enlarged for the judge"
    )
    parser.add_argument("--pictures-to", type=Path, default=Path("out"), help="where real beside drawn goes")
    args = parser.parse_args()
    samples = keras_hpa.load_kaggle(Path(args.data) / "atlas_sample")
    real, real_labels = in_memory(samples.read, range(len(samples))), samples.labels
    if "statistics" in args.parts:
        _compare_statistics(real, args.samples)
    if "judge" in args.parts:
        judge = GapNetPL(Path(args.data) / "gapnet_pl" / "gapnet-pl.ckpt")
        _judge(judge, real, real_labels, args.samples, args.judge_size)
    if "scales" in args.parts:
        _compare_scales(Path(args.data) / "gapnet_pl" / "gapnet-pl.ckpt", real, real_labels)
    if "speed" in args.parts:
        _measure_speed()
    if "pictures" in args.parts:
        args.pictures_to.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(args.pictures_to / "real_and_synthetic.png"), _side_by_side(real))


def _compare_statistics(real: np.ndarray, samples: int) -> None:
    source = keras_hpa.SyntheticAtlas(samples, seed=1)
    drawn = in_memory(source.read, range(samples))
    print(f"| {len(real)} real, {samples} drawn (`balance='atlas'`) | real | drawn | drawn / real |")
    print("| --- | ---: | ---: | ---: |")
    for (name, expected), (_, found) in zip(_statistics(real), _statistics(drawn), strict=True):
        print(f"| {name} | {expected:.3f} | {found:.3f} | {found / expected:.2f} |")
    rng = np.random.default_rng(0)
    again = np.array([_correlations(real[rng.integers(len(real), size=len(real)), ::4, ::4]) for _ in range(200)])
    deviations = again.std(axis=0)
    print(f"Drawing the real fields again moves a correlation by {deviations.min():.3f} to {deviations.max():.3f}.")


def _statistics(images: np.ndarray) -> list[tuple[str, float]]:
    scaled = images.astype(np.float32) / 255
    flat = scaled.reshape(-1, 4)
    means = scaled.mean((1, 2))
    spectrum = np.mean([_spectrum(image) for image in scaled], axis=0)
    rows = [(f"mean, {name}", float(means[:, c].mean())) for c, name in enumerate(atlas.CHANNELS)]
    rows += [(f"standard deviation, {name}", float(flat[:, c].std())) for c, name in enumerate(atlas.CHANNELS)]
    rows += [(f"spread of the means of samples, {n}", float(means[:, c].std())) for c, n in enumerate(atlas.CHANNELS)]
    pairs = itertools.combinations(atlas.CHANNELS, 2)
    correlations = _correlations(scaled)
    rows += [(f"correlation, {a} and {b}", float(value)) for (a, b), value in zip(pairs, correlations, strict=True)]
    for channel, name in enumerate(atlas.CHANNELS):
        for band in range(len(_BANDS) - 1):
            span = f"{_BANDS[band]} to {_BANDS[band + 1]}"
            rows.append((f"share of power at {span} cycles a field, {name}", float(spectrum[channel, band])))
    rows.append(("nuclei per field", float(np.mean([_count_nuclei(image[..., 2]) for image in images]))))
    return rows


def _correlations(images: np.ndarray) -> np.ndarray:
    """Of every two channels, over all pixels."""
    return np.corrcoef(images.reshape(-1, images.shape[-1]).T)[np.triu_indices(images.shape[-1], 1)]


def _spectrum(image: np.ndarray) -> np.ndarray:
    """The share of a channel's power in each band of spatial frequencies, (channels, bands)."""
    size = len(image)
    window = np.outer(np.hanning(size), np.hanning(size))[..., None]
    power = np.abs(np.fft.fft2((image - image.mean((0, 1))) * window, axes=(0, 1))) ** 2
    frequency = np.fft.fftfreq(size) * size
    radius = np.hypot(frequency[:, None], frequency)
    bands = [power[(radius >= low) & (radius < high)].sum(0) for low, high in itertools.pairwise(_BANDS)]
    return (np.stack(bands) / np.maximum(np.sum(bands, axis=0), 1e-12)).T


def _count_nuclei(blue: np.ndarray) -> int:
    """Bright regions of the blue channel, larger than 15 square micrometres."""
    smooth = cv2.GaussianBlur(blue, (0, 0), 2)
    _, mask = cv2.threshold(smooth, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    areas = cv2.connectedComponentsWithStats(mask)[2][1:, cv2.CC_STAT_AREA]
    return int((areas * (164 / len(blue)) ** 2 > 15).sum())


def _judge(judge: GapNetPL, real: np.ndarray, real_labels: np.ndarray, samples: int, size: int) -> None:
    source = keras_hpa.SyntheticAtlas(samples, seed=2, balance="uniform")
    columns = []
    for images, labels in ((real, real_labels), ((source.read(i) for i in range(samples)), source.labels)):
        scores = np.stack([judge.predict(image, size) for image in images])
        truth = keras_hpa.gapnet_pl.to_gapnet_pl_classes(labels)
        enough = (truth.sum(0) >= 2) & (truth.sum(0) < len(truth))
        areas = [
            roc_auc_score(truth[:, c], scores[:, c]) if enough[c] else np.nan
            for c in range(len(keras_hpa.gapnet_pl.GAPNET_PL_CLASS_NAMES))
        ]
        columns.append((areas, truth.sum(0)))
    print(f"\n| AUC at {size} pixels | real | positives of {len(real)} | drawn | positives of {samples} |")
    print("| --- | ---: | ---: | ---: | ---: |")
    (known, known_count), (drawn, drawn_count) = columns
    for c, name in enumerate(keras_hpa.gapnet_pl.GAPNET_PL_CLASS_NAMES):
        print(f"| {name} | {known[c]:.2f} | {known_count[c]} | {drawn[c]:.2f} | {drawn_count[c]} |")
    print(f"| macro | {np.nanmean(known):.3f} | | {np.nanmean(drawn):.3f} | |")


def _compare_scales(checkpoint: Path, images: np.ndarray, labels: np.ndarray) -> None:
    truth = keras_hpa.gapnet_pl.to_gapnet_pl_classes(labels)
    enough = truth.sum(0) >= 2
    print(f"\n| `scale` | macro-AUC of {enough.sum()} classes on {len(images)} real samples |\n| --- | --- |")
    for scale in (1, 2, 4):
        preprocessing = keras_hpa.gapnet_pl.GapNetPLPreprocessing(scale=scale)
        shape = images.shape[1:]
        model = keras_hpa.GapNet(shape, 13, variant="gapnet-pl", weights=checkpoint, preprocessing=preprocessing)
        scores = model.predict(images, batch_size=2, verbose=0)
        print(f"| {scale} | {roc_auc_score(truth[:, enough], scores[:, enough], average='macro'):.3f} |", flush=True)


def _measure_speed() -> None:
    source = keras_hpa.SyntheticAtlas(140, image_size=(256, 256), balance="uniform")
    image = np.random.default_rng(0).random((256, 256, 4), np.float32)
    source.read(0)  # draws the textures that all samples share
    ratios, drawing, filtering = [], [], []
    for index in range(len(source)):
        start = time.perf_counter()
        source.read(index)
        middle = time.perf_counter()
        gaussian_filter(image, sigma=2)
        drawing.append(middle - start)
        filtering.append(time.perf_counter() - middle)
        ratios.append(drawing[-1] / filtering[-1])
    print(f"\ndrawing 256x256: {1e3 * np.mean(drawing):.1f} ms, Gaussian filter: {1e3 * np.mean(filtering):.1f} ms,")
    print(
        f"ratio of the means {np.mean(drawing) / np.mean(filtering):.2f}, median of the ratios {np.median(ratios):.2f}"
    )


def _side_by_side(real: np.ndarray) -> np.ndarray:
    """Rows of four fields, real and drawn in turn, merged and channel by channel."""
    source = keras_hpa.SyntheticAtlas(60, seed=1)
    rows = []
    for number in range(6):
        for image, kind in ((real[number * 9], "real"), (source.read(number), "drawn")):
            channels = [cv2.cvtColor(_stretch(image[..., c]), cv2.COLOR_GRAY2BGR) for c in (1, 0, 2, 3)]
            tiles = [cv2.resize(tile, (320, 320), interpolation=cv2.INTER_AREA) for tile in (_merge(image), *channels)]
            rows.append(_label(np.hstack(tiles), kind))
    return np.vstack(rows)


def _merge(image: np.ndarray) -> np.ndarray:
    return np.stack([_stretch(image[..., channel]) for channel in (2, 1, 0)], axis=-1)


def _stretch(channel: np.ndarray) -> np.ndarray:
    return np.clip(channel * (255 / max(float(np.percentile(channel, 99.7)), 20.0)), 0, 255).astype(np.uint8)


def _label(picture: np.ndarray, text: str) -> np.ndarray:
    picture = np.ascontiguousarray(picture)
    for color, width in (((0, 0, 0), 4), ((255, 255, 255), 1)):
        cv2.putText(picture, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, color, width, cv2.LINE_AA)
    return picture


if __name__ == "__main__":
    main()
