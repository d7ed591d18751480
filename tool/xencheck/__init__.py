"""The command line, the reports and the public face for authors of guest ports.

The top layer: it may import all others, and does so lazily, so that `import xencheck` and `xencheck --help`
stay quick.
"""

__version__ = "0.1.0"
