import io

import numpy as np
import pytest

from keras_hpa import plots


def _cells():
    labels = np.zeros((30, 40), np.int32)
    labels[2:10, 3:12], labels[15:25, 5:20], labels[20:29, 30:40] = 2, 3, 7
    return np.zeros((30, 40, 2), np.uint8), labels


def test_cells_are_outlined_on_every_channel_and_the_merge():
    image, labels = _cells()
    figure = plots.plot_cells(image, labels, ["DAPI", "GFP"], title="field")
    assert [axes.get_title().strip().splitlines()[0] for axes in figure.axes] == ["DAPI", "GFP", "merge"]
    for axes in figure.axes:
        (drawn,) = axes.collections
        boxes = [(*path.vertices.min(0), *path.vertices.max(0)) for path in drawn.get_paths()]
        assert boxes == [(3, 2, 11, 9), (5, 15, 19, 24), (30, 20, 39, 28)]
        assert len(np.unique(drawn.get_colors(), axis=0)) == 3
    assert not figure.legends
    assert len(plots.plot_cells(image, labels, each_channel=False).axes) == 1
    assert len(plots.plot_cells(image, np.zeros_like(labels)).axes) == 3


def test_cells_have_the_colours_of_their_classes():
    image, labels = _cells()
    classes = [0, 1, 0, 0, 0, 0, -1]
    figure = plots.plot_cells(image, labels, classes=classes, class_names=["$a", "b"])
    colours = figure.axes[0].collections[0].get_colors()
    assert len(np.unique(colours, axis=0)) == 3
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["unknown", "$a", "b"]
    assert [tuple(patch.get_facecolor()) for patch in legend.get_patches()] == [tuple(colours[i]) for i in (2, 1, 0)]
    figure.savefig(io.BytesIO())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": np.zeros((30, 41), int)}, r"`labels` must hold .* \(30, 40\). Received: shape \(30, 41\)"),
        ({"labels": np.zeros((30, 40))}, "`labels` must hold whole numbers.*float64"),
        ({"labels": np.full((30, 40), -1)}, "`labels` must hold whole numbers from 0"),
        ({"classes": [1, 2]}, r"`classes` must hold a whole number for each of the 7 cells. Received: shape \(2,\)"),
        ({"classes": np.zeros(7)}, "`classes` must hold .*float64"),
        ({"classes": [0, 0, 5, 0, 0, 0, 0], "class_names": "ab"}, "`classes` must lie in -1 to 1. Received: 0 to 5"),
    ],
)
def test_cells_refuse_wrong_input(arguments, message):
    image, labels = _cells()
    with pytest.raises(ValueError, match=message):
        plots.plot_cells(image, **{"labels": labels} | arguments)
