"""Networks for images of any number of channels, and which of their layers learn."""

from keras_hpa.models.convert_gapnet_pl import convert_gapnet_pl as convert_gapnet_pl
from keras_hpa.models.gapnet import GapNet as GapNet
from keras_hpa.models.inflate_channels import inflate_channels as inflate_channels
from keras_hpa.models.multi_level_gap import multi_level_gap as multi_level_gap
from keras_hpa.models.pretrained_classifier import PretrainedClassifier as PretrainedClassifier
from keras_hpa.models.reestimate_batch_norm import reestimate_batch_norm as reestimate_batch_norm
from keras_hpa.models.to_gapnet_pl_classes import GAPNET_PL_CLASS_NAMES as GAPNET_PL_CLASS_NAMES
from keras_hpa.models.to_gapnet_pl_classes import to_gapnet_pl_classes as to_gapnet_pl_classes
from keras_hpa.models.train_only import train_only as train_only
