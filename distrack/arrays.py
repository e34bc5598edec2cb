"""Names of the array types, so that a signature says which precision it computes in. Shapes stand in docstrings."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Complex = NDArray[np.complex128]
Integers = NDArray[np.int64]
# One truth value for each row.
Mask = NDArray[np.bool_]
