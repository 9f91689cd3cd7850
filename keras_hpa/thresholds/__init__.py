"""From scores to labels: one threshold per class, found by a rule.

A rule is an object with its own options, or a name that stands for its defaults:

| name | rule |
| --- | --- |
| `"auto"` | `Auto()` |
| `"calibrated"` | `Calibrated()` |
| `"fixed"` | `Fixed(0.5)` |
| `"global"` | `Global()` |
| `"max_f1"` | `MaxF1()` |
| `"prevalence"` | `Prevalence()` |
| `"report"` | `ReportGrid()` |
| `"resampled_max_f1"` | `Resampled(MaxF1())` |
| `"resampled_prevalence"` | `Resampled(Prevalence())` |
| `"shrink"` | `Shrink()` |

`Precision(at_least=0.9)` and `Recall(at_least=0.9)` promise so much on new data, and are given as objects; `Promises()`
promises both, and abstains between: `calibrator.predict(scores, abstain=True)`.

A rule of your own is a class with one method; see `Rule`.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
