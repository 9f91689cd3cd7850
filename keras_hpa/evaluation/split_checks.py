"""What `check_split` looks for, one check a function: findings, and what was measured."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from keras_hpa.data import Samples, number_groups
from keras_hpa.evaluation.linear_probe import linear_probe
from keras_hpa.evaluation.split_report import Finding

_HIGHEST_P_VALUE = 0.01  # of three checks by chance, so that a clean split is rarely found fault with
_CLEAR_AUC = 0.6  # below it a probe tells too little apart to act on
_FEWEST_OF_PLATE = 5


class Found(NamedTuple):
    """Findings, and rows of the report."""

    findings: Sequence[Finding]
    rows: Sequence[Mapping[str, Any]]


def _row(check: str, name: str, train: int, test: int, *values: float) -> dict[str, Any]:
    value, chance, p_value = (*values, *[np.nan] * 3)[:3]
    return {
        "check": check,
        "name": name,
        **{"train": int(train), "test": int(test)},
        **{"value": float(value), "chance": float(chance), "p_value": float(p_value)},
    }


def shared(check: str, names: Sequence[Sequence[Hashable]], advice: str) -> Found:
    """What has samples on both sides."""
    train, test = ({}, {})  # type: ignore[var-annotated]
    for counts, given in zip((train, test), names, strict=True):
        for name in given:
            counts[name] = counts.get(name, 0) + 1
    both = [name for name in train if name in test]
    rows = [_row(check, str(name), train[name], test[name]) for name in both]
    if not both:
        return Found([], [])
    sentence = f"{len(both)} {check if len(both) > 1 else check.removesuffix('s')} on both sides"
    return Found([Finding(check, sentence, tuple(map(str, both)), advice)], rows)


def near_duplicates(sides: Sequence[Samples], numbers: Sequence[npt.NDArray[np.intp]]) -> Found:
    """Test samples that show what training samples show; those with the same id are reported as such."""
    rows, names = [], []
    for number in sorted(set(numbers[0].tolist()) & set(numbers[1].tolist())):
        train, test = (
            [side.ids[index] for index in np.flatnonzero(one == number)]
            for side, one in zip(sides, numbers, strict=True)
        )
        if set(train) == set(test):
            continue
        name = f"{' + '.join(train[:3])} and {' + '.join(test[:3])}"
        names.append(name)
        rows.append(_row("near duplicates", name, len(train), len(test)))
    if not names:
        return Found([], [])
    sentence = f"{len(names)} {'images are' if len(names) > 1 else 'image is'} nearly the same on both sides"
    advice = "Group them before splitting: Samples(samples, groups=near_duplicate_groups(samples))."
    return Found([Finding("near duplicates", sentence, tuple(names), advice)], rows)


def units_of(
    groups: Sequence[Sequence[Hashable] | None], lengths: Sequence[int]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The unit of each sample, and its side; a group on both sides is two units."""
    member = np.repeat([0, 1], lengths)
    if None in groups:
        return np.arange(len(member)), member
    pairs = [(side, group) for side, one in enumerate(groups) for group in one]  # type: ignore[union-attr]
    return number_groups(pairs, len(pairs)), member  # type: ignore[return-value]


def label_shares(
    labels: npt.NDArray[np.integer],
    names: Sequence[str],
    units: npt.NDArray[np.intp],
    member: npt.NDArray[np.intp],
    *,
    num_draws: int,
    seed: int,
) -> Found:
    """Classes that a side lacks, and those whose shares differ by more than splits of these units do."""
    positive, known, is_test = labels == 1, labels >= 0, member == 1
    counts = [positive[side].sum(axis=0) for side in (~is_test, is_test)]
    totals = [known[side].sum(axis=0) for side in (~is_test, is_test)]
    share = positive.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    residuals = np.where(known, positive - share, 0.0)
    of_unit = np.stack([np.bincount(units, column) for column in residuals.T], axis=1)
    tested = np.zeros(len(of_unit), bool)
    tested[units] = is_test
    rng, num_tested = np.random.default_rng([seed, 20]), int(tested.sum())
    drawn = np.array([of_unit[rng.permutation(len(of_unit))[:num_tested]].sum(axis=0) for _ in range(num_draws)])
    spread = drawn.std(axis=0)
    spread = np.where(spread > 1e-9, spread, np.inf)
    largest = np.abs(drawn / spread).max(axis=1)
    true = np.abs(of_unit[tested].sum(axis=0) / spread)
    p_values = (1 + (largest[:, None] >= true - 1e-9).sum(axis=0)) / (1 + num_draws)
    shares = [count / np.maximum(total, 1) for count, total in zip(counts, totals, strict=True)]
    rows = [
        _row("labels", name, counts[0][column], counts[1][column], shares[1][column] - shares[0][column], np.nan, p)
        for column, (name, p) in enumerate(zip(names, p_values, strict=True))
    ]
    findings = []
    for side, other, sentence, advice in (
        (
            0,
            1,
            "{} only to test on",
            "Nothing can be learned of them: split with samples.split, which gives each side a share.",
        ),
        (
            1,
            0,
            "{} only to train on",
            "The test says nothing of them: split with samples.split, or leave them out of the mean.",
        ),
    ):
        missing = np.flatnonzero((counts[side] == 0) & (counts[other] > 0))
        if len(missing):
            count = f"{len(missing)} {'classes have' if len(missing) > 1 else 'class has'} samples"
            findings.append(
                Finding("classes", sentence.format(count), tuple(names[one] for one in missing.tolist()), advice)
            )
    different = np.flatnonzero(p_values <= _HIGHEST_P_VALUE)
    if len(different):
        told = tuple(f"{names[one]} ({shares[0][one]:.1%} and {shares[1][one]:.1%})" for one in different.tolist())
        count = f"{len(different)} {'classes are' if len(different) > 1 else 'class is'}"
        sentence = f"{count} more frequent on one side than chance makes them"
        advice = "Thresholds fitted to one side will not suit the other: stratify, or see the rule Prevalence."
        findings.append(Finding("labels", sentence, told, advice))
    return Found(findings, rows)


def sides_apart(
    features: npt.NDArray[np.float64], units: npt.NDArray[np.intp], member: npt.NDArray[np.intp], **draws: int
) -> Found:
    """Whether a probe tells test samples from training samples."""
    probed = linear_probe(features, member, units, **draws)
    auc, chance, p_value = (part[1] for part in probed)
    row = _row("sides", "test", (member == 0).sum(), (member == 1).sum(), auc, chance, p_value)
    if p_value > _HIGHEST_P_VALUE or auc < _CLEAR_AUC:
        return Found([], [row])
    sentence = f"A linear probe tells test from training samples, AUC {auc:.2f} where chance reaches {chance:.2f}"
    advice = (
        "The test says what the model is worth on samples of another kind than it was trained on. If that was not "
        "meant, normalise intensities or split by chance."
    )
    return Found([Finding("sides", sentence, (), advice)], [row])


def plates_apart(
    features: npt.NDArray[np.float64],
    plates: Sequence[Hashable],
    units: npt.NDArray[np.intp],
    member: npt.NDArray[np.intp],
    **draws: int,
) -> Found:
    """Plates that a probe tells from the others; units are groups where each lies on one plate, otherwise samples."""
    numbers: npt.NDArray[np.intp] = number_groups(plates, len(plates))  # type: ignore[assignment]
    names = list(dict.fromkeys(plates))
    enough = np.bincount(numbers) >= _FEWEST_OF_PLATE
    chosen = enough[numbers]
    if enough.sum() < 2:
        return Found([], [])
    places = np.cumsum(enough) - 1
    numbers, names = places[numbers[chosen]], [name for name, one in zip(names, enough, strict=True) if one]
    pairs = set(zip(units[chosen].tolist(), numbers.tolist(), strict=True))
    on_one_plate = len(pairs) == len({unit for unit, _ in pairs})
    is_finer = len({unit for unit, _ in pairs}) >= 2 * len(names)
    chosen_units = (
        np.unique(units[chosen], return_inverse=True)[1] if on_one_plate and is_finer else np.arange(len(numbers))
    )
    probed = linear_probe(features[chosen], numbers, chosen_units, **draws)
    sides = [np.bincount(numbers[member[chosen] == side], minlength=len(names)) for side in (0, 1)]
    rows = [
        _row("plates", str(name), sides[0][one], sides[1][one], *(part[one] for part in probed))
        for one, name in enumerate(names)
    ]
    told = np.flatnonzero((probed.p_value <= _HIGHEST_P_VALUE) & (probed.auc >= _CLEAR_AUC))
    if not len(told):
        return Found([], rows)
    told = told[np.argsort(-probed.auc[told], kind="stable")]
    shown = tuple(f"{names[one]} (AUC {probed.auc[one]:.2f}, chance {probed.chance[one]:.2f})" for one in told)
    sentence = f"{len(told)} of {len(names)} plates can be told from the others"
    on_both = int(((sides[0] > 0) & (sides[1] > 0)).sum())
    advice = (
        f"{on_both} of the plates have samples on both sides, so the score says nothing of new plates: split "
        "with the plates as groups."
        if on_both
        else "Each lies on one side, as it should; a network may do better after PlateNormalization."
    )
    return Found([Finding("plates", sentence, shown, advice)], rows)
