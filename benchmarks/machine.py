"""Where figures were measured: machine, versions, commit."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchError

OWN_PACKAGES = (
    "torch",
    "transformers",
    "sentence-transformers",
    "faiss-cpu",
    "onnxruntime",
    "numpy",
)
_ASK_VERSIONS = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        found[name] = None
print(json.dumps(found))
"""


def machine() -> dict[str, Any]:
    """Processor, cores that may be used, memory, system and Python."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": _processor(Path("/proc/cpuinfo")),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(pages * size / 1e9, 1),
        "system": f"{_distribution()}, Linux {platform.release()}, {platform.machine()}",
        "python": platform.python_version(),
    }


def versions(python: str, names: Sequence[str]) -> dict[str, str | None]:
    """The versions that are installed beside a Python; None: not there."""
    command = (python, "-c", _ASK_VERSIONS, *names)
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BenchError(f"{python} does not run: {error}. Run `make bench`.") from error
    found: dict[str, str | None] = json.loads(ran.stdout)
    return found


def pins(requirements: str) -> dict[str, str]:
    """Version by name of a file of requirements."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s#]+)", requirements, re.MULTILINE)
    return {_normal(name): version for name, version in found}


def check_installed(found: Mapping[str, str | None], wanted: Mapping[str, str]) -> None:
    """Raises BenchError for the first package that is missing or of another version."""
    for name, version in found.items():
        pin = wanted.get(_normal(name))
        if version is None:
            raise BenchError(
                f"{name} is not installed in the environment of the peers; "
                "`make bench` installs benchmarks/requirements.txt there."
            )
        if pin and version.partition("+")[0] != pin:
            raise BenchError(
                f"{name} is {version} in the environment of the peers, but "
                f"benchmarks/requirements.txt says {pin}; `make bench` brings it up to date."
            )


def commit(root: Path) -> tuple[str, bool]:
    """The commit that is checked out, and whether files differ from it; "" outside of git."""

    def git(*arguments: str) -> str:
        ran = subprocess.run(
            ("git", "-C", str(root), *arguments), capture_output=True, text=True, check=False
        )
        return ran.stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD"), bool(git("status", "--porcelain", "src"))
    except OSError:
        return "", False


def _processor(cpuinfo: Path) -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text("utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return " ".join(found[1].split()) if found else platform.processor() or "unknown"


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "Linux"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
