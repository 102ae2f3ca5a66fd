"""How well flows of attacks are found: figures, and splits by home and time."""

from analysis.evaluate.flows.measures import Measures, measure, precision_at
from analysis.evaluate.flows.protocols import Split, training_rows

__all__ = ["Measures", "Split", "measure", "precision_at", "training_rows"]
