from .synthetic_atlas import SyntheticAtlas as SyntheticAtlas
