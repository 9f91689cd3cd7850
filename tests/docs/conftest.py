import keras
import pytest


@pytest.fixture
def _short_trainings(monkeypatch):
    """The pages show trainings of many epochs. Here each has one, without a graph: making one takes longer."""
    compile_, fit = keras.Model.compile, keras.Model.fit

    def compile_eagerly(model, *args, **arguments):
        return compile_(model, *args, **{"run_eagerly": True, **arguments})

    def fit_one_epoch(model, *args, epochs=1, initial_epoch=0, **arguments):
        arguments["verbose"] = 0
        return fit(model, *args, epochs=initial_epoch + 1, initial_epoch=initial_epoch, **arguments)

    monkeypatch.setattr(keras.Model, "compile", compile_eagerly)
    monkeypatch.setattr(keras.Model, "fit", fit_one_epoch)
