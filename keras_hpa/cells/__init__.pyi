from .cell_bags import CellBags as CellBags
from .cell_crops import CellCrops as CellCrops
from .cell_table import cell_table as cell_table
from .class_image import class_image as class_image
from .encode_mask import encode_mask as encode_mask
from .split_cells import split_cells as split_cells
from .write_cell_submission import write_cell_submission as write_cell_submission
