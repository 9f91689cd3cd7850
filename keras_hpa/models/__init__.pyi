from .gapnet import GapNet as GapNet
from .multi_level_gap import multi_level_gap as multi_level_gap
from .pretrained_classifier import PretrainedClassifier as PretrainedClassifier
from .reestimate_batch_norm import reestimate_batch_norm as reestimate_batch_norm
from .train_only import train_only as train_only
