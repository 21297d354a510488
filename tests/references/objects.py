"""Objects of one bucket of the test run's own S3 server, past headwater, and the bucket's end."""

import io
from dataclasses import dataclass

from headwater._references.listing import FoundObject
from headwater_blobs.s3.settings import S3Settings
from headwater_schemas.entries import Reference
from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig

from tests.support import buckets


@dataclass(frozen=True)
class Bucket:
    """A bucket that the environment's AWS variables lead to."""

    settings: S3Settings

    @property
    def name(self) -> str:
        return self.settings.bucket

    def uri(self, key: str = "") -> str:
        return f"s3://{self.name}/{key}" if key else f"s3://{self.name}"

    def put(self, key: str, content: bytes = b"content") -> tuple[str, str | None]:
        """ETag, as the server gives it without quotes, and version id."""
        client = buckets.client_of(self.settings)
        made = client.put_object(self.name, key, io.BytesIO(content), len(content))
        return made.etag or "", made.version_id

    def remove(self, key: str) -> None:
        buckets.client_of(self.settings).remove_object(self.name, key)

    def keep_versions(self) -> None:
        buckets.client_of(self.settings).set_bucket_versioning(self.name, VersioningConfig(ENABLED))

    def open_to_all(self) -> None:
        """Anybody may read and list."""
        everybody = '"Effect": "Allow", "Principal": {"AWS": ["*"]}'
        may = '"Action": ["s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"]'
        what = f'"Resource": ["arn:aws:s3:::{self.name}", "arn:aws:s3:::{self.name}/*"]'
        policy = f'{{"Version": "2012-10-17", "Statement": [{{{everybody}, {may}, {what}}}]}}'
        buckets.client_of(self.settings).set_bucket_policy(self.name, policy)

    def create(self) -> None:
        buckets.client_of(self.settings).make_bucket(self.name)

    def end(self) -> None:
        client = buckets.client_of(self.settings)
        # All are listed before one is removed: where the last of a page is gone, the next page may leave one out.
        for one in list(client.list_objects(self.name, recursive=True, include_version=True)):
            client.remove_object(self.name, one.object_name or "", version_id=one.version_id)
        client.remove_bucket(self.name)


def recorded(found: FoundObject) -> Reference:
    """As it would be recorded."""
    return Reference(found.path, found.uri, found.checksum, found.size, found.object_version)
