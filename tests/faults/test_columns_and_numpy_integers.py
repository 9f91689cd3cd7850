"""Columns of pandas tables and NumPy integers go wherever lists and integers go, and mean the same."""

import json

import keras
import numpy as np
import pytest

import keras_hpa as kh
from keras_hpa import plots, thresholds
from keras_hpa.data import ArraySource, MultiChannelSequence, PackedSource, Samples

pd = pytest.importorskip("pandas")

_RANDOM = np.random.default_rng(0)
_IMAGES = _RANDOM.uniform(size=(6, 8, 8, 2)).astype("float32")
_LABELS = _RANDOM.integers(0, 2, (6, 3)).tolist()
_SCORES = _RANDOM.uniform(size=(6, 3)).tolist()
_GROUPS, _IDS, _CLASSES = ["x", "x", "y", "y", "z", "z"], list("abcdef"), ["Golgi", "Cytosol", "Actin"]


def _series(values):
    """A column whose index counts backwards, as that of a sorted table may; a table where rows are lists."""
    backwards = range(len(values))[::-1]
    return pd.DataFrame(values, index=backwards) if isinstance(values[0], list) else pd.Series(values, index=backwards)


def _array(values):
    return np.array(values)


def _nullable(values):
    return _series(values).convert_dtypes()


_KINDS = {
    "a column, int64": (_series, np.int64),
    "a nullable column, uint8": (_nullable, np.uint8),
    "an array, int32": (_array, np.int32),
}


def _model():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, activation="sigmoid")]
    model = keras.Sequential([keras.Input((8, 8, 2)), *layers])
    model.compile("sgd", "binary_crossentropy")
    return model


def _source(columns=list):
    return ArraySource(_IMAGES, columns(_IDS), channels=columns(["dapi", "gfp"]))


def _batches(columns, integer, **options):
    sequence = MultiChannelSequence(_source(columns), columns(_LABELS), batch_size=integer(4), **options)
    images, labels = sequence[integer(0)]
    return images.mean(), labels.tolist(), len(sequence)


def _samples(columns, integer, path):
    samples = Samples(
        _source(columns),
        columns(_LABELS),
        class_names=columns(_CLASSES),
        groups=columns(_GROUPS),
        metadata={"plate": columns(_GROUPS)},
    )
    parts = [*samples.split(test_size=0.4, seed=integer(1)), *samples.folds(integer(2), seed=integer(3))[0]]
    chosen = samples[columns([4, 1])].ids, samples[columns(["f", "a"])].ids, samples[integer(2)].ids
    picked = samples[columns([True, False, True, False, False, False])].select_channels(columns(["gfp"])).channels
    return [part.ids for part in parts], chosen, picked, samples.class_names, samples.groups, samples.metadata


def _pack(columns, integer, path):
    packed = PackedSource.build(
        _source(columns), path / "pack", image_size=columns([4, 5]), workers=integer(1), verbose=integer(0)
    )
    return packed.ids, packed.channels, packed.shape, packed.read(integer(1)).tolist()


def _folder(columns, integer, path):
    source = ArraySource((_IMAGES * 255).astype("uint8"), columns(_IDS), channels=columns(["dapi", "gfp"]))
    kh.write_kaggle_folder(Samples(source, columns(_LABELS)), path / "folder", num_test=integer(2), verbose=0)
    files = kh.ChannelFiles(path / "folder" / "train", columns(_IDS[:4]), channels=columns(["gfp", "dapi"]))
    kh.write_submission(path / "submission.csv", columns(_IDS), columns(_LABELS))
    return files.read(integer(1)).tolist(), (path / "folder" / "train.csv").read_text()


def _calibrator(columns, integer, path):
    calibrator = kh.ThresholdCalibrator(class_names=columns(_CLASSES))
    calibrator.fit(columns(_SCORES), columns(_LABELS), columns([1.0, 2.0, 1.0, 1.0, 2.0, 1.0]))
    report = calibrator.report(num_resamples=integer(20), seed=integer(1))
    calibrator.save(path / "calibrator.json")
    return str(report), (path / "calibrator.json").read_text(), calibrator.predict(columns(_SCORES)).tolist()


def _rules(columns, integer, path):
    rules = [
        thresholds.MaxF1(beta=integer(2)),
        thresholds.Prevalence(columns([0.1, 0.2, 0.3])),
        thresholds.Shrink(integer(3)),
        thresholds.Auto(num_resamples=integer(5), seed=integer(2)),
        thresholds.Resampled(thresholds.MaxF1(min_support=integer(1)), num_resamples=integer(5), seed=integer(2)),
        thresholds.Fixed(columns([0.1, 0.2, 0.3])),
    ]
    fitted = [
        kh.ThresholdCalibrator(rule).fit(columns(_SCORES), columns(_LABELS)).thresholds_.tolist() for rule in rules
    ]
    crossed = [kh.cross_fit("max_f1", columns(_SCORES), columns(_LABELS), columns(_GROUPS), seed=integer(1))]
    return fitted, crossed


def _callbacks(columns, integer, path):
    reduce_lr = kh.ReduceLR(patience=integer(1), cooldown=integer(2), callback_metrics=columns(["mine"]))
    crossed = kh.CrossFittedMacroF1(
        (_IMAGES, columns(_LABELS)), groups=columns(_GROUPS), batch_size=integer(4), seed=integer(1)
    )
    model, logs = _model(), {}
    crossed.set_model(model)
    crossed.on_epoch_end(0, logs)
    return reduce_lr.patience, reduce_lr.cooldown, reduce_lr.callback_metrics, logs


def _scored(columns, integer, path):
    sequence = MultiChannelSequence(_source(), image_size=columns([8, 8]), batch_size=integer(4))
    options = {"tile_size": columns([8, 8]), "tile_overlap": 0.5, "path": path / "scores", "verbose": integer(0)}
    scores = kh.predict_scores(_model(), sequence, columns([0, 4]), **options)
    return scores.tolist(), kh.predict_scores(_model(), sequence, columns([0, 4]), **options).tolist()


def _configured(columns, integer, path):
    components = [
        kh.MacroF1(columns([0.1, 0.2, 0.3]), num_classes=integer(3)),
        kh.ThresholdLayer(columns([0.1, 0.2, 0.3])),
        kh.ChannelMixer(columns([[0.5, 0.5], [0.0, 1.0]])),
        kh.ScaleIntegers(integer(100)),
        kh.ClassBalancedCrossentropy(columns([10, 20, 30])),
        kh.WeightedSumLoss([kh.BinaryCrossentropy(name="one"), kh.MacroF1Loss(name="two")], columns([1.0, 0.5])),
    ]
    configs = [component.get_config() for component in components]
    for config in configs:
        config.pop("name", None)
    return json.loads(json.dumps(configs))


def _trained(columns, integer, path):
    model = keras.Sequential(
        [keras.Input((8, 8, 2)), keras.layers.Dense(2, name="one"), keras.layers.Dense(2, name="two")]
    )
    kh.train_only(model, columns(["one", "two"]), freeze=columns(["two"]))
    kh.reestimate_batch_norm(model, [_IMAGES], steps=integer(1))
    return [layer.trainable for layer in model.layers]


def _text(columns, integer, path):
    parsed = kh.parse_labels(columns(["actin", "1 0"]), columns(_CLASSES), ids=columns(["a", "b"]))
    counted = kh.parse_labels(columns(["0", "1 2"]), integer(3))
    return parsed.tolist(), counted.tolist(), kh.format_labels(columns(_LABELS), class_names=columns(_CLASSES))


def _figures(columns, integer, path):
    history = {"loss": columns([3.0, 2.0, 1.0, 0.5]), "val_loss": columns([2.0, 1.0])}
    curves = plots.plot_learning_curves(history, columns(["loss"]), validation_freq=columns([2, 4]))
    channels = plots.plot_channels(_IMAGES[0], columns(["dapi", "gfp"]))
    calibrator = kh.ThresholdCalibrator().fit(_SCORES, _LABELS)
    bars = plots.plot_thresholds(calibrator, class_names=columns(_CLASSES))
    lines = [line.get_xydata().tolist() for line in curves.axes[0].lines]
    return (
        lines,
        [axes.get_title() for axes in channels.axes],
        [one.get_text() for one in bars.axes[0].get_yticklabels()],
    )


def _drawn(columns, integer, path):
    atlas = kh.SyntheticAtlas(integer(2), image_size=columns([64, 64]), seed=integer(1))
    return atlas.read(integer(1)).mean(), kh.apply_symmetry(atlas.read(0), integer(3)).mean(), atlas.ids


def _networks(columns, integer, path):
    gapnet = kh.GapNet(
        (integer(32), integer(32), integer(2)),
        integer(3),
        variant="light",
        filters=columns([4, 4, 4]),
        depths=columns([1, 1, 1]),
        head_units=columns([8]),
        head_dropout=columns([0.25]),
        stem_strides=integer(2),
    )
    gapnet.save(path / "gapnet.keras")
    backbone = keras.applications.MobileNetV2((32, 32, 3), include_top=False, weights=None)
    joined = kh.multi_level_gap(backbone, columns([8, 16]), squeeze_excite=integer(8))
    inflated = kh.inflate_channels(backbone, integer(5))
    classifier = kh.PretrainedClassifier(
        "MobileNetV2", (integer(32), integer(32), integer(3)), integer(4), weights=None, head="gap"
    )
    models = (gapnet, joined, inflated, classifier)
    return [(model.input_shape, model.output_shape, model.count_params()) for model in models]


def _activation_maps(columns, integer, path):
    keras.utils.set_random_seed(0)
    gapnet = kh.GapNet((32, 32, 2), 3, variant="light")
    maps = kh.class_activation_maps(gapnet, np.ones((1, 32, 32, 2)), columns([2, 0]), batch_size=integer(1))
    return maps.shape, [round(float(maps[..., one].mean()), 4) for one in range(2)]


_DOORS = {
    "networks": _networks,
    "activation maps": _activation_maps,
    "batches": lambda columns, integer, path: _batches(columns, integer, seed=integer(1), shuffle=True),
    "sizes": lambda columns, integer, path: _batches(columns, integer, image_size=columns([4, 6])),
    "size": lambda columns, integer, path: _batches(columns, integer, image_size=integer(4), max_value=integer(2)),
    "epochs": lambda columns, integer, path: _batches(
        columns, integer, batches_per_epoch=integer(3), initial_epoch=integer(2), augment=columns(["dihedral"])
    ),
    "shards": lambda columns, integer, path: _batches(columns, integer, shard=columns([0, 2]), sampler="rare_labels"),
    "workers": lambda columns, integer, path: _batches(columns, integer, workers=integer(1), max_queue_size=integer(1)),
    "samples": _samples,
    "subset": lambda columns, integer, path: kh.subset(_source(), columns([3, 1])).ids,
    "split": lambda columns, integer, path: [
        part.tolist() for part in kh.stratified_split(columns(_LABELS), 0.4, columns(_GROUPS), seed=integer(2))
    ],
    "duplicates": lambda columns, integer, path: kh.near_duplicate_groups(
        _source(columns), workers=integer(1), verbose=integer(0)
    ).tolist(),
    "validate": lambda columns, integer, path: str(kh.validate(_source(columns), workers=integer(1), verbose=0)),
    "pack": _pack,
    "folder": _folder,
    "calibrator": _calibrator,
    "rules": _rules,
    "callbacks": _callbacks,
    "scores": _scored,
    "configurations": _configured,
    "training": _trained,
    "label texts": _text,
    "figures": _figures,
    "drawings": _drawn,
}


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("door", _DOORS)
def test_columns_are_lists_and_numpy_integers_are_integers(door, kind, tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "other").mkdir()
    expected = _DOORS[door](list, int, tmp_path / "plain")
    assert _DOORS[door](*_KINDS[kind], tmp_path / "other") == expected


class _Numbered:
    """A source whose ids are numbers."""

    ids, channels = tuple(range(6)), ("dapi", "gfp")

    def __len__(self):
        return 6

    def read(self, index):
        return _IMAGES[index]


_READERS = {
    "array": lambda path: ArraySource(_IMAGES, range(6)),
    "files": lambda path: kh.ChannelFiles(path, np.arange(6), channels=["dapi"]),
    "samples": lambda path: Samples(_Numbered()),
    "batches": lambda path: MultiChannelSequence(_Numbered()),
    "pack": lambda path: PackedSource.build(_Numbered(), path / "pack", verbose=0),
    "missing id": lambda path: ArraySource(_IMAGES, pd.Series(["a", pd.NA, *"cdef"])),
    "missing channel": lambda path: ArraySource(_IMAGES, channels=pd.Series(["a", None])),
}


@pytest.mark.parametrize("read", _READERS.values(), ids=_READERS.keys())
def test_ids_that_are_no_texts_are_refused_at_once(read, tmp_path):
    with pytest.raises(ValueError, match=r"must be .*text.* Received: "):
        read(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("missing", [None, np.nan, "NA", "NaT"])
def test_missing_labels_are_one_kind_of_error(missing):
    table = pd.DataFrame(_LABELS).astype(object)
    table.iloc[3, 1] = getattr(pd, missing) if isinstance(missing, str) else missing
    for take in (
        lambda: MultiChannelSequence(_source(), table),
        lambda: Samples(_source(), table),
        lambda: kh.ThresholdCalibrator().fit(_SCORES, table),
        lambda: kh.stratified_split(table),
    ):
        with pytest.raises(ValueError, match=r"`(labels|y_true)` must .*Received: "):
            take()


@pytest.mark.parametrize("missing", [None, np.nan, "NA", "NaT"])
def test_missing_groups_are_one_kind_of_error(missing):
    groups = pd.Series(_GROUPS, dtype=object)
    groups.iloc[2] = getattr(pd, missing) if isinstance(missing, str) else missing
    with pytest.raises(ValueError, match=r"`groups` must name a group for every sample.*at positions \[2\]"):
        kh.stratified_split(_LABELS, 0.4, groups)


@pytest.mark.parametrize("value", [True, 2.0, "2", None])
@pytest.mark.parametrize("name", ["patience", "cooldown"])
def test_what_is_no_integer_is_refused(name, value):
    if name == "patience" and value is None:
        pytest.skip("the preset's")
    with pytest.raises(ValueError, match=f"`{name}` must be a number of epochs"):
        kh.ReduceLR(**{name: value})
