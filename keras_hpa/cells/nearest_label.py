"""Which region of a label image is nearest to each pixel."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from keras_hpa.cells.component_tree import Labels


def nearest_label(labels: Labels) -> tuple[npt.NDArray[np.float64], Labels]:
    """The distance of each pixel to the nearest region, in pixels, and the label of that region."""
    distance, nearest = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    return distance, labels[tuple(nearest)]
