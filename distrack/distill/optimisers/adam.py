"""Adam: steps in units of the gradient's running deviation."""

from distrack.adam import adam_step
from distrack.distill.optimisers.contract import OPTIMISERS

OPTIMISERS.add("adam", adam_step)
