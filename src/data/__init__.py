"""Named data sets and the user's own files, and what is fitted on them in each fold."""

from src.data.catalogue import NAMES, load
from src.data.dataset import DataError, Dataset
from src.data.new_rows import read_test
from src.data.preprocessing import make_preprocessor

__all__ = ["NAMES", "DataError", "Dataset", "load", "make_preprocessor", "read_test"]
