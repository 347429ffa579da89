"""CachedTextEncoder: text features from a file."""

from __future__ import annotations

from collections.abc import Sequence

from mmaction.registry import MODELS
from torch import Tensor

from gap_mmaction.utils.paths import find_shipped_file

from .feature_file import hash_texts, open_features
from .text_encoder import TextEncoder


@MODELS.register_module()
class CachedTextEncoder(TextEncoder):
    """A frozen encoder whose features were computed beforehand.

    Training then needs neither a text model nor a network.
    ``tools/cache_text_features.py`` writes such files with any other encoder.

    Args:
        features: The feature file (safetensors).

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it is no feature file.
    """

    def __init__(self, features: str) -> None:
        file = open_features(find_shipped_file(features))
        super().__init__(file.embed_dims, frozen=True)
        self.file = file

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Look features up.

        Args:
            texts: Texts, each of which must be in the file.

        Returns:
            ``[len(texts), D]``.

        Raises:
            ValueError: If the file was made from other texts.
        """
        rows = {text: row for row, text in enumerate(self.file.texts)}
        missing = [text for text in texts if text not in rows]
        if missing:
            raise ValueError(
                f"{self.file.path} was made from other texts: {len(missing)} of the "
                f"{len(set(texts))} that are needed are not in it, the first is "
                f"{missing[0]!r} (sha256 of the file's texts "
                f"{hash_texts(self.file.texts)[:12]}, of those needed "
                f"{hash_texts(texts)[:12]}). Make one with "
                "tools/cache_text_features.py from these descriptions and this preset "
                "(`--presets all` takes every one), on any machine that has the text "
                "model, and give that (in a config, model.text_branch.features)"
            )
        return self.file.read()[[rows[text] for text in texts]]

    def init_weights(self) -> None:
        """Do nothing: there are no weights."""
