"""The modules of this folder import those of tests/support."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
