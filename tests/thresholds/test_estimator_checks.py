"""ThresholdCalibrator under scikit-learn's checks of estimators."""

import numpy as np
from sklearn.utils.estimator_checks import parametrize_with_checks

from keras_hpa import ThresholdCalibrator


class _Calibrator(ThresholdCalibrator):
    """What the checks cannot know: labels have one column per class, where theirs have one; and y is named y_true."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(X, _labels(X, y), sample_weight)

    def fit_transform(self, X, y):
        return self.fit(X, y).transform(X)

    def score(self, X, y):
        return super().score(X, _labels(X, y))


def _labels(scores, y):
    """Whether the first column of y is above 0, for each column of the scores; anything that is no number as it is."""
    if y is None or hasattr(scores, "toarray") or np.asarray(y).dtype.kind not in "fiub":
        return y
    column = np.asarray(y).reshape(len(np.asarray(y)), -1)[:, :1]
    return np.tile(column > 0, np.shape(np.asarray(scores))[1:2])


_WORDS = "the data are refused, in words of ours that name the argument and what was received"


@parametrize_with_checks(
    [_Calibrator(rule, from_logits=True) for rule in ("auto", "max_f1")],  # scores of the checks are any numbers
    expected_failed_checks=lambda calibrator: (
        {
            "check_do_not_raise_errors_in_init_or_set_params": "arguments are checked where they are given",
            "check_complex_data": _WORDS,
            "check_dtype_object": _WORDS,
            "check_estimators_empty_data_messages": _WORDS,
            "check_fit2d_predict1d": _WORDS,
        }
        | (
            {"check_sample_weight_equivalence_on_dense_data": "weights are relative; evidence is the number of samples"}
            if calibrator.rule == "auto"
            else {}
        )
    ),
    xfail_strict=True,
)
def test_scikit_learn(estimator, check):
    check(estimator)
