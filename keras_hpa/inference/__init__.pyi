from .predict_scores import predict_scores as predict_scores
from .tiling import tile_starts as tile_starts
from .write_predictions import write_predictions as write_predictions
