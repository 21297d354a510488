"""Get the servers' programs into the cache: Kafka and PostgreSQL by Maven, MinIO by Go."""

import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services import ServicesFailed
from services.cache import cache_folder, provide, report
from services.versions import KAFKA, KAFKA_SCALA, LOG4J, MINIO_MODULE, POSTGRES

JAVA_MIN = 17  # what Kafka's brokers need
ERROR_LINES = 15

_ARCHITECTURES = {"x86_64": "linux-amd64", "aarch64": "linux-arm64v8"}  # of those that PostgreSQL is published for
_HOW_TO_GET = {
    "java": f"Java {JAVA_MIN} or newer: `apt install openjdk-17-jre-headless`, or your system's package of it",
    "mvn": "Maven: `apt install maven`, or your system's package of it",
    "go": "Go 1.24 or newer: https://go.dev/dl, or your system's package of it",
    "setpriv": "setpriv: `apt install util-linux`, or your system's package of it",
}
_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>headwater</groupId>
  <artifactId>services</artifactId>
  <version>1</version>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""


@dataclass(frozen=True)
class Binaries:
    """Paths of the servers' programs."""

    kafka: Path  # a folder of jars
    postgres: Path  # a folder with bin, lib and share
    minio: Path  # the program


def binaries(environment: Mapping[str, str] = os.environ) -> Binaries:
    """Download or build the programs that the cache lacks, which takes minutes the first time.

    Raises:
        ServicesFailed: a tool is missing, or failed.
    """
    found = program_paths(environment)
    needed = ["java", "setpriv"]
    needed += [] if found.kafka.is_dir() and found.postgres.is_dir() else ["mvn"]
    needed += [] if found.minio.is_file() else ["go"]
    check_tools(needed, environment)
    provide(found.kafka, lambda folder: _get_kafka(folder, environment))
    provide(found.postgres, lambda folder: _get_postgres(folder, environment))
    provide(found.minio.parent, lambda folder: _get_minio(folder, environment))
    return found


def program_paths(environment: Mapping[str, str] = os.environ) -> Binaries:
    """The paths of the programs, whether or not they were built yet.

    Raises:
        ServicesFailed: there are none for this machine.
    """
    cache = cache_folder(environment)
    return Binaries(
        kafka=cache / f"kafka-{KAFKA}",
        postgres=cache / f"postgres-{POSTGRES}-{_architecture()}",
        minio=cache / f"minio-{MINIO_MODULE}" / "minio",
    )


def check_tools(needed: Sequence[str], environment: Mapping[str, str] = os.environ) -> None:
    """Check that tools are installed; the error says how to get all that are missing.

    Raises:
        ServicesFailed: at least one is missing.
    """
    missing = [tool for tool in needed if not shutil.which(tool, path=environment.get("PATH", ""))]
    found = []
    if "java" in needed and "java" not in missing and (version := _java_version(environment)) < JAVA_MIN:
        missing.append("java")
        found = [f"The Java on the PATH is version {version}."]
    if missing:
        wanted = [f"  {_HOW_TO_GET[tool]}" for tool in missing]
        engine = "Or start a container engine: Docker Compose then runs the servers, and none of this is needed."
        raise ServicesFailed("\n".join(["Starting the servers requires:", *wanted, *found, engine]))


def install_by_go(module: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Build the program of a Go module (NAME@VERSION) into a folder.

    Raises:
        ServicesFailed: it cannot be built.
    """
    report(f"services: building {module}; this takes some minutes, once")
    _run(["go", "install", module], folder, {**environment, "GOBIN": str(folder)})


def _java_version(environment: Mapping[str, str]) -> int:
    said = subprocess.run(["java", "-version"], env=dict(environment), capture_output=True, text=True).stderr
    number = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(number[1]) if number else 0


def _architecture() -> str:
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _ARCHITECTURES:
        raise ServicesFailed(
            f"The servers start without a container engine only on Linux on {' or '.join(_ARCHITECTURES)}; this is "
            f"{sys.platform} on {machine}. Start a container engine with Docker Compose and try again."
        )
    return _ARCHITECTURES[machine]


def _get_kafka(folder: Path, environment: Mapping[str, str]) -> None:
    report(f"services: downloading Kafka {KAFKA}")
    kafka = ("org.apache.kafka", f"kafka_{KAFKA_SCALA}", KAFKA)
    _download(folder, [kafka, ("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J)], environment)


def _get_postgres(folder: Path, environment: Mapping[str, str]) -> None:
    report(f"services: downloading PostgreSQL {POSTGRES}")
    name = f"embedded-postgres-binaries-{_architecture()}"
    _download(folder, [("io.zonky.test.postgres", name, f"{POSTGRES}.0")], environment)
    (jar,) = folder.glob("*.jar")
    with zipfile.ZipFile(jar) as outer:
        (inner,) = (member for member in outer.namelist() if member.endswith(".txz"))
        with outer.open(inner) as packed, tarfile.open(fileobj=packed, mode="r|xz") as archive:
            archive.extractall(folder, filter="tar")  # keeps the executable bits
    jar.unlink()


def _get_minio(folder: Path, environment: Mapping[str, str]) -> None:
    install_by_go(f"github.com/minio/minio@{MINIO_MODULE}", folder, environment)


def _download(folder: Path, wanted: Sequence[tuple[str, str, str]], environment: Mapping[str, str]) -> None:
    """Download jars, given as (group, name, version), and their dependencies into a folder."""
    dependencies = "\n".join(
        f"    <dependency>\n      <groupId>{group}</groupId>\n      <artifactId>{name}</artifactId>\n"
        f"      <version>{version}</version>\n    </dependency>"
        for group, name, version in wanted
    )
    pom = folder / "pom.xml"
    pom.write_text(_POM.format(dependencies=dependencies))
    words = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    _run(["mvn", "--batch-mode", "--quiet", *words], folder, environment)
    pom.unlink()


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    ended = subprocess.run(
        command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if ended.returncode:
        said = "\n".join((ended.stdout + ended.stderr).strip().splitlines()[-ERROR_LINES:])
        raise ServicesFailed(
            f"`{' '.join(command[:3])}` failed with exit code {ended.returncode}. Check the network. "
            f"Its output:\n{said}"
        )
