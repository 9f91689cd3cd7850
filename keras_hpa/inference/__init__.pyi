from .embed import embed as embed
from .embed import embedding_model as embedding_model
from .nearest_samples import Neighbours as Neighbours
from .nearest_samples import nearest_samples as nearest_samples
from .predict_scores import predict_scores as predict_scores
from .tiling import tile_starts as tile_starts
from .to_anndata import to_anndata as to_anndata
from .write_predictions import write_predictions as write_predictions
