"""Estimators as bytes and back, without pickle, and without trusting the bytes.

skops writes an estimator as arrays and a tree of type names, each with the kind of node
that makes it. Here names are compared with `TRUSTED` and kinds with `KINDS` before
anything is imported or made; skops alone would take any estimator of scikit-learn, and
kinds that call functions. Arrays must be as long as they say. Decision trees are looked
through after that: scikit-learn follows the numbers in their nodes wherever these lead.
"""

import io
import json
import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from analysis.classifiers.model import Estimator
from analysis.classifiers.trees import lead_down
from analysis.errors import ModelError
from analysis.features.sequence import n_columns

_PLAIN = (
    "builtins.dict",
    "builtins.list",
    "builtins.str",
    "builtins.tuple",
    "numpy.float64",
    "numpy.int64",
    "numpy.ndarray",
    "numpy.random._generator.Generator",
    "numpy.uint64",
)
_OF_LIBRARIES = (
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss._loss.CyHalfMultinomialLoss",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn.ensemble._forest.ExtraTreesClassifier",  # watches in streaming
    "sklearn.ensemble._forest.RandomForestClassifier",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting"
    ".HistGradientBoostingClassifier",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.naive_bayes.GaussianNB",
    "sklearn.neighbors._classification.KNeighborsClassifier",
    "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._data.StandardScaler",
    "sklearn.preprocessing._label.LabelEncoder",
    "sklearn.tree._classes.DecisionTreeClassifier",
    "sklearn.tree._classes.ExtraTreeClassifier",
    "sklearn.tree._tree.Tree",
)
_OF_OURS = (
    "analysis.classifiers.fusion.Fusion",
    "analysis.classifiers.nearest.Nearest",
)
TRUSTED = frozenset((*_PLAIN, *_OF_LIBRARIES, *_OF_OURS))
# how skops makes them; none of these calls a function that a file names
KINDS = frozenset(
    {
        "DictNode",
        "JsonNode",
        "ListNode",
        "LossNode",
        "NdArrayNode",
        "ObjectNode",
        "RandomGeneratorNode",
        "TreeNode",
        "TupleNode",
        "TypeNode",
    }
)

_SCHEMA = "schema.json"
_ARRAYS = (1, 0)  # version of the format of arrays
_GENERATOR = '"PCG64"'  # of numpy; older skops calls whatever is named there
_MOST_B = 2**30  # unpacked; our own models have some MB, and little can unpack to much
_LEAF = -1
_WIDEST = 2**62
# Whatever skops, zip and JSON do with bytes that are no model. A library that cannot be
# imported and memory that is short are none of the file's faults.
_BROKEN = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def to_bytes(estimator: Estimator) -> bytes:
    """Return an estimator as bytes.

    Raises ModelError, naming the type, when `from_bytes` would not take it.
    """
    import skops.io

    data: bytes = skops.io.dumps(
        estimator, compression=zipfile.ZIP_DEFLATED, compresslevel=6
    )
    _refuse_foreign(_schema(data))
    return data


def from_bytes(data: bytes) -> Estimator:
    """Return the estimator that `to_bytes` wrote, with the same answers to the bit.

    Raises ModelError for anything else, with words to go on after a file's name:
    bytes that are cut short or changed, and types that are not in `TRUSTED`, of which
    none is imported.
    """
    import skops.io

    try:
        schema = _schema(data)
        _refuse_foreign(schema)
        _refuse_other_trees(schema, _shapes(data))
        estimator: Estimator = skops.io.loads(data, trusted=sorted(TRUSTED))
        _refuse_loose_numbers(estimator)
        _refuse_mute(estimator)
    except _BROKEN as exc:
        raise ModelError("is damaged; train the model again") from exc
    return estimator


def _refuse_mute(estimator: Any) -> None:
    """Raise an error of some kind when an estimator cannot answer for a window."""
    from scipy.sparse import csr_array

    # what sees the sequence block is too wide for an array; streaming has widths of its
    # own between
    width = int(estimator.n_features_in_)
    is_wide = width > n_columns()
    given = csr_array((1, width)) if is_wide else np.zeros((1, width))
    with np.errstate(all="ignore"):
        share = np.asarray(estimator.predict_proba(given))
    if share.shape != (1, len(estimator.classes_)) or not np.isfinite(share).all():
        raise ModelError("holds an estimator that does not answer; train it again")


def types_in(data: bytes) -> frozenset[str]:
    """Return the full names of all types that an estimator in bytes consists of."""
    return frozenset(_named_in(_schema(data)))


def kinds_in(data: bytes) -> frozenset[str]:
    """Return the kinds of all nodes that an estimator in bytes consists of."""
    nodes = _nodes_of(_schema(data))
    return frozenset(node["__loader__"] for node in nodes if "__loader__" in node)


def _schema(data: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        if sum(part.file_size for part in packed.infolist()) > _MOST_B:
            raise ModelError(f"would unpack to more than {_MOST_B} bytes")
        return json.loads(packed.read(_SCHEMA))


def _refuse_foreign(schema: Any) -> None:
    """Raise ModelError for types and kinds of nodes that no model of ours has."""
    foreign = sorted(set(_named_in(schema)) - TRUSTED)
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise ModelError(
            f"holds a type that no model of ours has, {foreign[0][:80]!r}{more}; "
            "nothing of it was loaded"
        )
    for node in _nodes_of(schema):
        if "__loader__" not in node:
            continue
        kind = node["__loader__"]
        if kind not in KINDS or not _is_generator_of_ours(node):
            raise ModelError(
                f"holds a part that no model of ours has, {str(kind)[:80]!r}; "
                "nothing of it was loaded"
            )


def _is_generator_of_ours(node: Mapping[str, Any]) -> bool:
    if node.get("__loader__") != "RandomGeneratorNode":
        return True
    name = node["content"]["bit_generator"]["content"]["bit_generator"]
    return bool(name["__loader__"] == "JsonNode" and name["content"] == _GENERATOR)


def _named_in(schema: Any) -> Iterator[str]:
    """Yield each type that a schema names, wherever it does."""
    for node in _nodes_of(schema):
        if "__module__" in node or "__class__" in node:
            yield f"{node.get('__module__')}.{node.get('__class__')}"


def _nodes_of(schema: Any) -> Iterator[dict[str, Any]]:
    pending = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield node
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)


def _shapes(data: bytes) -> Mapping[str, tuple[int, ...]]:
    """Return the shape of each array, by its file.

    Raises ModelError when an array says that it is longer or shorter than it is: numpy
    takes memory for as many numbers as a file says, before it reads them.
    """
    found = {}
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        for part in packed.infolist():
            if part.filename == _SCHEMA:
                continue
            with packed.open(part) as file:
                if np.lib.format.read_magic(file) != _ARRAYS:
                    raise ModelError("holds an array of a kind that is not ours")
                shape, _in_columns, dtype = np.lib.format.read_array_header_1_0(file)
                held_b = part.file_size - file.tell()
            if math.prod(shape) * dtype.itemsize != held_b or min(shape, default=0) < 0:
                raise ModelError("holds an array of a length that it has not")
            found[part.filename] = shape
    return found


def _refuse_other_trees(schema: Any, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise ModelError for a tree that does not answer one question.

    Made of other numbers, scikit-learn reads and takes memory for as many as they say.
    What skops knows by a number it takes for what it met first under that number.
    """
    first: dict[Any, Any] = {}
    nodes = list(_nodes_of(schema))
    unlike = {
        node["__id__"]
        for node in nodes
        if "__id__" in node and first.setdefault(node["__id__"], node) != node
    }
    for node in nodes:
        if node.get("__loader__") == "TreeNode":
            given = node["__reduce__"]["args"]
            _columns, n_classes, n_outputs = given["content"]
            if unlike.intersection(
                each["__id__"] for each in (given, *given["content"])
            ):
                raise ModelError("holds two parts under one number; train it again")
            if n_outputs["content"] != "1" or shapes[n_classes["file"]] != (1,):
                raise ModelError("holds a tree that is not ours; train the model again")


def _refuse_loose_numbers(estimator: object) -> None:
    """Raise ModelError when a number leads out of the estimator, or in a circle."""
    seen: set[tuple[int, int]] = set()
    pending: list[tuple[object, int]] = [(estimator, _WIDEST)]
    while pending:
        part, width = pending.pop()
        # a part of an estimator is given no more columns than the whole
        width = min(width, int(getattr(part, "n_features_in_", width)))
        if (id(part), width) in seen:
            continue
        seen.add((id(part), width))
        check = _CHECKS.get(type(part).__name__)
        if check is not None and not check(part, width):
            raise ModelError("holds a number that leads nowhere; train the model again")
        pending += [(each, width) for each in _parts_of(part)]


def _parts_of(part: object) -> list[object]:
    if isinstance(part, Mapping):
        return list(part.values())
    if isinstance(part, list | tuple):
        return list(part)
    if isinstance(part, np.ndarray):
        return list(part.flat) if part.dtype.hasobject else []
    return list(getattr(part, "__dict__", {}).values())


def _holds_tree(tree: Any, width: int) -> bool:
    inner = tree.children_left != _LEAF
    feature = tree.feature
    return _leads_down(inner, tree.children_left, tree.children_right) and bool(
        ((feature[inner] >= 0) & (feature[inner] < width)).all()
    )


def _holds_predictor(predictor: Any, width: int) -> bool:
    nodes = predictor.nodes
    inner = nodes["is_leaf"] == 0
    feature = nodes["feature_idx"][inner]
    return (
        _leads_down(inner, nodes["left"], nodes["right"])
        and bool(((feature >= 0) & (feature < width)).all())
        and not nodes["is_categorical"].any()  # no column of ours is a category
    )


def _holds_classes(trees: Any, width: int) -> bool:
    """Say whether memory will be taken for as many classes as there are."""
    del width
    n_classes = len(trees.classes_)
    return bool(trees.n_outputs_ == 1 and trees.n_classes_ == n_classes)


def _holds_rounds(boosted: Any, width: int) -> bool:
    del width
    n = len(boosted.classes_)
    return bool(boosted.n_trees_per_iteration_ == (n if n > 2 else 1))


def _holds_fusion(fusion: Any, width: int) -> bool:
    """Say whether the trees look at no more columns than they are given."""
    n = width if fusion.n_statistics is None else fusion.n_statistics
    given = n + fusion.lengths_.size + fusion.bins_.size
    return bool(
        0 <= n <= width
        and lead_down(fusion.forest_, given)
        and lead_down(fusion.greedy_, n)
    )


def _holds_neighbours(neighbours: Any, width: int) -> bool:
    del width  # scikit-learn looks at it
    labels = neighbours._y
    return bool(((labels >= 0) & (labels < len(neighbours.classes_))).all())


def _leads_down(inner: Any, left: Any, right: Any) -> bool:
    """Say whether the children of inner nodes are nodes behind them, without a loop."""
    own = np.flatnonzero(inner)
    ends = np.stack((left[inner], right[inner])).astype(np.int64)
    return bool(inner.size and (ends > own).all() and (ends < inner.size).all())


_CHECKS: Mapping[str, Callable[[Any, int], bool]] = {
    "Tree": _holds_tree,
    "TreePredictor": _holds_predictor,
    "ExtraTreesClassifier": _holds_classes,
    "RandomForestClassifier": _holds_classes,
    "HistGradientBoostingClassifier": _holds_rounds,
    "Fusion": _holds_fusion,
    "KNeighborsClassifier": _holds_neighbours,
}
