"""`python -m rapport.cli` is the same as `rapport`."""

from . import main

main()
