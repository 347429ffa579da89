"""Descriptions written by a language model: questions, answers and what keeps them."""
