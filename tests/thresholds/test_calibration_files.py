"""Files of the first format, which had one list of options for all rules, and rules of a user's own."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from keras_hpa import ThresholdCalibrator
from keras_hpa.thresholds import Auto, Fixed, MaxF1, Prevalence, ReportGrid, Resampled, Shrink
from keras_hpa.thresholds.rule_names import RULES

_VERSION_1 = json.loads(Path(__file__).with_name("calibrations_version_1.json").read_text())
_RULES = {
    **RULES,
    "auto with options": Auto("never", beta=2, num_resamples=5, seed=3),
    "max_f1 with options": MaxF1(0.5, min_support=12),
    "prevalence with options": Prevalence([0.1, 0.2, 0.3]),
    "fixed with options": Fixed([0.2, 0.4, np.inf]),
    "report with options": ReportGrid(0.01),
    "resampled_max_f1 with options": Resampled(MaxF1(2), num_resamples=7, seed=5),
    "resampled_prevalence with options": Resampled(Prevalence(), num_resamples=7, seed=5),
    "shrink of logits": Shrink(beta=2),
}


@pytest.mark.parametrize("name", _VERSION_1["cases"])
@pytest.mark.filterwarnings("ignore:The calibrator predicts as it did", 'ignore:Under `rule="report"`')
def test_file_of_the_first_format_predicts_and_fits_as_before(name, tmp_path):
    case, scores = _VERSION_1["cases"][name], np.array(_VERSION_1["scores"])
    (tmp_path / "first.json").write_text(json.dumps(case["file"]))
    loaded = ThresholdCalibrator.load(tmp_path / "first.json")
    scores = np.log(scores / (1 - scores)).round(4) if loaded.from_logits else scores
    np.testing.assert_array_equal(loaded.predict(scores), case["predicted"])
    np.testing.assert_array_equal(loaded.counts_, case["file"]["counts"])
    assert loaded.rule == _RULES[name]
    assert loaded.class_names == case["file"]["parameters"]["class_names"]
    assert loaded.at_least_one == case["file"]["parameters"]["at_least_one"]
    defined = ~np.isnan(loaded.f_beta_)
    if "prevalence with" not in name:  # F2 then, though the rule did not look at it
        np.testing.assert_allclose(loaded.f_beta_[defined], np.array(case["file"]["scores"])[defined])

    again = clone(loaded).fit(scores, _VERSION_1["labels"])
    if name == "max_f1 with options":  # the absent class was predicted above the highest score
        assert again.thresholds_[0] == np.inf
        again.thresholds_[0] = loaded.thresholds_[0]
    # Processors differ in the last digit of logarithms.
    np.testing.assert_allclose(again.thresholds_, loaded.thresholds_, rtol=1e-12)
    loaded.save(tmp_path / "second.json")
    assert json.loads((tmp_path / "second.json").read_text())["version"] == 3
    assert ThresholdCalibrator.load(tmp_path / "second.json").get_params() == loaded.get_params()


@pytest.mark.parametrize(
    ("name", "options"), [("max_f1 with options", "absent_classes"), ("prevalence with options", "beta")]
)
def test_option_that_a_rule_no_longer_has_is_named(name, options, tmp_path):
    (tmp_path / "first.json").write_text(json.dumps(_VERSION_1["cases"][name]["file"]))
    with pytest.warns(UserWarning, match=f"Received: {options} of rule"):
        ThresholdCalibrator.load(tmp_path / "first.json")


@dataclass(frozen=True)
class Quantile:
    """A rule of a user's own."""

    q: float = 0.5
    beta: float = 2.0

    def find_thresholds(self, classes):
        return [np.quantile(one.scores, self.q) if len(one.scores) else np.inf for one in classes]


def test_rule_of_ones_own_is_fitted_cloned_and_given_again_to_load(tmp_path):
    scores, labels = np.array(_VERSION_1["scores"]), np.array(_VERSION_1["labels"])
    calibrator = clone(ThresholdCalibrator(Quantile(0.25))).fit(scores, labels)
    assert calibrator.rule == Quantile(0.25)
    assert calibrator.beta_ == 2
    np.testing.assert_array_equal(calibrator.thresholds_[1:], np.quantile(scores, 0.25, axis=0)[1:])
    calibrator.save(tmp_path / "own.json")
    loaded = ThresholdCalibrator.load(tmp_path / "own.json", rule=Quantile(0.25))
    np.testing.assert_array_equal(loaded.predict(scores), calibrator.predict(scores))
    np.testing.assert_array_equal(loaded.f_beta_, calibrator.f_beta_)
    with pytest.raises(ValueError, match=r"`rule` must be given.*Quantile"):
        ThresholdCalibrator.load(tmp_path / "own.json")


@pytest.mark.parametrize("found", [[0.5, 0.5], [0.5, np.nan, 0.5], [0.5, -np.inf, 0.5], [0.5, -1, 0.5], 0.5])
def test_rule_that_finds_something_else_is_named(found):
    class Wrong:
        def find_thresholds(self, classes):
            return found

        def __repr__(self):
            return "Wrong()"

    with pytest.raises(ValueError, match=r"3 classes.*Wrong\(\)"):
        ThresholdCalibrator(Wrong()).fit(_VERSION_1["scores"], _VERSION_1["labels"])
