"""Converts MediaPipe's short-range face detector from TensorFlow Lite to safetensors.

Run: python3 blazeface.py face_detection_short_range.tflite OUT.safetensors (NumPy, safetensors, tflite). The keys are
those of `realscope_nn::blazeface`; `cargo xtask face-finder OUT.safetensors` makes the file that the program embeds.

    pip download --no-deps --only-binary :all: --python-version 3.11 \\
        --platform manylinux_2_17_x86_64 mediapipe==0.10.14   # a wheel is a zip file
    unzip -j mediapipe-*.whl mediapipe/modules/face_detection/face_detection_short_range.tflite
"""

import hashlib
import sys

import numpy as np
import tflite
from safetensors.numpy import save_file

SHA256 = "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8"


def keys():
    """Keys of the convolutions in the order of the graph."""
    yield "backbone1.0"
    for part, first, count in (("backbone1", 2, 11), ("backbone2", 0, 5)):
        for block in range(first, first + count):
            yield f"{part}.{block}.convs.0"
            yield f"{part}.{block}.convs.1"
    for head in ("classifier", "regressor"):
        for step in (8, 16):
            yield f"{head}_{step}"


def main(source, out):
    data = open(source, "rb").read()
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        sys.exit(f"{source} has SHA-256 {found}, expected {SHA256}")
    model = tflite.Model.GetRootAsModel(data, 0)
    graph = model.Subgraphs(0)
    half = {}  # What stands before each tensor that was half precision.
    tensors = {}
    names = keys()

    def values(index):
        tensor = graph.Tensors(half.get(index, index))
        raw = model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes()
        return np.frombuffer(raw, "<f2").astype("<f4").reshape(tensor.ShapeAsNumpy())

    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        inputs = [int(k) for k in operator.InputsAsNumpy()]
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind = tflite.opcode2name(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()))
        if kind == "DEQUANTIZE":
            half[int(operator.Outputs(0))] = inputs[0]
        elif kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            name = next(names)
            # [out, h, w, in], depthwise [1, h, w, channel].
            order = (0, 3, 1, 2) if kind == "CONV_2D" else (3, 0, 1, 2)
            tensors[f"{name}.weight"] = np.ascontiguousarray(values(inputs[1]).transpose(order))
            tensors[f"{name}.bias"] = values(inputs[2])
    if next(names, None) is not None:
        sys.exit("the graph has too few convolutions")
    save_file(tensors, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
