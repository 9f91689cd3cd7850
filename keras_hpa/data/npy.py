"""NPY."""

from typing import BinaryIO

import numpy as np

from keras_hpa.data.image_content import Declared, ImageContent, Unreadable
from keras_hpa.data.image_file import check_signature

_PICKLED = (
    "it holds a pickled object, which is never loaded. If Cellpose wrote it, and you trust it, this exports its masks: "
    "python -c \"import numpy as np; np.save('masks.npy', np.load('FILE_seg.npy', allow_pickle=True).item()['masks'])\""
)


def read_npy(file: BinaryIO, max_bytes: int) -> ImageContent:
    size = check_signature(file, "NPY")
    file.seek(0)
    try:
        version = np.lib.format.read_magic(file)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, _, dtype = read_header[version](file)
        declared = Declared(shape, dtype, dtype.itemsize * 8)
    except Exception as error:
        raise Unreadable(f"its header is damaged ({error})") from error
    if dtype.hasobject and not shape:
        raise Unreadable(_PICKLED)
    declared.check(max_bytes)
    if file.tell() + declared.num_bytes != size:
        raise Unreadable("it has not as many bytes as its header declares")
    file.seek(0)
    array = np.load(file, allow_pickle=False)
    return ImageContent(array, "YX" if array.ndim == 2 else "?" * array.ndim)
