"""Recognizers."""

from .recognizer_gap import RecognizerGAP

__all__ = ["RecognizerGAP"]
