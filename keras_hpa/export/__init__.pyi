from .bioimageio import bioimageio as bioimageio
from .litert import litert as litert
from .onnx import onnx as onnx
from .saved_model import saved_model as saved_model
