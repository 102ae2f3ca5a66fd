"""How well detectors of behaviour notice intruders, where the truth is known."""
