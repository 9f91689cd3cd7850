"""Probabilities that mean what they say, fitted on scores of samples whose labels are known."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from keras_hpa.data import number_groups
from keras_hpa.files import not_as_expected, read_manifest, write_json
from keras_hpa.thresholds.calibration_maps import (
    POSITIVES_FOR_ISOTONIC,
    CalibrationMaps,
    fit_isotonic,
    fit_platt,
    fit_temperature,
)
from keras_hpa.thresholds.log_odds import log_odds
from keras_hpa.thresholds.score_checks import as_numbers, check_labels, check_scores, check_weights

if TYPE_CHECKING:
    from keras_hpa.thresholds.probability_layer import ProbabilityLayer

_Method = Literal["auto", "isotonic", "platt", "temperature"]
_FORMAT, _VERSION = "keras_hpa.ProbabilityCalibrator", 1
_LARGEST_LOGIT = 50.0


class ProbabilityCalibrator(TransformerMixin, BaseEstimator):
    """Turns scores into probabilities: of the samples with .7, seven in ten have the class.

    Networks are too sure, or know nothing of how often a class occurs. Whoever reads a score, adds scores up to
    expected counts, or weighs the cost of two mistakes needs a probability. Each class gets a map of its own, which
    only ascends, so that ranks stay and thresholds can be fitted before or after.

    | method | map | when |
    | --- | --- | --- |
    | `"temperature"` | all logits divided by one number | a single number is wanted |
    | `"platt"` | offset and slope per class, drawn to those of all classes | few positives |
    | `"isotonic"` | these lines, bent where isotonic regression finds steps | many positives |
    | `"auto"` | the line; bent in classes with 40 positives and 40 negatives or more | the best we know |

    A class with few positives is read like the others, so that one with none gets a map too.

    Args:
        method: how, as above.
        class_names: the names of the classes, for messages.
        from_logits: whether scores are logits.

    Attributes:
        maps_: offset, slope and corrections of each class, on the scale of logits.
        support_: how many samples have each class.
        design_effect_: by how much groups make the evidence less than the number of samples says; 1 without groups.
        n_features_in_: the number of classes.

    Shapes:
        Scores, labels and probabilities have shape `(num_samples, num_classes)`. A label is 1, 0, or -1 where it is
        unknown; that score then counts for nothing.

    Raises:
        ValueError: if an argument is out of range, scores are NaN or outside [0, 1], or labels are not 0, 1 or -1.
        TypeError: if scores or labels are not numbers.
        NotFittedError: (of scikit-learn) if asked for probabilities before `fit`.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> labels = (rng.uniform(size=(2000, 1)) < 0.3).astype(int)
        >>> logits = 3 * (rng.normal(size=labels.shape) + 2 * labels - 1)  # far too sure
        >>> calibrator = ProbabilityCalibrator("platt", from_logits=True).fit(logits, labels)
        >>> found = calibrator.transform(logits)
        >>> float(found.mean().round(2)), float(labels.mean().round(2))
        (0.3, 0.3)

    References:
        Platt, Probabilistic outputs for support vector machines, 1999.
        Zadrozny & Elkan, Transforming classifier scores into accurate multiclass probability estimates, KDD 2002.
        Guo, Pleiss, Sun & Weinberger, On calibration of modern neural networks, ICML 2017.
    """

    def __init__(
        self, method: _Method = "auto", *, class_names: Sequence[str] | None = None, from_logits: bool = False
    ) -> None:
        if not isinstance(method, str) or method not in get_args(_Method):
            raise ValueError(f"`method` must be one of {get_args(_Method)}. Received: {method!r}")
        if isinstance(class_names, str):
            raise ValueError(f"`class_names` must hold one name per class. Received: {class_names!r}")
        self.method = method
        self.class_names = class_names if isinstance(class_names, list | tuple | None) else list(class_names)
        self.from_logits = from_logits

    def fit(
        self,
        y_score: npt.ArrayLike,
        y_true: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        groups: Sequence[Hashable] | None = None,
    ) -> Self:
        """Finds the maps.

        Args:
            y_score: the scores, shape `(num_samples, num_classes)`.
            y_true: the labels, of the same shape: 1, 0, or -1 for unknown.
            sample_weight: what each sample counts against the others, shape `(num_samples,)`.
            groups: one hashable per sample: samples of one antibody or plate are alike, and together say less.

        Returns:
            The calibrator itself.
        """
        labels = check_labels(y_true, as_numbers("y_score", y_score), class_names=self.class_names)
        scores = check_scores(y_score, from_logits=self.from_logits, class_names=self.class_names)
        weights = check_weights(sample_weight, len(scores))
        codes = number_groups(groups, len(scores))
        validate_data(self, y_score, reset=True, skip_check_array=True)
        positive = labels == 1
        counted = (labels >= 0).astype(np.float64)
        if weights is not None:
            counted *= weights[:, None] / weights[weights > 0].mean()
        self.support_ = positive.sum(axis=0)
        logits = self._logits(scores)
        self.maps_ = self._fit_maps(logits, positive, counted)
        self.design_effect_ = 1.0
        if codes is not None:
            self.design_effect_ = _design_effect(counted * (positive - self.maps_(logits)), codes)
            self.maps_ = self._fit_maps(logits, positive, counted / self.design_effect_)
        return self

    def transform(self, y_score: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Returns probabilities, of the shape of the scores."""
        check_is_fitted(self)
        scores = check_scores(y_score, from_logits=self.from_logits, class_names=self.class_names)
        validate_data(self, y_score, reset=False, skip_check_array=True)
        return self.maps_(self._logits(scores))

    def as_layer(self, **kwargs: Any) -> ProbabilityLayer:
        """Returns a Keras layer that gives what `transform` does; `kwargs` are those of every layer, as `name`."""
        from keras_hpa.thresholds.probability_layer import ProbabilityLayer

        check_is_fitted(self)
        parts = {name: part.tolist() for name, part in vars(self.maps_).items()}
        return ProbabilityLayer(**parts, from_logits=self.from_logits, **kwargs)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes parameters and maps as JSON, under a temporary name first."""
        check_is_fitted(self)
        names = None if self.class_names is None else list(self.class_names)
        content: dict[str, Any] = {"parameters": self.get_params(deep=False) | {"class_names": names}}
        content |= {name: part.tolist() for name, part in vars(self.maps_).items()}
        content |= {"support": self.support_.tolist(), "design_effect": float(self.design_effect_)}
        write_json(path, _FORMAT, _VERSION, content)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Reads a calibrator that `save` wrote.

        Raises:
            ValueError: if the file is not one of ours, or of a version that is not known.
        """
        content = read_manifest(path, _FORMAT, {_VERSION: _FITTED})
        num_classes, names = len(content["offsets"]), content["parameters"]["class_names"]
        longest = len(content["knots"][0]) if content["knots"] else 0
        for field, is_right, expected in (
            ("offsets", num_classes > 0, "one number per class"),
            ("slopes", min(content["slopes"], default=0) >= 0, "numbers from 0 on"),
            *((name, len(content[name]) == num_classes, "one per class") for name in ("slopes", "support", *_CURVES)),
            *((name, longest and {*map(len, content[name])} == {longest}, "equally many each") for name in _CURVES),
            ("knots", all(row == sorted(row) for row in content["knots"]), "ascending numbers"),
            ("parameters.class_names", names is None or len(names) == num_classes, "one per class"),
            ("parameters.method", content["parameters"]["method"] in get_args(_Method), f"one of {get_args(_Method)}"),
        ):
            if not is_right:
                raise not_as_expected(path, field, expected, content.get(field, content["parameters"]))
        calibrator = cls(**content["parameters"])
        parts = ("offsets", "slopes", *_CURVES)
        calibrator.maps_ = CalibrationMaps(*(np.array(content[name], np.float64) for name in parts))
        calibrator.support_ = np.array(content["support"])
        calibrator.design_effect_ = content["design_effect"]
        calibrator.n_features_in_ = num_classes
        return calibrator

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags

    def _logits(self, scores: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        logits = scores.astype(np.float64) if self.from_logits else log_odds(scores)
        return np.clip(logits, -_LARGEST_LOGIT, _LARGEST_LOGIT)

    def _fit_maps(
        self, logits: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_], weights: npt.NDArray[np.float64]
    ) -> CalibrationMaps:
        if self.method == "temperature":
            return fit_temperature(logits, positive, weights)
        if self.method == "platt":
            return fit_platt(logits, positive, weights)
        return fit_isotonic(logits, positive, weights, fewest=POSITIVES_FOR_ISOTONIC if self.method == "auto" else 1)


def _design_effect(residuals: npt.NDArray[np.float64], codes: npt.NDArray[np.intp]) -> float:
    """How much more the residuals of groups vary than those of as many independent samples: at least 1."""
    summed = np.stack([np.bincount(codes, one) for one in residuals.T], axis=1)
    alone = float(np.square(residuals).sum())
    return max(float(np.square(summed).sum()) / alone, 1.0) if alone > 0 else 1.0


_CURVES = ("knots", "corrections")
_FITTED = {
    "parameters": {"method": str, "class_names": ([(str, float)], None), "from_logits": bool},
    **{"offsets": [float], "slopes": [float], "knots": [[float]], "corrections": [[float]]},
    **{"support": [int], "design_effect": float},
}
