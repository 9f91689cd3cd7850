"""The code of docs/explanation/drawn-weights.md."""


def test_load():
    # --8<-- [start:load]
    import keras_hpa

    model = keras_hpa.GapNet(
        (128, 128, 2), num_classes=5, weights="drawn", channels={"nucleus": "dapi", "protein": "gfp"}
    )
    # --8<-- [end:load]
    assert model.output_shape == (None, 5)
