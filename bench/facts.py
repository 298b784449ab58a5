"""The machine that a run was made on, and the versions of everything that ran."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from systems.servers import ZOOKEEPER_JAR

PACKAGES = ("holdfast", "pyzmq", "msgpack", "click", "redis", "kazoo", "etcd3gw", "filelock")
PROGRAMS = {
    "redis-server": ("redis-server", "--version"),
    "zookeeper": ("java", "-cp", ZOOKEEPER_JAR, "org.apache.zookeeper.version.VersionInfoMain"),
    "java": ("java", "-version"),
    "etcd": ("etcd", "--version"),
    "etcdctl": ("etcdctl", "version"),
    "flock": ("flock", "--version"),
    "sem": ("sem", "--version"),
    "xargs": ("xargs", "--version"),
}
BEFORE = os.getloadavg()  # of 1, 5 and 15 minutes, when this module was loaded: before anything was measured


def facts(checkout: Path) -> dict[str, str]:
    """All of them, by name; what is not there is called missing."""
    found = {
        "machine": f"{os.cpu_count()} CPUs: {_processor()}, {_memory()}",
        "kernel": f"{platform.system()} {platform.release()}",
        "load in the minutes before": ", ".join(f"{load:.2f}" for load in BEFORE),
        "Python": platform.python_version(),
        "commit": _said("git", "-C", str(checkout), "describe", "--always", "--dirty"),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found | {name: _said(*words) for name, words in PROGRAMS.items()}


def _processor() -> str:
    named = [line for line in _text("/proc/cpuinfo").splitlines() if "model name" in line]
    return named[0].partition(":")[2].strip() if named else platform.machine()


def _memory() -> str:
    total = [line.split()[1] for line in _text("/proc/meminfo").splitlines() if line.startswith("MemTotal:")]
    return f"{int(total[0]) / 2**20:.1f} GiB" if total else "memory unknown"


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _said(*words: str) -> str:
    """The first line that a program says of itself, wherever it says it."""
    try:
        said = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "missing"
    return next(iter(said.splitlines()), "unknown").strip()
