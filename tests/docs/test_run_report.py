"""The code of docs/how-to/run-report.md."""

import keras

import keras_hpa


def test_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    validation = keras_hpa.SyntheticAtlas(12, image_size=32, balance="uniform").samples
    model = keras_hpa.GapNet((32, 32, 4), num_classes=28, variant="light")
    model.compile("adam", "binary_crossentropy", metrics=[keras_hpa.MacroF1()])
    history = model.fit(validation.batches(batch_size=6), epochs=2, verbose=0)
    # --8<-- [start:write]
    scores = keras_hpa.predict_scores(model, validation.batches(), verbose=0)
    calibrator = keras_hpa.ThresholdCalibrator(class_names=validation.class_names).fit(scores, validation.labels)
    keras_hpa.report.write_report(
        "report.html", validation, scores, calibrator, title="GapNet, light", model=model, histories=history
    )
    # --8<-- [end:write]
    train = keras_hpa.SyntheticAtlas(12, image_size=32, balance="uniform", seed=1).samples
    # --8<-- [start:neighbours]
    found = keras_hpa.nearest_samples(
        keras_hpa.embed(model, validation, verbose=0), keras_hpa.embed(model, train, verbose=0), train.labels
    )
    keras_hpa.report.write_report(
        "report.html", validation, scores, calibrator, model=model, neighbours=found, reference=train
    )
    # --8<-- [end:neighbours]
    assert "annotated samples that are most like it" in (tmp_path / "report.html").read_text(encoding="utf-8")
    keras_hpa.report.write_report(
        "report.html", validation, scores, calibrator, title="GapNet, light", model=model, histories=history
    )
    assert isinstance(history, keras.callbacks.History)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    for text in ("GapNet, light", "Nucleoplasm", "fitted on others", "What to look at", "Settings"):
        assert text.lower() in html.lower(), text
    assert "http://" not in html.replace("http://www.w3.org", "")
