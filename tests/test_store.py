"""A whole download, and a photo, by way of S3, for which moto's server stands in (D4, R7)."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3  # type: ignore[import-untyped]  # it has no types
import pytest
from moto.server import ThreadedMotoServer
from obstore.exceptions import BaseError

from engine import database, files
from errors import Unavailable
from settings import Settings
from tests.client import Client
from tests.downloads import content, fetched, made, repeated, shared
from tests.world import World

BUCKET = "exam-results"
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "eu-west-1"}


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of a store that speaks S3, with an empty bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The bucket as its owner sees it; the service finds keys and address in AWS's own variables."""
    for name, value in {**KEYS, "AWS_ENDPOINT": s3, "AWS_DEFAULT_REGION": KEYS["AWS_REGION"]}.items():
        monkeypatch.setenv(name, value)
    owner = boto3.client(
        "s3", endpoint_url=s3, region_name=KEYS["AWS_REGION"], aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )  # fmt: skip
    owner.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": KEYS["AWS_REGION"]})
    yield owner
    for one in owner.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        owner.delete_object(Bucket=BUCKET, Key=one["Key"])
    owner.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def settings(settings: Settings, bucket: Any) -> Settings:
    return replace(settings, files_url=f"s3://{BUCKET}/kept")


def names(bucket: Any) -> list[str]:
    return [one["Key"] for one in bucket.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


async def test_a_download_is_kept_in_s3_and_given_from_there(client: Client, world: World, bucket: Any) -> None:
    """D3, D4: locked; what was damaged or deleted there is never given."""
    institution = await world.institution()
    officer = client.as_(await world.token(await world.verifier(institution)))
    result = (await shared(world, institution, 3))[0]
    download = await made(officer, format="CSV")
    assert download["status"] == "READY"
    (name,) = names(bucket)
    assert name.startswith("kept/download/")
    held = bucket.get_object(Bucket=BUCKET, Key=name)["Body"].read()
    assert result.statement_number.encode() not in held
    given = await content(officer, download)
    assert result.statement_number.encode() in given
    assert hashlib.sha256(given).hexdigest() == download["sha256"]
    bucket.put_object(Bucket=BUCKET, Key=name, Body=held[:-1] + bytes([held[-1] ^ 1]))
    assert (await fetched(officer, download)).status_code == 410
    bucket.delete_object(Bucket=BUCKET, Key=name)
    assert (await fetched(officer, download)).status_code == 410
    again = (await repeated(officer, download["id"]))["download"]
    assert await content(officer, again) == given


async def test_a_file_of_many_parts_is_kept_whole(app: Any, bucket: Any) -> None:
    """D4: in parts of 5 MiB; one that breaks off is not there at all."""
    large = bytes(range(256)) * 4096 * 12  # 12 MiB
    await files.put_pieces("large", iter([large[place : place + 100_000] for place in range(0, len(large), 100_000)]))
    read = await files.pieces("large")
    assert read is not None
    assert b"".join([piece async for piece in read]) == large

    def broken() -> Iterator[bytes]:
        yield large[: 6 * 2**20]
        raise RuntimeError("made up")

    with pytest.raises((RuntimeError, BaseError, Unavailable)):
        await files.put_pieces("broken", broken())
    assert names(bucket) == ["kept/large"]
    assert await files.pieces("broken") is None


async def test_while_s3_is_away_a_small_download_waits_for_its_job(
    client: Client, world: World, bucket: Any, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """D4: the order is kept, and nothing else fails."""
    institution = await world.institution()
    officer = client.as_(await world.token(await world.verifier(institution)))
    await shared(world, institution, 1)
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")
    files.use(settings.files_url, settings.var)
    download = await made(officer, format="CSV")
    assert (download["status"], download["noFile"]) == ("RUNNING", "NOT_READY")
    assert await database.value("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'make download'") == 1
