"""Recognizers."""

from .recognizer_gap import RecognizerGAP, drop_text_branch

__all__ = ["RecognizerGAP", "drop_text_branch"]
