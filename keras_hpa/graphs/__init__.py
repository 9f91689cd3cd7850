"""Reading and rebuilding functional models: more channels, fewer operations."""

from keras_hpa.graphs.check_channels_last import check_channels_last as check_channels_last
from keras_hpa.graphs.fold_batch_norm import fold_batch_norm as fold_batch_norm
from keras_hpa.graphs.folded_model import FoldedModel as FoldedModel
from keras_hpa.graphs.inflate_channels import channel_matrix as channel_matrix
from keras_hpa.graphs.inflate_channels import inflate_channels as inflate_channels
from keras_hpa.graphs.inflate_channels import per_channel as per_channel
from keras_hpa.graphs.layers_by_path import layers_by_path as layers_by_path
from keras_hpa.graphs.model_graph import Call as Call
from keras_hpa.graphs.model_graph import is_functional as is_functional
from keras_hpa.graphs.model_graph import replay as replay
from keras_hpa.graphs.model_graph import trace as trace
from keras_hpa.graphs.scales_integers import scales_integers as scales_integers
from keras_hpa.graphs.warm_up_batch_norm import warm_up_batch_norm as warm_up_batch_norm
