"""Results of a dataset: made when it is published, and again when it is reproduced."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.cli.bar import shown_progress

if TYPE_CHECKING:
    from analysis.reproduce import Recipe

DEFAULT = ("rf", "knn", "nb")  # fast ones
FEATURES = "features.parquet"


class Report:
    """Tables and figures of `testbed report`, and the features that they learn from.

    Raises RequestError for a classifier that does not exist.
    """

    def __init__(
        self, classifiers: Sequence[str] = (), *, seed: int = 0, jobs: int = 1
    ) -> None:
        from analysis.evaluate.campaign import plan_of

        self._classifiers = tuple(classifiers) or DEFAULT
        plan_of(self._classifiers)  # what does not exist is told now, not in an hour
        self._seed = seed
        self._jobs = jobs

    @property
    def recipe(self) -> Mapping[str, Any]:
        """What makes them again."""
        from analysis.exporters.bundle.work import code_digest
        from analysis.report.scores import BELIEVED
        from analysis.reproduce import surroundings

        return {
            "made_by": "report",
            "classifiers": list(self._classifiers),
            "splits": list(BELIEVED),
            "seed": self._seed,
            **surroundings(),
            "code": code_digest(),
        }

    def write(self, campaign: Path, out: Path) -> None:
        """Write features, page, tables and figures of a campaign."""
        from analysis.report import write_report

        _write_features(campaign, out / FEATURES)
        with shown_progress(f"results {campaign.name}") as told:
            write_report(
                [campaign],
                out,
                say=lambda _line: None,
                seed=self._seed,
                classifiers=self._classifiers,
                jobs=self._jobs,
                told=told,
            )


class Remaker:
    """Makes of a dataset again what the commands of the project made of it."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs

    def results(self, recipe: "Recipe", campaign: Path, out: Path) -> None:
        """Write the tables and figures of one campaign folder into `out`.

        Raises DatasetError where the recipe wants splits that the report has not.
        """
        from analysis.errors import DatasetError
        from analysis.report.scores import BELIEVED

        if recipe.splits != BELIEVED:
            names = ", ".join(recipe.splits)
            why = f"this version scores by {', '.join(BELIEVED)}"
            raise DatasetError(f"the recipe wants the splits {names}; {why}")
        report = Report(recipe.classifiers, seed=recipe.seed, jobs=self._jobs)
        report.write(campaign, out)

    def tables(
        self,
        campaigns: Sequence[Path],
        data: Path,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Write the tables over all campaigns, and the splits of their trials.

        How addresses are written in payloads is left empty: it follows from the key.
        """
        from analysis.exporters.bundle.splits import splits_of
        from analysis.exporters.bundle.tables import tables_of, write_frame

        for name, frame in tables_of(campaigns, progress=progress).items():
            write_frame(frame, data / "tables" / name)
        text = json.dumps(splits_of(campaigns), indent=1) + "\n"
        (data / "splits.json").write_text(text, encoding="utf-8")

    def surroundings(self) -> Mapping[str, Any]:
        """Return what a recipe would tell of where it is made, here and now."""
        from analysis.reproduce import surroundings

        return surroundings()

    @property
    def code(self) -> str:
        """Return a digest of the code that makes everything."""
        from analysis.exporters.bundle.work import code_digest

        return code_digest()


def _write_features(campaign: Path, path: Path) -> None:
    """Write what classifiers learn from, where there is anything to learn."""
    from analysis.dataset import devices_of
    from analysis.errors import LabelError
    from analysis.evaluate.table import feature_tables, write_features
    from analysis.labelling import labelled_as

    overlap, _ = labelled_as(campaign)
    devices = devices_of(campaign, ())
    try:
        write_features(feature_tables(campaign, devices, overlap=overlap), path)
    except LabelError:
        return  # the splits say why nothing can be learnt
