"""The figures, a function for each: plain data in, a `matplotlib.figure.Figure` out."""
