"""The embedded data set: a source that draws its images."""

from keras_hpa.synthetic_atlas.synthetic_atlas import SyntheticAtlas as SyntheticAtlas
