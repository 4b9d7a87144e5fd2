"""Test-day photos (R7): what comes in, what is left of it, and who is shown it, by whom, for how long."""

import asyncio
import hashlib
import io
import re
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx2
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo
from starlette.applications import Starlette

from engine import files, pictures
from engine.jobs import Worker
from engine.pictures import MOST_BYTES, MOST_PIXELS, NotAPicture, made_anew
from errors import Unavailable
from models.entry import Centre, Entry
from models.exam import Exam
from models.institution import Institution
from models.photo import Photo
from models.result import Result
from models.session import Session
from models.share import Share
from models.trail import TrailEntry
from models.verifier import VerifierUser
from resolvers import photos
from settings import Settings
from tests.client import Client
from tests.conftest import ControlledClock
from tests.served import until
from tests.world import World, gid

UPLOAD = "... on PhotoAwaited { mostBytes upload { address endsAt } } ... on InvalidInput { problems { path } }"
PHOTO = "query ($id: ID!) { result(id: $id) { photo { address endsAt } } }"
SECRET = b"Hiddensecret"
RED, BLUE = (200, 30, 30), (30, 30, 200)


def jpeg(size: tuple[int, int] = (60, 80), colour: Any = RED, mode: str = "RGB", **options: Any) -> bytes:
    return encoded(Image.new(mode, size, colour), "JPEG", **options)


def png(size: tuple[int, int] = (60, 80), colour: Any = RED, mode: str = "RGB", **options: Any) -> bytes:
    return encoded(Image.new(mode, size, colour), "PNG", **options)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def near(found: Any, wanted: tuple[int, int, int], by: int = 12) -> bool:
    return all(abs(one - other) <= by for one, other in zip(found, wanted, strict=True))


# ---- what comes in is made anew


async def test_a_picture_becomes_a_jpeg_of_at_most_1000_pixels(anyio_backend: str) -> None:
    for raw, size in ((jpeg((60, 80)), (60, 80)), (jpeg((3000, 1500)), (1000, 500)), (png((10, 2000)), (5, 1000))):
        made = await made_anew(raw)
        image = opened(made.content)
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", size)
        assert (made.width, made.height) == size
        assert near(image.getpixel((1, 1)), RED)


def with_everything() -> bytes:
    """A JPEG with all that a JPEG can hide, each holding SECRET."""
    exif = Image.Exif()
    exif[0x010E] = exif[0x9C9B] = SECRET.decode()  # ImageDescription, XPTitle
    exif.get_ifd(0x8825)[1] = SECRET.decode()  # GPS
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    raw = jpeg(exif=exif, comment=SECRET, xmp=b"<x>" + SECRET + b"</x>", icc_profile=profile + SECRET)
    blocks = b"".join(
        bytes((0xFF, marker)) + struct.pack(">H", len(SECRET) + 2) + SECRET for marker in (0xE5, 0xEC, 0xED, 0xFE)
    )
    return raw[:2] + blocks + raw[2:] + SECRET


def png_with_everything() -> bytes:
    info = PngInfo()
    for add in (info.add_text, info.add_itxt):
        add("Comment", SECRET.decode())
    info.add_text("XML:com.adobe.xmp", SECRET.decode())
    info.add(b"prVt", SECRET)
    return png(pnginfo=info, exif=exif_with_secret()) + SECRET


def exif_with_secret() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    return exif


@pytest.mark.parametrize("raw", [with_everything(), png_with_everything()], ids=["JPEG", "PNG"])
async def test_nothing_that_was_hidden_in_a_file_is_left_in_its_bytes(raw: bytes) -> None:
    """EXIF, GPS, XMP, ICC, comments, private blocks, and what stood behind the end."""
    assert raw.count(SECRET) >= 4
    content = (await made_anew(raw)).content
    assert SECRET not in content
    assert markers(content) <= {0xD8, 0xE0, 0xDB, 0xC0, 0xC4, 0xDA, 0xD9}  # what decoding needs, and JFIF's header
    assert content.endswith(b"\xff\xd9")
    assert set(opened(content).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def markers(content: bytes) -> set[int]:
    """Every kind of block in a JPEG."""
    return {
        content[at + 1] for at in range(len(content) - 1) if content[at] == 0xFF and content[at + 1] not in (0, 0xFF)
    }


@pytest.mark.parametrize("turn", range(1, 9))
async def test_a_picture_is_turned_as_its_camera_noted(turn: int) -> None:
    """Red is above, whichever way the camera was held; the file itself is turned, and notes nothing."""
    upright = Image.new("RGB", (64, 96), BLUE)
    upright.paste(RED, (0, 0, 64, 48))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = turn
    held = upright.transpose(undo[turn]) if turn in undo else upright
    image = opened((await made_anew(encoded(held, "JPEG", exif=exif, quality=95))).content)
    assert image.size == (64, 96)
    assert near(image.getpixel((32, 20)), RED)
    assert near(image.getpixel((32, 76)), BLUE)
    assert image.getexif().get(0x0112) is None


FINE = {
    "grey JPEG": (jpeg(colour=90, mode="L"), (90, 90, 90)),
    "grey PNG": (png(colour=90, mode="L"), (90, 90, 90)),
    "black and white": (png(colour=1, mode="1"), (255, 255, 255)),
    "palette": (encoded(Image.new("RGB", (9, 9), RED).quantize(4), "PNG"), RED),
    "transparent": (png(colour=(0, 0, 0, 0), mode="RGBA"), (255, 255, 255)),
    "half transparent": (png(colour=(0, 0, 0, 128), mode="RGBA"), (127, 127, 127)),
    "grey and transparent": (png(colour=(0, 0), mode="LA"), (255, 255, 255)),
    "progressive": (jpeg(progressive=True), RED),
    "damaged profile": (jpeg(icc_profile=b"no profile at all" * 20), RED),
    "one by one": (png((1, 1)), RED),
}


@pytest.mark.parametrize("name", FINE)
async def test_other_ways_to_write_a_picture_are_taken(name: str) -> None:
    raw, colour = FINE[name]
    image = opened((await made_anew(raw)).content)
    assert image.mode == "RGB"
    assert near(image.getpixel((0, 0)), colour)


async def test_colours_of_another_profile_are_brought_into_srgb() -> None:
    """A profile that swaps red and blue shows that it is used; then it is gone."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    swapped = bytearray(profile)
    swapped[red : red + 4], swapped[blue : blue + 4] = b"bXYZ", b"rXYZ"
    image = opened((await made_anew(png(icc_profile=bytes(swapped)))).content)
    assert near(image.getpixel((5, 5)), (RED[2], RED[1], RED[0]), by=25)


# ---- hostile files


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_of(width: int, height: int, pixels: bytes, depth: int = 8, kind: int = 2, *more: bytes) -> bytes:
    """A PNG written by hand, so that it can lie."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def huge_jpeg(width: int, height: int) -> bytes:
    """A small JPEG that says that it is huge."""
    raw = bytearray(jpeg((16, 16)))
    at = raw.index(b"\xff\xc0") + 5
    raw[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(raw)


def scans() -> bytes:
    """A progressive JPEG in which one scan stands again and again: few bytes, and each a pass over all pixels."""
    raw = jpeg((4000, 4000), progressive=True)
    at = raw.rindex(b"\xff\xda")
    return raw[:at] + raw[at:-2] * 2000 + b"\xff\xd9"


def animation() -> bytes:
    frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, BLUE)]
    return encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
FLAT = zlib.compress(bytes(MOST_PIXELS), 9)
TEXT = b"a\0\0" + zlib.compress(bytes(80 << 20), 9)
HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "text": b"no picture",
    "SVG": SVG,
    "HTML": b"<html><script>alert(1)</script>",
    "GIF": encoded(Image.new("RGB", (9, 9)), "GIF"),
    "WebP": encoded(Image.new("RGB", (9, 9)), "WEBP"),
    "TIFF": encoded(Image.new("RGB", (9, 9)), "TIFF"),
    "BMP": encoded(Image.new("RGB", (9, 9)), "BMP"),
    "JPEG 2000": encoded(Image.new("RGB", (9, 9)), "JPEG2000"),
    "PDF": encoded(Image.new("RGB", (9, 9)), "PDF"),
    "HTML before a JPEG": SVG + jpeg(),
    "the magic of a JPEG alone": b"\xff\xd8\xff",
    "the magic of a JPEG before SVG": b"\xff\xd8\xff" + SVG,
    "the magic of a PNG before a JPEG": b"\x89PNG\r\n\x1a\n" + jpeg(),
    "the magic of a JPEG before a PNG": b"\xff\xd8\xff" + png(),
    "half a JPEG": jpeg((500, 500))[: len(jpeg((500, 500))) // 2],
    "half a PNG": png((500, 500))[: len(png((500, 500))) // 2],
    "a PNG without pixels": png_of(9, 9, b""),
    "a PNG whose pixels are too few": png_of(900, 900, zlib.compress(bytes(9))),
    "a PNG that is no zlib": png_of(9, 9, b"x" * 100),
    "a PNG of one pixel too many": png_of(MOST_PIXELS // 1000, 1001, FLAT),
    "a PNG of a hundred thousand by as many": png_of(100_000, 100_000, FLAT),
    "a PNG of no width": png_of(0, 9, FLAT),
    "a PNG as large as numbers go": png_of(2**31 - 1, 2**31 - 1, FLAT),
    "a JPEG of 65,000 by as many": huge_jpeg(65000, 65000),
    "a JPEG of more than is allowed": huge_jpeg(5001, 5000),
    "a JPEG of no height": huge_jpeg(9, 0),
    "a bomb of text": png_of(9, 9, zlib.compress(bytes(999)), 8, 2, chunk(b"zTXt", TEXT)),
    "a JPEG of 2,000 scans": scans(),
    "an animation": animation(),
    "CMYK": jpeg(colour=(1, 2, 3, 4), mode="CMYK"),
    "16 bits of grey": encoded(Image.new("I;16", (9, 9)), "PNG"),
    "one byte too many": jpeg() + bytes(MOST_BYTES),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_files_are_refused_in_a_sentence(name: str) -> None:
    started = time.process_time()
    with pytest.raises(NotAPicture, match=r"[.]$") as refused:
        await made_anew(HOSTILE[name])
    assert time.process_time() - started < 2
    assert "Error" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("an animation", "moves"), ("CMYK", "RGB"), ("16 bits of grey", "16 bits"), ("a JPEG of 2,000 scans", "scans"),
     ("GIF", "JPEG or a PNG"), ("one byte too many", "5 MiB"), ("a JPEG of 65,000 by as many", "million")],
)  # fmt: skip
async def test_who_sends_what_is_not_taken_reads_what_to_do_instead(name: str, reason: str) -> None:
    with pytest.raises(NotAPicture, match=reason):
        await made_anew(HOSTILE[name])


async def test_what_is_as_large_as_allowed_is_taken() -> None:
    """Both sides of each edge: pixels, scans and bytes."""
    assert (await made_anew(png((5000, 5000)))).width == 1000
    assert MOST_PIXELS == 5000 * 5000
    assert jpeg(progressive=True).count(b"\xff\xda") < pictures.MOST_SCANS
    fits = jpeg()
    assert (await made_anew(fits + bytes(MOST_BYTES - len(fits)))).width == 60


async def test_a_file_that_is_two_things_at_once_is_only_a_picture_afterwards() -> None:
    """A JPEG in front of a page, an archive and a script, as one may hide them behind it or within."""
    hidden = b"<script>alert(1)</script>PK\x03\x04%PDF-1.7"
    for raw in (jpeg() + hidden, jpeg(comment=hidden), png() + hidden, png_of(1, 1, zlib.compress(b"\0abc") + hidden)):
        content = (await made_anew(raw)).content
        assert content.startswith(b"\xff\xd8\xff")
        assert not any(part in content for part in (b"<script", b"PK\x03\x04", b"%PDF"))


async def test_the_event_loop_goes_on_while_a_picture_is_read() -> None:
    working = asyncio.create_task(made_anew(png((5000, 5000))))
    turns = 0
    while not working.done():
        await asyncio.sleep(0.005)
        turns += 1
    assert turns > 10


async def test_a_picture_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "SECONDS", 0.01)
    with pytest.raises(NotAPicture, match="too long"):
        await made_anew(png((5000, 5000)))


# ---- adding one


@dataclass
class Board:
    """Staff, one entry with a released result, and whoever asks by HTTP."""

    world: World
    client: Client
    staff: Client
    entry: Entry
    result: Result

    async def address(self, entry: Entry | None = None) -> str:
        payload = await self.staff.order("addPhoto", UPLOAD, entryId=gid(entry or self.entry))
        assert payload["__typename"] == "PhotoAwaited", payload
        return path(payload["upload"])

    async def put(self, address: str, raw: bytes, **headers: str) -> httpx2.Response:
        return await self.client.http.put(address, content=raw, headers=headers)

    async def add(self, raw: bytes | None = None) -> Photo:
        """The entry's photo, sent just now."""
        answer = await self.put(await self.address(), raw or jpeg())
        assert answer.status_code == 201, answer.text
        return await Photo.get(entry_id=self.entry.id)

    async def get(self, address: str) -> httpx2.Response:
        return await self.client.http.get(address)

    async def seen_by(self, client: Client) -> str | None:
        """Where this session sees the photo of the result."""
        told = (await client.ask(PHOTO, id=gid(self.result)))["result"]
        return path(told["photo"]) if told and told["photo"] else None


def path(link: Any) -> str:
    address = urlsplit(link["address"])
    assert (address.scheme, address.netloc) == ("http", "testserver")
    return str(address.path)


@pytest.fixture
async def board(app: Starlette, client: Client, world: World) -> Board:
    entry = await world.entry()
    staff = client.as_(await world.token(await world.staff()))
    return Board(world, client, staff, entry, await world.result(entry))


def kept(settings: Settings) -> list[Path]:
    return sorted(path for path in (settings.var / "files").rglob("*") if path.is_file())


async def test_a_photo_is_kept_as_it_was_made_anew(board: Board, settings: Settings) -> None:
    payload = await board.staff.order("addPhoto", UPLOAD, entryId=gid(board.entry))
    assert payload["mostBytes"] == MOST_BYTES
    answer = await board.put(path(payload["upload"]), png((2000, 1000)))
    assert (answer.status_code, answer.json()) == (201, {"width": 1000, "height": 500})
    assert answer.headers["cache-control"] == "no-store"
    photo, (file,) = await Photo.get(), kept(settings)
    content = file.read_bytes()
    assert (photo.width, photo.height, photo.size) == (1000, 500, len(content))
    assert photo.digest == hashlib.sha256(content).digest()
    assert opened(content).format == "JPEG"
    assert photo.file == f"photo/{file.name}"
    assert len(file.name) == 32
    assert (settings.var / "files").stat().st_mode & 0o777 == 0o700


async def test_the_name_and_type_that_a_client_gives_do_not_count(board: Board) -> None:
    answer = await board.put(await board.address(), SVG, **{"Content-Type": "image/jpeg"})
    assert answer.status_code == 422
    answer = await board.put(await board.address(), png(), **{"Content-Type": "text/html"})
    assert answer.status_code == 201


async def test_an_address_serves_for_one_photo_alone(board: Board) -> None:
    """Bad ones do not use it up; and of two addresses the first one used ends the other."""
    first, second = await board.address(), await board.address()
    assert (await board.put(first, SVG)).status_code == 422
    assert (await board.put(first, jpeg())).status_code == 201
    photo = await Photo.get()
    for address in (first, second):
        assert (await board.put(address, png())).status_code == 404
    assert (await Photo.get()).id == photo.id


async def test_of_many_that_are_sent_to_one_address_at_once_one_is_kept(board: Board, settings: Settings) -> None:
    address = await board.address()
    answers = await asyncio.gather(*(board.put(address, jpeg((10 + one, 10))) for one in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] + [404] * 5
    assert len(kept(settings)) == 1
    assert kept(settings)[0].name in (await Photo.get()).file


@pytest.mark.parametrize(("microseconds", "status"), [(-1, 201), (0, 404)])
async def test_an_address_takes_a_photo_until_fifteen_minutes_have_passed(
    board: Board, clock: ControlledClock, microseconds: int, status: int
) -> None:
    address = await board.address()
    clock.forward(minutes=15, microseconds=microseconds)
    assert (await board.put(address, jpeg())).status_code == status


async def test_an_address_ends_with_the_session_that_asked_for_it(board: Board) -> None:
    address = await board.address()
    await board.staff.ask("mutation { logOut(input: {}) { __typename } }")
    assert (await board.put(address, jpeg())).status_code == 404


async def test_an_address_for_sending_shows_nothing_and_one_for_seeing_takes_nothing(board: Board) -> None:
    sends = await board.address()
    await board.add()
    sees = await board.seen_by(board.staff)
    assert sees is not None
    new = await board.address()
    assert (await board.get(new)).status_code == (await board.get(sends)).status_code == 404
    assert (await board.get(new.replace("new-photo", "photo"))).status_code == 404
    assert (await board.put(sees.replace("/photo/", "/new-photo/"), jpeg())).status_code == 404
    assert (await board.put(sees, jpeg())).status_code == 405


@pytest.mark.parametrize("token", ["x", "A" * 200, "é", "A" * 120 + "=="])
async def test_an_address_that_we_did_not_make_takes_nothing(board: Board, token: str, settings: Settings) -> None:
    assert (await board.put(f"/files/new-photo/{token}", jpeg())).status_code == 404
    assert kept(settings) == []


async def test_what_is_too_large_is_not_read_to_its_end(board: Board, settings: Settings) -> None:
    """Whether it says so, or comes in pieces without end."""
    read = 0

    async def pieces() -> Any:
        nonlocal read
        while read < 4 * MOST_BYTES:
            read += 65536
            yield bytes(65536)

    address = await board.address()
    answer = await board.client.http.put(address, content=pieces())
    assert answer.status_code == 413
    answer = await board.put(address, jpeg() + bytes(MOST_BYTES))
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")
    assert (await board.put(address, jpeg())).status_code == 201
    assert len(kept(settings)) == 1


async def refusal(client: Client, entry: Entry) -> str:
    payload = await client.order("addPhoto", UPLOAD, entryId=gid(entry))
    return str(payload["__typename"])


async def test_only_staff_add_photos_and_a_centres_only_to_its_own_entries(board: Board, world: World) -> None:
    elsewhere = await Centre.create(number="JP902", name="Minato Examination Centre", city="Kobe", country="JP")
    others = await world.entry(centre_id=elsewhere.id)
    centre = board.client.as_(await world.token(await world.staff(centre=await world.centre())))
    assert await refusal(centre, board.entry) == "PhotoAwaited"
    assert await refusal(centre, others) == "EntryNotFound"
    assert await refusal(board.staff, others) == "PhotoAwaited"
    candidate = board.client.as_(await world.token(await board.entry.candidate))
    verifier = board.client.as_(await world.token(await world.verifier()))
    assert [await refusal(one, board.entry) for one in (candidate, verifier)] == ["NotAllowed", "NotAllowed"]
    assert await refusal(board.client, board.entry) == "NotLoggedIn"


async def test_a_centre_sends_and_does_not_see(board: Board, world: World) -> None:
    board.staff = board.client.as_(await world.token(await world.staff(centre=await world.centre())))
    await board.add()
    assert await board.seen_by(board.staff) is None


async def test_an_entry_of_another_centre_by_then_takes_no_photo_of_this_one(board: Board, world: World) -> None:
    board.staff = board.client.as_(await world.token(await world.staff(centre=await world.centre())))
    address = await board.address()
    elsewhere = await Centre.create(number="JP902", name="Minato Examination Centre", city="Kobe", country="JP")
    await Entry.filter(id=board.entry.id).update(centre_id=elsewhere.id)
    assert (await board.put(address, jpeg())).status_code == 404


async def test_exams_without_photos_take_none(board: Board, world: World) -> None:
    """R7: not the "for Schools" versions, by whatever way."""
    assert {exam.code for exam in await Exam.filter(photo=True)} >= {"C1_ADVANCED", "B2_FIRST"}
    schools = await Exam.filter(photo=False, title__contains="for Schools").first()
    assert schools is not None
    payload = await board.staff.order("addPhoto", UPLOAD, entryId=gid(await world.entry(exam=schools.code)))
    assert (payload["__typename"], payload["problems"]) == ("InvalidInput", [{"path": "entryId"}])
    address = await board.address()
    await Entry.filter(id=board.entry.id).update(exam_id=schools.code)
    assert (await board.put(address, jpeg())).status_code == 404


@pytest.mark.parametrize("id", ["", "x", "é"])
async def test_an_id_that_names_no_entry_is_not_found(board: Board, id: str) -> None:
    for one in (id, gid(board.result)):
        payload = await board.staff.order("addPhoto", UPLOAD, entryId=one)
        assert payload["__typename"] == "EntryNotFound"


# ---- replacing one


async def test_a_photo_that_is_replaced_is_seen_no_more_and_its_file_goes(
    board: Board, settings: Settings, worker: Worker
) -> None:
    old = await board.add(jpeg(colour=RED))
    sees = await board.seen_by(board.staff)
    assert sees is not None
    new = await board.add(jpeg(colour=BLUE))
    assert old.id != new.id
    assert (await board.get(sees)).status_code == 404
    again = await board.seen_by(board.staff)
    assert again is not None
    assert near(opened((await board.get(again)).content).getpixel((5, 5)), BLUE)
    await until(lambda: [file.name for file in kept(settings)] == [new.file.removeprefix("photo/")])


async def test_files_that_no_row_names_go_after_a_day_and_no_others(board: Board, settings: Settings) -> None:
    """A process can die between keeping a file and writing its row."""
    photo = await board.add()
    await files.put(files.new_name("photo"), b"left behind")
    await files.put("elsewhere/file", b"not a photo")
    now = datetime.now(UTC)  # files have the time of the machine
    await photos.purge(now + timedelta(hours=23))
    assert len(kept(settings)) == 3
    await photos.purge(now + timedelta(hours=25))
    assert {file.name for file in kept(settings)} == {photo.file.removeprefix("photo/"), "file"}


# ---- seeing one


@dataclass
class Office:
    """An institution with a share of the result, and one user."""

    institution: Institution
    user: VerifierUser
    client: Client
    share: Share


async def office_of(board: Board, **terms: Any) -> Office:
    institution = await board.world.institution()
    user = await board.world.verifier(institution)
    share = await Share.get(id=await board.world.share(board.result, institution))
    await Share.filter(id=share.id).update(**terms or {"includes_photo": True})
    return Office(institution, user, board.client.as_(await board.world.token(user)), share)


async def test_candidate_verifier_and_board_see_the_photo(board: Board, world: World) -> None:
    photo = await board.add(png((40, 50)))
    office = await office_of(board)
    candidate = board.client.as_(await world.token(await board.entry.candidate))
    for client in (candidate, office.client, board.staff):
        address = await board.seen_by(client)
        assert address is not None
        answer = await board.get(address)
        assert (answer.status_code, len(answer.content)) == (200, photo.size)
        assert opened(answer.content).size == (40, 50)


async def test_browsers_are_told_to_show_it_and_to_keep_nothing(board: Board) -> None:
    await board.add()
    address = await board.seen_by(board.staff)
    assert address is not None
    headers = (await board.get(address)).headers
    assert headers["content-type"] == "image/jpeg"
    assert headers["content-disposition"].startswith("inline;")
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


async def test_others_have_no_address_and_a_result_without_photo_has_none(board: Board, world: World) -> None:
    office = await office_of(board)
    assert await board.seen_by(office.client) is None
    await board.add()
    another = board.client.as_(await world.token(await world.candidate()))
    elsewhere = board.client.as_(await world.token(await world.verifier()))
    for client in (another, elsewhere, board.client):
        assert await board.seen_by(client) is None
    assert await board.seen_by(office.client) is not None


async def test_a_share_that_leaves_the_photo_out_shows_the_result_without_it(board: Board) -> None:
    """S9."""
    await board.add()
    office = await office_of(board, includes_photo=False)
    told = await office.client.ask(PHOTO, id=gid(board.result))
    assert told == {"result": {"photo": None}}


async def before_release(board: Board, office: Office, clock: ControlledClock) -> None:
    await Result.filter(id=board.result.id).update(released_at=clock() + timedelta(microseconds=1))


async def withdrawn(board: Board, office: Office, clock: ControlledClock) -> None:
    await Share.filter(id=office.share.id).update(withdrawn_at=clock())


async def expired(board: Board, office: Office, clock: ControlledClock) -> None:
    await Share.filter(id=office.share.id).update(expires_at=clock())


async def left_out(board: Board, office: Office, clock: ControlledClock) -> None:
    await Share.filter(id=office.share.id).update(includes_photo=False)


async def suspended(board: Board, office: Office, clock: ControlledClock) -> None:
    await board.world.suspend(office.institution)


async def removed(board: Board, office: Office, clock: ControlledClock) -> None:
    await board.world.remove(office.user)


async def logged_out(board: Board, office: Office, clock: ControlledClock) -> None:
    await Session.filter(verifier_id=office.user.id).update(ended_at=clock())


async def replaced(board: Board, office: Office, clock: ControlledClock) -> None:
    await board.add(png())


async def a_quarter_later(board: Board, office: Office, clock: ControlledClock) -> None:
    clock.forward(minutes=15)


async def damaged(board: Board, office: Office, clock: ControlledClock) -> None:
    await files.put((await Photo.get()).file, jpeg(colour=BLUE))


async def lost(board: Board, office: Office, clock: ControlledClock) -> None:
    await files.delete((await Photo.get()).file)


ENDS = [before_release, withdrawn, expired, left_out, suspended, removed, logged_out, replaced, a_quarter_later]


@pytest.mark.parametrize("end", [*ENDS, damaged, lost])
async def test_an_address_that_was_given_shows_nothing_once_it_may_not(
    board: Board, clock: ControlledClock, end: Callable[[Board, Office, ControlledClock], Any]
) -> None:
    """S9, S10, O3, U2, R3: asked anew at each use; and what is not ours any more is not shown as ours."""
    await board.add()
    office = await office_of(board)
    address = await board.seen_by(office.client)
    assert address is not None
    clock.forward(minutes=1)
    assert (await board.get(address)).status_code == 200
    clock.forward(minutes=-1)
    before = await TrailEntry.filter(institution_id=office.institution.id).count()
    await end(board, office, clock)
    answer = await board.get(address)
    made_up = await board.get("/files/photo/nothing")
    assert (answer.status_code, answer.content) == (made_up.status_code, made_up.content)
    assert answer.status_code == 404
    assert await TrailEntry.filter(institution_id=office.institution.id).count() == before


async def test_an_address_shows_the_photo_up_to_its_last_microsecond(board: Board, clock: ControlledClock) -> None:
    await board.add()
    address = await board.seen_by((await office_of(board)).client)
    assert address is not None
    clock.forward(minutes=15, microseconds=-1)
    assert (await board.get(address)).status_code == 200
    clock.forward(microseconds=1)
    assert (await board.get(address)).status_code == 404


async def test_the_candidate_sees_the_photo_from_the_release_on(
    board: Board, world: World, clock: ControlledClock
) -> None:
    """R3: one microsecond before it, staff alone."""
    await board.add()
    candidate = board.client.as_(await world.token(await board.entry.candidate))
    await Result.filter(id=board.result.id).update(released_at=clock() + timedelta(seconds=1))
    clock.forward(seconds=1, microseconds=-1)
    assert await board.seen_by(candidate) is None
    assert await board.seen_by(board.staff) is not None
    clock.forward(microseconds=1)
    assert await board.seen_by(candidate) is not None


async def test_an_address_cannot_be_changed_into_another(board: Board, world: World) -> None:
    """Of another session, another photo, another kind or another time: the seal is over all of it."""
    await board.add()
    address = await board.seen_by(board.staff)
    assert address is not None
    folder, _, token = address.rpartition("/")
    for place in range(0, len(token), 7):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert (await board.get(f"{folder}/{changed}")).status_code == 404
    for changed in (token[:-1], token + "A", token + "==", f"{token}/x"):
        assert (await board.get(f"{folder}/{changed}")).status_code == 404


async def test_each_view_by_others_stands_in_the_trail_and_ones_own_does_not(board: Board, world: World) -> None:
    """G1: who, whose, which result and version, and by which path."""
    await board.add()
    office = await office_of(board)
    address, own = (
        await board.seen_by(office.client),
        await board.seen_by(board.client.as_(await world.token(await board.entry.candidate))),
    )
    assert address is not None
    assert own is not None
    before = await TrailEntry.all().count()
    assert (await board.get(own)).status_code == 200
    assert await TrailEntry.all().count() == before
    for seen in (1, 2):
        assert (await board.get(address)).status_code == 200
        assert await TrailEntry.filter(path="file photo").count() == seen
    entry = await TrailEntry.filter(path="file photo").first()
    assert entry is not None
    assert (entry.viewer_id, entry.institution_id) == (office.user.id, office.institution.id)
    assert (entry.candidates, entry.results, entry.versions) == ([board.entry.candidate_id], [board.result.id], [1])


async def test_adding_a_photo_stands_in_the_trail(board: Board) -> None:
    await board.add()
    entry = await TrailEntry.get(act="CHANGED")
    assert (entry.candidates, entry.path) == ([board.entry.candidate_id], "file new-photo")


async def test_neither_address_nor_name_of_a_photo_stands_in_the_log(board: Board, logged: io.StringIO) -> None:
    """G3."""
    photo = await board.add()
    address = await board.seen_by(board.staff)
    assert address is not None
    assert (await board.get(address)).status_code == 200
    said = logged.getvalue()
    assert '"path": "/files/..."' in said
    assert address.rpartition("/")[2] not in said
    assert photo.file.removeprefix("photo/") not in said


# ---- where files are kept


async def test_a_file_is_kept_got_and_deleted(app: Starlette) -> None:
    name = files.new_name("photo")
    assert await files.get(name) is None
    await files.put(name, b"one")
    assert await files.get(name) == b"one"
    await files.delete(name)
    await files.delete(name)
    assert await files.get(name) is None
    assert len({files.new_name("photo") for _ in range(100)}) == 100


@pytest.mark.parametrize("address", ["", "x", "/folder", "http://host/bucket", "s3:/bucket", "s3://", "file:///tmp"])
def test_an_address_that_is_no_bucket_is_told_by_name(address: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="FILES_URL"):
        files.use(address, tmp_path)


class Bucket(BaseHTTPRequestHandler):
    """As much of S3 as is needed: objects by their path, a list of them, and no word to who does not sign."""

    protocol_version = "HTTP/1.1"
    objects: ClassVar[dict[str, bytes]] = {}

    def do_PUT(self) -> None:
        self.objects[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200)

    def do_GET(self) -> None:
        if "list-type" in self.path:
            self._answer(200, self._listed())
        else:
            self._answer(200 if self.path in self.objects else 404, self.objects.get(self.path, b""))

    def do_DELETE(self) -> None:
        self._answer(204 if self.objects.pop(self.path, None) else 404)

    def do_POST(self) -> None:
        """Deleting several at once, which is how one is deleted too."""
        told = self.rfile.read(int(self.headers["Content-Length"])).decode()
        keys = re.findall("<Key>(.+?)</Key>", told)
        for key in keys:
            self.objects.pop(f"/bucket/{key}", None)
        deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        self._answer(200, f"<DeleteResult>{deleted}</DeleteResult>".encode())

    def _listed(self) -> bytes:
        facts = "<Size>1</Size><ETag>x</ETag><LastModified>2020-01-01T00:00:00Z</LastModified>"
        keys = [path.removeprefix("/bucket/") for path in self.objects]
        found = "".join(f"<Contents><Key>{key}</Key>{facts}</Contents>" for key in keys)
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>".encode()

    def _answer(self, status: int, content: bytes = b"") -> None:
        signed = self.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256 Credential=tester/")
        self.send_response(status if signed else 403)
        self.send_header("Content-Length", str(len(content) if signed else 0))
        self.send_header("ETag", '"x"')
        self.send_header("Last-Modified", "Wed, 01 Jan 2020 00:00:00 GMT")
        self.end_headers()
        self.wfile.write(content if signed else b"")

    def log_message(self, format: str, *args: Any) -> None:
        """Not into the test's output."""


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, bytes]]:
    """A server that speaks S3 on this machine, and files kept there."""
    Bucket.objects.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        "ACCESS_KEY_ID": "tester",
        "SECRET_ACCESS_KEY": "secret",
        "REGION": "eu-west-1",
    }
    for name, value in (environment | {"ENDPOINT": f"http://127.0.0.1:{server.server_address[1]}"}).items():
        monkeypatch.setenv(f"AWS_{name}", value)
    files.use("s3://bucket/seiseki", tmp_path)
    yield Bucket.objects
    server.shutdown()
    server.server_close()


async def test_files_are_kept_in_a_bucket_where_one_is_named(bucket: dict[str, bytes]) -> None:
    """Signed with AWS's own variables, below the folder that the address names."""
    name = files.new_name("photo")
    await files.put(name, b"one")
    assert bucket == {f"/bucket/seiseki/{name}": b"one"}
    assert await files.get(name) == b"one"
    assert [names async for names in files.older_than(datetime.now(UTC), "photo")] == [[name]]
    await files.delete(name)
    await files.delete(name)
    assert bucket == {}
    assert await files.get(name) is None


async def test_a_bucket_that_cannot_be_reached_is_told_as_away(
    bucket: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, logged: io.StringIO
) -> None:
    """With another key, which it refuses; and nothing of the key or the bucket is logged."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "stranger")
    files.use("s3://bucket/seiseki", tmp_path)
    for order in (files.put("photo/x", b"one"), files.get("photo/x")):
        with pytest.raises(Unavailable):
            await order
    assert bucket == {"/bucket/seiseki/photo/x": b"one"}  # the server of this test takes it before it looks
    assert "files.unavailable" in logged.getvalue()
    assert "stranger" not in logged.getvalue()
    assert "seiseki/" not in logged.getvalue()
