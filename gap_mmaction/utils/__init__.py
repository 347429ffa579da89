"""Helpers without a model in them."""
