"""A fitted calibrator as a JSON file."""

import os
import warnings
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from keras_hpa.files import not_as_expected, read_manifest, write_json
from keras_hpa.thresholds.auto_rule import Auto
from keras_hpa.thresholds.fixed_rule import Fixed
from keras_hpa.thresholds.max_f1_rule import MaxF1
from keras_hpa.thresholds.prevalence_rule import Prevalence
from keras_hpa.thresholds.promises import Precision, Recall
from keras_hpa.thresholds.promises_rule import Promises
from keras_hpa.thresholds.report_grid_rule import ReportGrid
from keras_hpa.thresholds.resampled_rule import Resampled
from keras_hpa.thresholds.rule import Rule
from keras_hpa.thresholds.rule_names import RULES, as_rule

_FORMAT, _VERSION = "keras_hpa.ThresholdCalibrator", 3
_CLASSES = {type(rule).__name__: type(rule) for rule in (*RULES.values(), Precision(), Promises(), Recall())}


def write_calibration(path: str | os.PathLike[str], parameters: dict[str, Any], fitted: dict[str, Any]) -> None:
    """Writes plain numbers, texts and lists; JSON knows no infinity, it is written as null."""
    content = {"parameters": parameters | {"rule": _rule_to_json(parameters["rule"])}, **fitted}
    write_json(path, _FORMAT, _VERSION, _to_json(content))


def read_calibration(path: str | os.PathLike[str], rule: str | Rule | None = None) -> tuple[dict[str, Any], Any]:
    """Reads what `write_calibration` wrote: the parameters, with `rule` in place of the file's, and what was fitted.

    Raises:
        ValueError: if the file is not one of ours, of a version that is not known, or holds a rule of a user's own.
    """
    kinds = {1: _FITTED | {"parameters": _PARAMETERS_1, "scores": object}, 2: _FITTED_2, 3: _FITTED_3}
    content = read_manifest(path, _FORMAT, kinds)
    parameters, thresholds, counts = content["parameters"], content["thresholds"], content["counts"]
    names = parameters["class_names"]
    lower = content.get("lower_thresholds")
    lowest = -np.inf if parameters["from_logits"] else 0
    for field, is_right, expected in (
        ("thresholds", all(one is None or one >= lowest for one in thresholds) and thresholds, "probabilities or null"),
        *((name, len(content[name]) == len(thresholds), "one per class") for name in ("support", "counts", "flags")),
        ("counts", all(len(row) == 4 and min(row) >= 0 and max(row) < 1e100 for row in counts), "TP, FP, FN and TN"),
        ("lower_thresholds", lower is None or len(lower) == len(thresholds), "one per class"),
        ("parameters.class_names", names is None or len(names) == len(thresholds), "one per class"),
    ):
        if not is_right:
            raise not_as_expected(path, field, expected, content.get(field, names))
    if rule is None:
        try:
            rule = _rule_of_version_1(parameters) if content["version"] == 1 else _rule_from_json(parameters["rule"])
            as_rule(rule)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"{os.fspath(path)!r} must hold a rule in field 'parameters'. Received: {error}"
            ) from error
    kept = ("at_least_one", "class_names", "from_logits")
    content["thresholds"] = _null_as_infinity(thresholds)
    return {"rule": rule, **{name: parameters[name] for name in kept}}, content


_FITTED = {
    "thresholds": [(float, None)],
    "support": [float],
    "counts": [[float]],
    "flags": [[str]],
}
_PARAMETERS = {"at_least_one": bool, "class_names": ([(str, float)], None), "from_logits": bool}
_PARAMETERS_1 = _PARAMETERS | {
    **{"method": str, "beta": float, "intercept": float, "min_support": int, "num_resamples": int, "seed": int},
    **{"absent_classes": (str, None), "prevalence": (float, [float], None), "thresholds": (float, [(float, None)])},
}
_FITTED_2 = _FITTED | {"parameters": _PARAMETERS | {"rule": (str, {str: object})}}
_FITTED_3 = _FITTED_2 | {"lower_thresholds": ([float], None)}


def _rule_to_json(rule: str | Rule) -> Any:
    """A name; the class and options of one of our rules; of a user's own rule only what its class is called."""
    if isinstance(rule, str):
        return rule
    name = type(rule).__name__
    if _CLASSES.get(name) is not type(rule):
        return {"class": f"{type(rule).__module__}.{type(rule).__qualname__}"}
    options = {field.name: getattr(rule, field.name) for field in fields(rule)}  # type: ignore[arg-type]
    return {"class": name} | {key: _rule_to_json(value) if key == "rule" else value for key, value in options.items()}


def _rule_from_json(found: Any) -> Any:
    if isinstance(found, str):
        return found
    if found["class"] not in _CLASSES:
        raise ValueError(f"`rule` must be given where the file's is a class of your own. Received: {found['class']}")
    options = {key: value for key, value in found.items() if key != "class"}
    for key, read in (("rule", _rule_from_json), ("thresholds", _null_as_infinity)):
        if key in options:
            options[key] = read(options[key])
    return _CLASSES[found["class"]](**options)


def _rule_of_version_1(options: dict[str, Any]) -> Rule:
    """The first format had one list of options for all rules; those that a rule did not look at are left out."""
    method = options["method"]
    draws = {"num_resamples": options["num_resamples"], "seed": options["seed"]}
    given = {name: options[name] for name in ("beta", "min_support") if options[name] != 1}
    if options["absent_classes"] == "highest_score" or (options["absent_classes"] and method == "auto"):
        given["absent_classes"] = options["absent_classes"]
    known = {"auto": ("beta", "absent_classes"), "max_f1": ("beta", "min_support"), "fixed": (), "report": ()}
    known |= {"prevalence": (), "resampled_prevalence": ()}
    kept = {name: value for name, value in given.items() if name in known.get(method, ("beta",))}
    if given.keys() - kept.keys():
        warnings.warn(
            "The calibrator predicts as it did when it was saved, but a new `fit` will not look at options that its "
            f"rule no longer has. Received: {', '.join(sorted(given.keys() - kept.keys()))} of rule {method!r}",
            UserWarning,
            stacklevel=4,
        )
    rules: dict[str, Callable[[], Rule]] = {
        "auto": lambda: Auto(**kept, **draws),
        "fixed": lambda: Fixed(_null_as_infinity(options["thresholds"])),
        "prevalence": lambda: Prevalence(options["prevalence"]),
        "report": lambda: ReportGrid(options["intercept"]),
        "resampled_max_f1": lambda: Resampled(MaxF1(**kept), **draws),
        "resampled_prevalence": lambda: Resampled(Prevalence(), **draws),
    }
    return rules.get(method, lambda: type(RULES[method])(**kept))()


def _to_json(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, dict):
        return {name: _to_json(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_json(one) for one in value]
    return None if isinstance(value, float) and value == np.inf else value


def _null_as_infinity(thresholds: Any) -> Any:
    if isinstance(thresholds, list):
        return [_null_as_infinity(one) for one in thresholds]
    return np.inf if thresholds is None else thresholds
