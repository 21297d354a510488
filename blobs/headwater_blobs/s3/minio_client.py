"""What is used of the client library `minio`, which is imported here and nowhere else.

Without its client for administrators, which nothing here uses: the ciphers of that one take as long to import as all
the rest, and a third of the memory. Who does use it in the same process gets it from `minio` as ever.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_ADMINISTRATION, _CLIENT = "minio.minioadmin", "MinioAdmin"


def _import_without_administration() -> None:
    """Import the library with a stand-in for that module, which is gone afterwards."""
    if "minio" in sys.modules:
        return
    stand_in = ModuleType(_ADMINISTRATION)
    vars(stand_in)[_CLIENT] = None
    sys.modules[_ADMINISTRATION] = stand_in
    try:
        library = import_module("minio")
    finally:
        del sys.modules[_ADMINISTRATION]
    del vars(library)[_CLIENT]
    vars(library)["__getattr__"] = _administration


def _administration(name: str) -> Any:
    """What the library has as an attribute once somebody asks for it."""
    if name != _CLIENT:
        raise AttributeError(f"module 'minio' has no attribute '{name}'")
    return getattr(import_module(_ADMINISTRATION), name)


_import_without_administration()

from minio import Minio as Minio  # noqa: E402 - see above
from minio.commonconfig import CopySource as CopySource  # noqa: E402
from minio.credentials.credentials import Credentials as Credentials  # noqa: E402
from minio.credentials.providers import AWSConfigProvider as AWSConfigProvider  # noqa: E402
from minio.credentials.providers import ChainedProvider as ChainedProvider  # noqa: E402
from minio.credentials.providers import EnvAWSProvider as EnvAWSProvider  # noqa: E402
from minio.credentials.providers import IamAwsProvider as IamAwsProvider  # noqa: E402
from minio.credentials.providers import Provider as Provider  # noqa: E402
from minio.credentials.providers import StaticProvider as StaticProvider  # noqa: E402
from minio.datatypes import CompleteMultipartUploadResult as CompleteMultipartUploadResult  # noqa: E402
from minio.datatypes import ListMultipartUploadsResult as ListMultipartUploadsResult  # noqa: E402
from minio.datatypes import ListPartsResult as ListPartsResult  # noqa: E402
from minio.datatypes import Object as Object  # noqa: E402
from minio.datatypes import Part as Part  # noqa: E402
from minio.datatypes import Upload as Upload  # noqa: E402
from minio.deleteobjects import DeleteObject as DeleteObject  # noqa: E402
from minio.deleteobjects import DeleteResult as DeleteResult  # noqa: E402
from minio.error import InvalidResponseError as InvalidResponseError  # noqa: E402
from minio.error import S3Error as S3Error  # noqa: E402
from minio.error import ServerError as ServerError  # noqa: E402
