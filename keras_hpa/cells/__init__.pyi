from .cell_crops import CellCrops as CellCrops
