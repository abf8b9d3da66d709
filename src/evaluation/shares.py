"""How sure a share of rows is."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri  # scipy.stats takes a second to import

FloatArray = NDArray[np.float64]


def wilson_interval(share: ArrayLike, rows: ArrayLike, level: float) -> tuple[FloatArray, FloatArray]:
    """The confidence interval of a share of rows that are drawn independently.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927). `share` and
    `rows` may be arrays of one shape.
    """
    p, n, z = np.asarray(share, np.float64), np.asarray(rows, np.float64), ndtri((1 + level) / 2)
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return centre - reach, centre + reach
