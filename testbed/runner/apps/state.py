"""The companion apps as they are on the phone just now."""

from dataclasses import dataclass

from testbed.model.inspection import PhoneInspector
from testbed.model.protocols import Phone


@dataclass(frozen=True, slots=True, kw_only=True)
class AppState:
    """Which build of an app is installed; '' is what the phone does not say.

    Two states are compared by `differs_from`, which lets unknowns pass.
    """

    package: str
    version: str
    version_code: str = ""
    signer: str = ""

    @property
    def installed(self) -> bool:
        """Say whether the app is there."""
        return bool(self.version)

    def differs_from(self, other: "AppState") -> dict[str, tuple[str, str]]:
        """Return what is not as it is in `other`: field -> (there, here)."""
        found = {}
        for name in ("version", "version_code", "signer"):
            theirs, ours = getattr(other, name), getattr(self, name)
            unknown = not theirs or (not ours and self.installed)
            if not unknown and theirs != ours:
                found[name] = (theirs, ours)
        return found


def app_state(phone: Phone, package: str) -> AppState:
    """Ask the phone which build of an app is installed; raises DriverError."""
    if not isinstance(phone, PhoneInspector):
        return AppState(package=package, version=phone.app_version(package))
    facts = phone.describe_app(package)
    return AppState(
        package=package,
        version=facts.version,
        version_code=facts.version_code,
        signer=facts.signer,
    )
