import numpy as np
import pytest

from keras_hpa import ThresholdCalibrator
from keras_hpa.thresholds import (
    Auto,
    Calibrated,
    Fixed,
    Global,
    MaxF1,
    Prevalence,
    ReportGrid,
    Resampled,
    Shrink,
)
from keras_hpa.thresholds.rule_names import RULES
from tests.thresholds.drawn import draw_network


@pytest.mark.parametrize(
    "with_beta",
    [
        lambda beta: Auto(beta=beta),
        Calibrated,
        Global,
        MaxF1,
        lambda beta: Resampled(MaxF1(beta)),
        lambda beta: Shrink(beta=beta),
    ],
)
def test_more_recall_wanted_more_predicted(with_beta):
    scores, labels = draw_network(num_samples=3000)
    predicted = [
        ThresholdCalibrator(with_beta(beta)).fit(scores, labels).predict(scores).mean() for beta in (0.5, 1.0, 2.0)
    ]
    assert predicted[0] < predicted[1] < predicted[2]


@pytest.mark.parametrize("with_seed", [Auto, lambda seed: Resampled(MaxF1(), seed=seed)])
def test_resampling_depends_on_the_seed_alone(with_seed):
    scores, labels = draw_network()
    first, again, other = (
        ThresholdCalibrator(with_seed(seed=seed)).fit(scores, labels).thresholds_ for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (Auto(absent_classes="highest_score", beta=1, num_resamples=24, seed=0), "auto"),
        (Calibrated(beta=1), "calibrated"),
        (Fixed(0.5), "fixed"),
        (Global(beta=1), "global"),
        (MaxF1(beta=1, min_support=1), "max_f1"),
        (Prevalence(shares=None), "prevalence"),
        (ReportGrid(intercept=1e-4), "report"),
        (Resampled(MaxF1(), num_resamples=24, seed=0), "resampled_max_f1"),
        (Resampled(Prevalence()), "resampled_prevalence"),
        (Shrink(strength=10), "shrink"),
    ],
)
def test_name_stands_for_the_defaults(rule, name):
    assert RULES[name] == rule
    assert repr(rule).startswith(type(rule).__name__)
    assert eval(repr(rule)) == rule
    assert len({rule, RULES[name]}) == 1
    assert sorted(RULES) == list(RULES)


def test_options_are_plain_numbers_whatever_was_given():
    pandas_like = np.array([0.1, 0.2])
    assert Fixed(pandas_like) == Fixed([0.1, 0.2]) == Fixed((0.1, 0.2))
    assert Prevalence(np.float32(0.5)) == Prevalence(0.5)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: MaxF1(0.5, absent_classes="never"), TypeError, "absent_classes"),
        (lambda: ReportGrid(beta=2), TypeError, "beta"),
        (lambda: ReportGrid(np.nan), ValueError, "`intercept`.*nan"),
        (lambda: MaxF1(0), ValueError, "`beta`.*0"),
        (lambda: Shrink(np.inf), ValueError, "`strength`.*inf"),
        (lambda: Global("1"), ValueError, "`beta`.*'1'"),
        (lambda: Calibrated(-1), ValueError, "`beta`.*-1"),
        (lambda: MaxF1(min_support=0), ValueError, "`min_support`.*0"),
        (lambda: Fixed(-0.1), ValueError, "`thresholds`.*-0.1"),
        (lambda: Fixed([[0.5]]), ValueError, "`thresholds`"),
        (lambda: Fixed("high"), ValueError, "`thresholds`.*high"),
        (lambda: Prevalence([0.5, 1.5]), ValueError, "`shares`.*1.5"),
        (lambda: Auto("always"), ValueError, "`absent_classes`.*'always'"),
        (lambda: Auto(num_resamples=0), ValueError, "`num_resamples`.*0"),
        (lambda: Auto(seed=1.5), ValueError, "`seed`.*1.5"),
        (lambda: Resampled(MaxF1(), num_resamples=0), ValueError, "`num_resamples`.*0"),
        (lambda: Resampled(Global()), TypeError, "`rule`.*Global"),
        (lambda: Resampled("max_f1"), TypeError, "`rule`.*'max_f1'"),
        (lambda: Resampled(MaxF1(min_support=3)), ValueError, "min_support"),
    ],
)
def test_wrong_option_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
