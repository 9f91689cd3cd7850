"""From a trained model to an answer: scores for everything."""

from keras_hpa.inference.predict_scores import predict_scores as predict_scores
