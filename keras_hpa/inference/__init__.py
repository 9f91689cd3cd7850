"""Scores of many samples from a trained model."""

from keras_hpa.inference.predict_scores import predict_scores as predict_scores
from keras_hpa.inference.tiling import tile_starts as tile_starts
from keras_hpa.inference.write_predictions import write_predictions as write_predictions
