"""The programs on the phone that adb, AndroidViewClient and the driver start.

Delays follow a real phone, where each of these starts a Java process: they are drawn
from a seeded generator. `input tap` touches down shortly before it returns, which is
what the driver's estimate of the instant rests on.
"""

import asyncio
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from testbed.virtual.phone import screen
from testbed.virtual.phone.screens import HEIGHT, LAUNCHER, WIDTH, AppScreens
from testbed.virtual.phone.shell import Command, Result

DENSITY_DPI = 320
PROPERTIES = {
    "ro.build.version.sdk": "29",
    "ro.build.version.release": "10",
    "ro.sf.lcd_density": str(DENSITY_DPI),
    "ro.secure": "1",
    "ro.debuggable": "0",
    "ro.product.board": "virtual",
    "ro.product.brand": "virtual",
    "ro.product.model": "VirtualPhone",
    "ro.product.name": "virtualphone",
    "ro.product.device": "virtualphone",
    "ro.product.locale": "en-US",
    "ro.serialno": "VIRTUAL0001",
    "sys.boot_completed": "1",
}
SETTINGS = {
    "font_scale": "1.0",
    "system_locales": "en-US",
    "stay_on_while_plugged_in": "7",
    "window_animation_scale": "0.0",
    "transition_animation_scale": "0.0",
    "animator_duration_scale": "0.0",
}
_DISPLAY = (
    "  mViewports=[DisplayViewport{type=INTERNAL, valid=true, isActive=true, "
    "displayId=0, uniqueId='local:0', physicalPort=0, orientation=0, "
    f"logicalFrame=Rect(0, 0 - {WIDTH}, {HEIGHT}), "
    f"physicalFrame=Rect(0, 0 - {WIDTH}, {HEIGHT}), "
    f"deviceWidth={WIDTH}, deviceHeight={HEIGHT}}}]\n"
)
_POLICY = (
    "    screenState=SCREEN_STATE_ON\n"
    "    interactiveState=INTERACTIVE_STATE_AWAKE\n    mShowingLockscreen=false\n"
)
_KEYS = {"4": "back", "KEYCODE_BACK": "back", "3": "home", "KEYCODE_HOME": "home"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """How long things take, each as a range in seconds, drawn evenly.

    tap       a whole `input tap`; real phones take 0.3-1 s
    lead      from touch-down to the return of `input`
    dump      `uiautomator dump`
    start     `am start` until the app shows
    """

    tap: tuple[float, float] = (0.3, 1.0)
    lead: tuple[float, float] = (0.010, 0.040)
    dump: tuple[float, float] = (0.25, 0.5)
    start: tuple[float, float] = (0.3, 0.6)


def _said(text: str, status: int = 0) -> Result:
    return Result(out=text.encode(), status=status)


class Programs:
    """All programs of one phone; `commands` is what its shell finds on the PATH."""

    def __init__(
        self,
        screens: AppScreens,
        files: dict[str, bytes],
        rng: np.random.Generator,
        delays: Delays,
    ) -> None:
        self._screens, self._files = screens, files
        self._rng, self._delays = rng, delays
        self._wifi = self._data = True
        self._dumped = b""  # what the last dump gave, for one that is stale

    def commands(self) -> dict[str, Command]:
        """Return the programs by name."""
        return {
            "am": self._am,
            "cat": self._cat,
            "cmd": self._cmd,
            "cp": self._cp,
            "dumpsys": self._dumpsys,
            "echo": self._echo,
            "getprop": self._getprop,
            "input": self._input,
            "log": self._nothing,
            "rm": self._rm,
            "screencap": self._screencap,
            "settings": self._settings,
            "sleep": self._sleep,
            "svc": self._svc,
            "true": self._nothing,
            "uiautomator": self._uiautomator,
            "wm": self._wm,
        }

    async def _wait(self, bounds: tuple[float, float]) -> None:
        await asyncio.sleep(self._rng.uniform(*bounds))

    async def _input(self, words: Sequence[str]) -> Result:
        rest = [w for w in words if w != "touchscreen"]
        loop = asyncio.get_running_loop()
        lead_s = self._rng.uniform(*self._delays.lead)
        await asyncio.sleep(self._rng.uniform(*self._delays.tap) - lead_s)
        returns_s = loop.time() + lead_s
        match rest:
            case ["tap", x, y]:
                self._screens.tap(int(float(x)), int(float(y)))
            case ["keyevent", *keys]:
                for key in keys:
                    self._screens.press(_KEYS.get(key, key))
            case ["swipe" | "text", *_]:
                pass  # no screen scrolls and no field takes text yet
            case _:
                return Result(err=b"Error: Unknown command\n", status=255)
        await asyncio.sleep(returns_s - loop.time())
        return Result()

    async def _am(self, words: Sequence[str]) -> Result:
        if words[:1] != ["start"]:
            return Result()
        target = words[-1]
        await self._wait(self._delays.start)
        if not self._screens.open_app(target.partition("/")[0]):
            return _said(
                f"Starting: Intent {{ cmp={target} }}\nError type 3\nError: Activity "
                f"class {{{target}}} does not exist.\n",
                1,
            )
        return _said(f"Starting: Intent {{ cmp={target} }}\n")

    async def _uiautomator(self, words: Sequence[str]) -> Result:
        await self._wait(self._delays.dump)
        last = words[-1] if words else ""
        path = last if last.startswith("/") else "/sdcard/window_dump.xml"
        troubles = self._screens.troubles
        if no_dump_s := troubles.no_dump_s():
            await asyncio.sleep(no_dump_s)
            return Result(err=b"ERROR: could not get idle state.\n")
        if not self._dumped or not troubles.is_stale():
            self._dumped = screen.dump_xml(self._screens.view_tree())
        self._files[path] = self._dumped
        return _said(f"UI hierchary dumped to: {path}\n")  # the typo is Android's

    async def _dumpsys(self, words: Sequence[str]) -> Result:
        match list(words):
            case ["display"]:
                return _said(_DISPLAY)
            case ["window", "policy"]:
                return _said(_POLICY)
            case ["window", "displays"]:
                focus = self._screens.focus
                return _said(f"  mCurrentFocus=Window{{1a2b3c4 u0 {focus}}}\n")
            case ["activity", "top"]:
                return _said(f"  ACTIVITY {self._screens.package}/.Main 1a2b pid=42\n")
            case ["wifi"]:
                return _said(f"Wi-Fi is {'enabled' if self._wifi else 'disabled'}\n")
            case ["package", package]:
                return self._package(package)
            case _:
                return Result()

    def _package(self, package: str) -> Result:
        version = self._screens.version(package)
        if not version:
            return _said(f"Unable to find package: {package}\n")
        code = "".join(c for c in version if c.isdigit())
        signer = f"{zlib.crc32(package.encode()):08x}"
        return _said(
            f"Packages:\n  Package [{package}] (1a2b3c):\n"
            f"    versionCode={code} minSdk=21 targetSdk=29\n"
            f"    versionName={version}\n"
            f"    signatures=PackageSignatures{{1a2b version:2, signatures:[{signer}], "
            "past signatures:[]}\n"
        )

    async def _svc(self, words: Sequence[str]) -> Result:
        match list(words):
            case ["wifi", "enable" | "disable" as wanted]:
                self._wifi = wanted == "enable"
            case ["data", "enable" | "disable" as wanted]:
                self._data = wanted == "enable"
            case _:
                return Result(
                    err=b"usage: svc [wifi|data] [enable|disable]\n", status=1
                )
        self._screens.network = "lan" if self._wifi else "wan"
        return Result()

    async def _cmd(self, words: Sequence[str]) -> Result:
        if list(words[:2]) != ["package", "resolve-activity"]:
            return Result(err=b"cmd: Can't find service\n", status=20)
        package = words[-1]
        if not self._screens.version(package) and package != LAUNCHER:
            return _said("No activity found\n")
        return _said(f"priority=0 preferredOrder=0 isDefault=true\n{package}/.Main\n")

    async def _screencap(self, words: Sequence[str]) -> Result:
        picture = screen.png(self._screens.view_tree())
        if not words or not words[-1].startswith("/"):
            return Result(out=picture)
        self._files[words[-1]] = picture
        return Result()

    async def _getprop(self, words: Sequence[str]) -> Result:
        if words:
            return _said(PROPERTIES.get(words[0], "") + "\n")
        return _said("".join(f"[{k}]: [{v}]\n" for k, v in PROPERTIES.items()))

    async def _wm(self, words: Sequence[str]) -> Result:
        if list(words) == ["size"]:
            return _said(f"Physical size: {WIDTH}x{HEIGHT}\n")
        return _said(f"Physical density: {DENSITY_DPI}\n")

    async def _settings(self, words: Sequence[str]) -> Result:
        if len(words) != 3 or words[0] != "get":
            return Result(err=b"Invalid command\n", status=255)
        return _said(SETTINGS.get(words[2], "null") + "\n")

    async def _cat(self, words: Sequence[str]) -> Result:
        path = words[0] if words else ""
        if path not in self._files:
            text = f"cat: {path}: No such file or directory\n"
            return Result(err=text.encode(), status=1)
        return Result(out=self._files[path])

    async def _cp(self, words: Sequence[str]) -> Result:
        source, target = words
        self._files[target] = self._files.get(source, b"")
        return Result()

    async def _rm(self, words: Sequence[str]) -> Result:
        for path in words:
            self._files.pop(path, None)
        return Result()

    async def _echo(self, words: Sequence[str]) -> Result:
        return _said(" ".join(words) + "\n")

    async def _sleep(self, words: Sequence[str]) -> Result:
        await asyncio.sleep(float(words[0]))
        return Result()

    async def _nothing(self, words: Sequence[str]) -> Result:
        return Result()
