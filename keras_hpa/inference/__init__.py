"""From a trained model to an answer: scores for everything, where a class was seen, and the same scores sooner."""

from keras_hpa.inference.class_activation_maps import class_activation_maps as class_activation_maps
from keras_hpa.inference.fold_batch_norm import fold_batch_norm as fold_batch_norm
from keras_hpa.inference.folded_model import FoldedModel as FoldedModel
from keras_hpa.inference.predict_scores import predict_scores as predict_scores
