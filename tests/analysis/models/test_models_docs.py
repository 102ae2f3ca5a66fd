"""The page about the Python API runs from its first block to its last."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "python-api.md"


def test_the_page_of_the_python_api_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.+?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) >= 8
    names: dict[str, object] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"{PAGE.name}, block {number}", "exec"), names)  # noqa: S102
    assert (tmp_path / "lamp-model" / "CARD.md").exists()
