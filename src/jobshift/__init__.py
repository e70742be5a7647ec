"""jobshift: how far large language models reach into people's work, as a study you can run."""

__version__ = "0.1.0"
