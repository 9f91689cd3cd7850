"""Networks for images of any number of channels, and which of their layers learn."""

from keras_hpa.models.gapnet import GapNet as GapNet
from keras_hpa.models.multi_level_gap import multi_level_gap as multi_level_gap
from keras_hpa.models.pretrained_classifier import PretrainedClassifier as PretrainedClassifier
from keras_hpa.models.reestimate_batch_norm import reestimate_batch_norm as reestimate_batch_norm
from keras_hpa.models.train_only import train_only as train_only
