"""Names and order of the statistics that describe one distribution of values."""

from analysis.features.model import Direction, Feature


def names_of(what: str, unit: str) -> tuple[Feature, ...]:
    """Name the statistics of `what`, incoming, outgoing, both."""
    return tuple(
        Feature(name=f"{d}_{what}_{statistic}", unit=u)
        for d in Direction
        for statistic, u in (
            (f"mean_{unit}", unit),
            (f"variance_{unit}2", f"{unit}2"),
            ("skew", "1"),
            ("kurtosis", "1"),
            *((f"p{p}_{unit}", unit) for p in range(10, 100, 10)),
        )
    )
