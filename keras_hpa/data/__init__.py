"""From files to batches: sources, splits and the sequence that feeds a model."""

from keras_hpa.data.array_source import ArraySource as ArraySource
from keras_hpa.data.augmentation import ChannelGain as ChannelGain
from keras_hpa.data.channel_files import ChannelFiles as ChannelFiles
from keras_hpa.data.channel_stacks import ChannelStacks as ChannelStacks
from keras_hpa.data.dihedral import SYMMETRIES as SYMMETRIES
from keras_hpa.data.dihedral import apply_symmetry as apply_symmetry
from keras_hpa.data.dihedral import inverse_symmetry as inverse_symmetry
from keras_hpa.data.folders import load_folder as load_folder
from keras_hpa.data.folders import load_kaggle as load_kaggle
from keras_hpa.data.folders import write_submission as write_submission
from keras_hpa.data.multi_channel_sequence import MultiChannelSequence as MultiChannelSequence
from keras_hpa.data.near_duplicates import near_duplicate_groups as near_duplicate_groups
from keras_hpa.data.packed_source import PackedSource as PackedSource
from keras_hpa.data.read_image import read_image as read_image
from keras_hpa.data.read_stack import read_stack as read_stack
from keras_hpa.data.resizing import check_image_size as check_image_size
from keras_hpa.data.samples import Samples as Samples
from keras_hpa.data.sampling import RareLabels as RareLabels
from keras_hpa.data.source import Source as Source
from keras_hpa.data.source import select_channels as select_channels
from keras_hpa.data.source import subset as subset
from keras_hpa.data.splits import stratified_folds as stratified_folds
from keras_hpa.data.splits import stratified_split as stratified_split
from keras_hpa.data.validate import SourceReport as SourceReport
from keras_hpa.data.validate import validate as validate
from keras_hpa.data.write_kaggle_folder import write_kaggle_folder as write_kaggle_folder
