"""From a trained model to an answer: where a class was seen, and the same scores sooner."""

from keras_hpa.inference.fold_batch_norm import fold_batch_norm as fold_batch_norm
from keras_hpa.inference.folded_model import FoldedModel as FoldedModel
