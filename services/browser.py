"""The browser that tests of the page drive: Chromium, as the system has it."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from services import ServicesFailed
from services.cache import cache_folder, locked, report

VARIABLE = "HEADWATER_CHROMIUM"  # the path of another one
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-dejavu-core")  # of Debian; fonts for what pages are shown with that is not Latin
_INSTALL_S_MAX = 280.0


def chromium(environment: Mapping[str, str] = os.environ) -> Path:
    """The path of its program. Where CI lacks it and may install it, it is installed, which takes a minute.

    Raises:
        ServicesFailed: it is missing.
    """
    found = _found(environment)
    if found is None and environment.get("CI") == "true" and os.geteuid() == 0 and shutil.which("apt-get"):
        cache_folder(environment).mkdir(parents=True, exist_ok=True)
        with locked(cache_folder(environment) / "chromium.lock"):
            found = _found(environment) or _installed(environment)
    if found is None:
        raise ServicesFailed(
            "Tests of the page require Chromium: `apt install chromium`, or your system's package of it. Or set "
            f"{VARIABLE} to the path of a browser of its family."
        )
    return found


def _found(environment: Mapping[str, str]) -> Path | None:
    named = environment.get(VARIABLE)
    paths = [named] if named else [shutil.which(name, path=environment.get("PATH", "")) for name in NAMES]
    return next((Path(path) for path in paths if path and Path(path).is_file()), None)


def _installed(environment: Mapping[str, str]) -> Path | None:
    report("services: installing Chromium, once")
    how = {**environment, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (("update", "-qq"), ("install", "-y", "-qq", *PACKAGES)):
        ended = subprocess.run(
            ["apt-get", *words],
            env=how,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_INSTALL_S_MAX,
        )
        if ended.returncode:
            raise ServicesFailed(f"`apt-get {words[0]}` failed: {ended.stderr.strip()[-500:]}")
    return _found(environment)
