"""Layers for images of any number of channels."""

from keras_hpa.layers.channel_mixer import ChannelMixer as ChannelMixer
from keras_hpa.layers.gapnet_pl_preprocessing import GapNetPLPreprocessing as GapNetPLPreprocessing
from keras_hpa.layers.image_standardization import ImageStandardization as ImageStandardization
from keras_hpa.layers.percentile_normalization import PercentileNormalization as PercentileNormalization
from keras_hpa.layers.scale_integers import ScaleIntegers as ScaleIntegers
from keras_hpa.layers.scale_integers import is_integer as is_integer
from keras_hpa.layers.warm_up_batch_normalization import WarmUpBatchNormalization as WarmUpBatchNormalization
