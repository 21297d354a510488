"""What everybody can do in a bucket, as an operator is told."""

import json

from headwater_blobs.s3.anonymous import rights_of_everybody
from headwater_blobs.s3.client import BucketClient
from headwater_blobs.s3.settings import S3Settings
from headwater_blobs.s3.store import S3BlobStore


def _let_everybody(settings: S3Settings, *actions: str) -> None:
    resources = [f"arn:aws:s3:::{settings.bucket}", f"arn:aws:s3:::{settings.bucket}/*"]
    statements = [
        {
            "Effect": "Allow",
            "Principal": {"AWS": ["*"]},
            "Action": [action],
            "Resource": [resources["Bucket" not in action]],
        }
        for action in actions
    ]
    client = BucketClient(settings)
    client.client.set_bucket_policy(settings.bucket, json.dumps({"Version": "2012-10-17", "Statement": statements}))
    client.close()


def test_a_new_bucket_lets_nobody_do_anything(store: S3BlobStore, settings: S3Settings) -> None:
    del store  # the bucket is there
    assert rights_of_everybody(settings) == []


def test_what_a_policy_lets_everybody_do_is_told_and_leaves_nothing(store: S3BlobStore, settings: S3Settings) -> None:
    _let_everybody(settings, "s3:ListBucket")
    assert rights_of_everybody(settings) == ["list"]
    _let_everybody(settings, "s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject")
    assert rights_of_everybody(settings) == ["list", "read", "write"]
    client = BucketClient(settings)
    assert list(client.client.list_objects(settings.bucket, recursive=True)) == []
    client.close()
