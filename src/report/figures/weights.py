"""What the hidden units look at."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from src.language import say
from src.report.style import WIDTH, figure, panels

_COLUMNS = 8


@figure
def hidden_weights(weights: NDArray[np.floating], image_shape: tuple[int, int], limit: int = 32) -> Figure:
    """The incoming weights of hidden units as images: light for positive, dark for negative, middle grey for zero.

    All units share one scale; the `limit` units with the largest weights are shown, strongest first.

    Parameters
    ----------
    weights : first layer, shape (units, inputs).
    image_shape : rows and columns of an input image.

    Raises ValueError if the inputs do not fill the image.
    """
    if weights.ndim != 2 or weights.shape[1] != image_shape[0] * image_shape[1]:
        raise ValueError(f"weights of shape {weights.shape} do not fill images of shape {image_shape}.")
    strongest = np.argsort(-np.linalg.norm(weights, axis=1), kind="stable")[:limit]
    columns = min(_COLUMNS, len(strongest))
    drawn, axes = panels(
        len(strongest), columns=columns, height=1.15, width=min(WIDTH, 0.85 * columns + 2), square=True
    )
    reach = float(np.abs(weights[strongest]).max()) or 1.0
    for ax, unit in zip(axes, strongest, strict=True):
        image = ax.imshow(weights[unit].reshape(image_shape), cmap="gray", vmin=-reach, vmax=reach)
        ax.set_axis_off()
        ax.set_title(say("unit {unit}", unit=unit), fontsize=8, weight="normal", loc="center", pad=2)
    bar = drawn.colorbar(image, ax=axes, pad=0.02, fraction=0.04, aspect=30)
    bar.set_label(say("weight"))
    title = say("hidden units, strongest first")
    if len(strongest) < len(weights):
        title = say("hidden units, strongest first ({shown} of {count})", shown=len(strongest), count=len(weights))
    drawn.suptitle(title, fontsize=10.5, weight="bold")
    return drawn
