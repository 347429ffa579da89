"""Faster forms of the units for CPUs; :mod:`.forms` decides where they run."""

from .forms import has_cpu_forms, plain_path

__all__ = ["has_cpu_forms", "plain_path"]
