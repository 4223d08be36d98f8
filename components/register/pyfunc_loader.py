"""Loader of registered heads for MLflow: `mlflow.pyfunc.load_model("models:/showroom.body-type@champion")`.

The model folder names this module and contains the head as safetensors; nothing is unpickled.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coachworks.models.head import Head, load_head

if TYPE_CHECKING:
    import pandas as pd


class HeadModel:
    """A head with the interface of an MLflow model."""

    def __init__(self, head: Head) -> None:
        self.head = head

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> "pd.DataFrame":
        """Answer from features.

        Args:
            model_input: The backbone's features, float32, shape (N, D).
            params: Not used.

        Returns:
            One row per photo: label, confidence, and the probability of every label.
        """
        import pandas as pd

        probabilities = self.head.probabilities(np.asarray(model_input, dtype=np.float32))
        table = pd.DataFrame(probabilities, columns=[f"probability/{label}" for label in self.head.labels])
        table.insert(0, "label", [self.head.labels[best] for best in probabilities.argmax(axis=1)])
        table.insert(1, "confidence", probabilities.max(axis=1))
        return table


def _load_pyfunc(data_path: str) -> HeadModel:
    """Load the model; MLflow calls this with the path of the model's data."""
    return HeadModel(load_head(Path(data_path)))
