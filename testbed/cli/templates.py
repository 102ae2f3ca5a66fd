"""Where the files that `init` copies are: in the wheel, or beside it in a checkout."""

from pathlib import Path

from testbed.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent.parent


def template_folder() -> Path:
    """Return the folder that holds lab.yaml, devices/ and scenarios/.

    Raises ConfigError when the installation has none.
    """
    for folder in (_PACKAGE / "templates", _PACKAGE.parent):
        if (folder / "lab.yaml").is_file() and (folder / "devices").is_dir():
            return folder
    raise ConfigError("this installation has no templates; install the package again")
