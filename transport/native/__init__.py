"""The compiled engine of the media path (`engine.c`), where it has been built and OpenSSL is to be had.

Without it everything works, in Python, at a higher price. `scripts/build-engine` builds it, with a C compiler
out of a Python package, so that a machine needs none of its own.
"""
