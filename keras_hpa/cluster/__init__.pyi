from .score import score as score
