"""A small SubCell against what the original code computed: `benchmarks/subcell.py` wrote subcell_original.npz."""

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_hpa
from keras_hpa.models import load_subcell_checkpoint
from keras_hpa.models.vision_transformer import TransformerSize
from keras_hpa.subcell import SUBCELL_CLASS_NAMES, SubCell, attention_model, convert_subcell

ORIGINAL = np.load(Path(__file__).with_name("subcell_original.npz"))
SMALL = TransformerSize(features=16, blocks=2, heads=2, hidden_units=24, patch=8, image=32)
SIZES = ((32, 32), (40, 24), (16, 72))


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr("keras_hpa.models.subcell.SIZE", SMALL)
    monkeypatch.setattr("keras_hpa.models.subcell.POOL_UNITS", 12)


def states():
    """The encoder's and both classifiers' tensors, named as in the published files."""
    names = [name for name in ORIGINAL.files if ":" in name and f"{name}:scale" in ORIGINAL.files]
    files = {"encoder": {}, "classifier1": {}, "classifier2": {}}
    for name in names:
        file, tensor = name.split(":")
        files[file][tensor] = ORIGINAL[name] * ORIGINAL[f"{name}:scale"]
    return list(files.values())


def original_model(**options):
    model = SubCell("rybg", image_size=options.pop("image_size", 32), **options)
    encoder, *classifiers = states()
    load_subcell_checkpoint(model, encoder, classifiers)
    return model


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_computes_what_the_original_computes(height, width):
    model = original_model(image_size=(height, width))
    outputs = [model.get_layer("embedding").output, model.output, *attention_model(model).outputs]
    images = ORIGINAL[f"{height}x{width}:images"].astype("float32")
    values = keras.Model(model.inputs[0], outputs).predict(images, verbose=0)
    for name, value in zip(("embedding", "probabilities", "attention", "pool_attention"), values, strict=True):
        expected = ORIGINAL[f"{height}x{width}:{name}"]
        assert expected.std() > 1e-3
        np.testing.assert_allclose(value, expected, atol=1e-5, rtol=1e-4)


def test_takes_any_size_and_integers():
    model = original_model(image_size=None, input_dtype="uint8")
    for height, width in SIZES:
        scores = model.predict(ORIGINAL[f"{height}x{width}:images"], verbose=0)
        np.testing.assert_allclose(scores, ORIGINAL[f"{height}x{width}:probabilities"], atol=1e-5)


def test_takes_the_channels_of_the_atlas():
    model = original_model(image_channels=["green", "yellow", "red", "blue", None])
    images = ORIGINAL["32x32:images"].astype("float32")  # red, yellow, blue, green
    images = np.concatenate([images[..., [3, 1, 0, 2]], np.full((2, 32, 32, 1), 1e6, "float32")], -1)
    np.testing.assert_allclose(model.predict(images, verbose=0), ORIGINAL["32x32:probabilities"], atol=1e-5)


@pytest.mark.parametrize(
    ("image_channels", "places"),
    [
        (["protein", "ER", "Microtubules", "nucleus"], [3, 1, 0, 2]),
        ({"nucleus": "dapi", "protein": "gfp", "microtubules": "tubulin", "er": "calreticulin"}, [2, 3, 0, 1]),
        (["red", "yellow", "blue", "green"], [0, 1, 2, 3]),
    ],
)
def test_takes_stains_by_the_names_that_gapnet_takes(image_channels, places):
    model = original_model(image_channels=image_channels)
    images = ORIGINAL["32x32:images"].astype("float32")[..., places]
    np.testing.assert_allclose(model.predict(images, verbose=0), ORIGINAL["32x32:probabilities"], atol=1e-5)


def test_a_stain_that_the_network_does_not_know_is_left_out(tmp_path):
    model = SubCell("bg", image_size=16)
    model.save_weights(tmp_path / "bg.weights.h5")
    stains = ["microtubules", "protein", "nucleus", "er"]
    arranged = SubCell("bg", image_size=16, weights=tmp_path / "bg.weights.h5", image_channels=stains)
    images = np.random.default_rng(0).random((2, 16, 16, 4), "float32")
    expected = model.predict(images[..., [2, 1]], verbose=0)
    np.testing.assert_allclose(arranged.predict(images, verbose=0), expected, atol=1e-6)


def test_softmax_is_the_mean_of_both_classifiers_softmax():
    model = original_model(combine="softmax")
    logits = [model.get_layer(f"classifier{number}_logits").output for number in (1, 2)]
    images = ORIGINAL["32x32:images"].astype("float32")
    shares = [np.exp(one) for one in keras.Model(model.inputs[0], logits).predict(images, verbose=0)]
    expected = np.mean([one / one.sum(1, keepdims=True) for one in shares], 0)
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-5)


@pytest.mark.parametrize("channels", ["rybg", "rbg", "ybg", "bg"])
@pytest.mark.parametrize("variant", ["mae_contrast_supcon", "vit_supcon"])
def test_the_eight_networks(channels, variant):
    model = SubCell(channels, variant=variant, image_size=16)
    classifiers = [layer.name for layer in model.layers if layer.name.endswith("_logits")]
    assert len(classifiers) == (2 if (channels, variant) == ("rybg", "mae_contrast_supcon") else 1)
    assert model.input_shape == (None, 16, 16, len(channels))


def test_other_classes_keep_everything_but_the_logits(tmp_path):
    model = original_model()
    model.save_weights(tmp_path / "subcell.weights.h5")
    own = SubCell("rybg", 5, weights=tmp_path / "subcell.weights.h5", image_size=32)
    assert own.output_shape == (None, 5)
    for layer in own.layers:
        if not layer.name.endswith("_logits"):
            for one, other in zip(layer.get_weights(), model.get_layer(layer.name).get_weights(), strict=True):
                np.testing.assert_array_equal(one, other)
    own.save_weights(tmp_path / "own.weights.h5")
    again = SubCell("rybg", 5, weights=tmp_path / "own.weights.h5", weights_num_classes=5, image_size=32)
    images = ORIGINAL["32x32:images"].astype("float32")
    np.testing.assert_allclose(again.predict(images, verbose=0), own.predict(images, verbose=0), atol=1e-6)


def test_converts_what_torch_wrote(tmp_path):
    torch = pytest.importorskip("torch")
    paths = [tmp_path / name for name in ("encoder.pth", "classifier_s0.pth", "classifier_s1.pth")]
    for path, state in zip(paths, states(), strict=True):
        torch.save({name: torch.from_numpy(value) for name, value in state.items()}, path)
    target = tmp_path / "subcell.weights.h5"
    convert_subcell(paths[0], paths[1:], target, channels="rybg", variant="mae_contrast_supcon")
    assert not list(tmp_path.glob(".*"))
    model = SubCell("rybg", weights=target, image_size=32)
    images = ORIGINAL["32x32:images"].astype("float32")
    np.testing.assert_allclose(model.predict(images, verbose=0), ORIGINAL["32x32:probabilities"], atol=1e-5)

    with pytest.raises(ValueError, match=r"layer 'patches' has weights of shapes .*Are `channels`"):
        convert_subcell(paths[0], paths[1], target, channels="bg", variant="vit_supcon")
    with pytest.raises(ValueError, match=r"`classifiers` must be 2 for this network\. Received: 1"):
        convert_subcell(paths[0], paths[1], target, channels="rybg", variant="mae_contrast_supcon")
    with pytest.raises(ValueError, match=r"`path` must end in \.weights\.h5\. Received: 'a\.h5'"):
        convert_subcell(paths[0], paths[1:], "a.h5", channels="rybg", variant="mae_contrast_supcon")
    with pytest.raises(FileNotFoundError, match=r"must be a `\.pth` file\. Received: 'nowhere\.pth'"):
        convert_subcell("nowhere.pth", paths[1], target, channels="bg", variant="vit_supcon")


def test_files_that_hold_more_than_tensors_or_are_damaged(tmp_path):
    torch = pytest.importorskip("torch")
    code, cut = tmp_path / "code.pth", tmp_path / "cut.pth"
    torch.save({"a": Path("x")}, code)
    with pytest.raises(ValueError, match=r"must be a file of tensors only\. Received: .*code\.pth"):
        convert_subcell(code, code, tmp_path / "a.weights.h5", channels="bg", variant="vit_supcon")
    torch.save({"a": torch.zeros(1000)}, cut)
    cut.write_bytes(cut.read_bytes()[:1000])
    with pytest.raises(OSError, match=r"cannot be read\. Received: .*cut\.pth"):
        convert_subcell(cut, cut, tmp_path / "a.weights.h5", channels="bg", variant="vit_supcon")


def test_a_file_that_lacks_a_tensor_or_has_another():
    encoder, *classifiers = states()
    model = SubCell("rybg", image_size=32)
    before = model.get_weights()
    lacking = {name: value for name, value in encoder.items() if not name.endswith("cls_token")}
    with pytest.raises(ValueError, match=r"file of the encoder must hold 'encoder\.embeddings\.cls_token'"):
        load_subcell_checkpoint(model, lacking, classifiers)
    with pytest.raises(ValueError, match=r"Received: \['encoder\.other'\] besides"):
        load_subcell_checkpoint(model, encoder | {"encoder.other": np.zeros(1)}, classifiers)
    with pytest.raises(ValueError, match=r"file of the classifier 2 .*Received: \['8\.bias'\] besides"):
        load_subcell_checkpoint(model, encoder, [classifiers[0], classifiers[1] | {"8.bias": np.zeros(1)}])
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_embeds_samples():
    samples = keras_hpa.Samples(keras_hpa.SyntheticAtlas(3, image_size=32).samples, pixel_sizes=0.08)
    model = SubCell("rybg", image_channels=keras_hpa.atlas.CHANNELS, image_size=32)
    found = keras_hpa.embed(model, samples.batches(image_size=32), verbose=0)
    named = keras_hpa.embed(model, samples.batches(image_size=32), "embedding", verbose=0)
    assert found.shape == (3, 32)
    np.testing.assert_array_equal(found, named)
    assert keras_hpa.embed(model, samples.batches(image_size=32), "norm", verbose=0).shape == (3, 16)


def test_scores_of_the_atlas():
    scores = np.random.default_rng(0).random((4, 31)).astype("float32")
    column = {name: scores[:, number] for number, name in enumerate(SUBCELL_CLASS_NAMES)}
    for combine, merge in (("sigmoid_mean", np.max), ("softmax", np.sum)):
        atlas = keras_hpa.subcell.to_atlas_scores(scores, combine=combine)
        unknown = {"Microtubule ends", "Microtubule organizing center", "Rods & rings"}
        for number, name in enumerate(keras_hpa.atlas.CLASS_NAMES):
            parts = {
                "Cell junctions": ["Cell Junctions"],
                "Centrosome": ["Centrosome", "Centriolar satellite"],
                "Nucleoli": ["Nucleoli", "Nucleoli rim"],
            }.get(name, [name])
            if name in unknown:
                assert np.isnan(atlas[:, number]).all()
            else:
                np.testing.assert_allclose(atlas[:, number], merge([column[part] for part in parts], 0), rtol=1e-6)
        cells = keras_hpa.subcell.to_single_cell_scores(scores, combine=combine)
        assert np.isfinite(cells).all()
        np.testing.assert_array_equal(cells[:, 18], column["Negative"])


def test_labels_of_single_cells_agree_with_the_map_of_the_atlas():
    for number, name in enumerate(SUBCELL_CLASS_NAMES):
        one = np.eye(31)[[number]]
        atlas, cells = keras_hpa.subcell.to_atlas_scores(one), keras_hpa.subcell.to_single_cell_scores(one)
        if np.nansum(atlas):
            labels = keras_hpa.atlas.to_single_cell_classes(np.nan_to_num(atlas).astype(int))
            np.testing.assert_array_equal(labels, cells, err_msg=name)
        else:
            assert name in ("Midbody", "Mitotic chromosome", "Vesicles", "Negative")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": "rgby"}, r"`channels` must be one of .*Received: 'rgby'"),
        ({"variant": "mae"}, r"`variant` must be one of .*Received: 'mae'"),
        ({"combine": "max"}, r"`combine` must be one of .*Received: 'max'"),
        ({"num_classes": 0}, r"`num_classes` must be a whole number of at least 1\. Received: 0"),
        ({"image_size": 4}, r"`image_size` must be at least 8 pixels\. Received: 4"),
        (
            {"image_channels": ["red", "green"]},
            r"`image_channels` must name all stains .* also endoplasmic reticulum, nucleus\. Received: \['red",
        ),
        ({"image_channels": "red"}, r"`image_channels` must name the stain of each .*Received: 'red'"),
        ({"image_channels": ["phase", "green"]}, r"`image_channels` must name the stain .*Received: \['phase"),
        ({"image_channels": ["blue", "nucleus"]}, r"`image_channels` must name each stain once"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SubCell(**options)


def test_attention_of_what_is_no_subcell():
    with pytest.raises(ValueError, match=r"`model` must be a SubCell\. Received: "):
        attention_model(keras_hpa.GapNet((32, 32, 4), 3))
    with pytest.raises(ValueError, match=r"`model` must have a known image size\. Received: \(None, None, None, 4\)"):
        attention_model(SubCell(image_size=None))


@pytest.mark.parametrize("num_classes", [31, 5])
def test_weights_are_loaded_whatever_channels_the_images_have(tmp_path, num_classes):
    original = original_model()
    original.save_weights(tmp_path / "subcell.weights.h5")
    channels = ["green", None, "blue", "yellow", "red"]
    model = SubCell(
        "rybg", num_classes, image_size=32, weights=tmp_path / "subcell.weights.h5", image_channels=channels
    )
    images = ORIGINAL["32x32:images"].astype("float32")
    arranged = np.stack([images[..., 3], 0 * images[..., 0], images[..., 2], images[..., 1], images[..., 0]], -1)
    features = [keras.Model(one.inputs[0], one.get_layer("embedding").output) for one in (original, model)]
    expected, embedding = features[0].predict(images, verbose=0), features[1].predict(arranged, verbose=0)
    np.testing.assert_allclose(embedding, expected, atol=1e-5)
    assert model.output_shape == (None, num_classes)


def test_saved_and_loaded(tmp_path):
    model = original_model(image_channels=["red", "yellow", "blue", "green"])
    model.save(tmp_path / "subcell.keras")
    images = ORIGINAL["32x32:images"].astype("float32")
    loaded = keras.saving.load_model(tmp_path / "subcell.keras")
    np.testing.assert_allclose(loaded.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-6)
