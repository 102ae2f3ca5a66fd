"""Classifiers that were trained on a campaign and kept: one folder holds some devices.

train(folder, devices, plan)  learn each device of a campaign
save(model, folder)           write model.json, an estimator per device, CARD.md
load(folder)                  read what `save` wrote; nothing in it is run

Higher floors keep files of their own in the same folder: save(..., parts=...) and
`load_parts`; estimators among them with `analysis.models.estimators`.
"""

from analysis.models.model import DeviceModel, TrainedModel
from analysis.models.store import load, load_parts, save
from analysis.models.train import TrainPlan, train, train_plan_of

__all__ = [
    "DeviceModel",
    "TrainPlan",
    "TrainedModel",
    "load",
    "load_parts",
    "save",
    "train",
    "train_plan_of",
]
