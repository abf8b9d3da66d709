"""`python -m fuzz` is a program of its own: its modules are found in tests/, behind all others."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))
