from .onnx import onnx as onnx
