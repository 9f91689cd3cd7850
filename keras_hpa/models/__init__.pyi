from .gapnet import GapNet as GapNet
from .multi_level_gap import multi_level_gap as multi_level_gap
from .pretrained_classifier import PretrainedClassifier as PretrainedClassifier
from .reestimate_batch_norm import reestimate_batch_norm as reestimate_batch_norm
from .subcell import SubCell as SubCell
from .subcell_checkpoint import load_subcell_checkpoint as load_subcell_checkpoint
from .subcell_checkpoint import read_subcell_checkpoint as read_subcell_checkpoint
from .train_only import train_only as train_only
