"""What is kept of a face or a voice is a closed list: a picture, and what a recording is called; no measure of either.

A person compares the face with the document (H3). No table, file or library could hold or make a template of it.
"""

import ast
import re
from datetime import timedelta

from starlette.applications import Starlette

from engine import database
from engine import files as store
from models.sittings.check_in import STEPS
from resolvers.sittings import check_ins, photos, recordings, running, scores
from settings import Settings
from tests.conftest import ControlledClock
from tests.printed import named_types
from tests.reading import ROOT
from tests.sitting_world import Home
from tests.test_architecture import OURS, imports
from tests.test_photos import kept, markers, png_with_everything
from tests.world import World

# Every column of the tables of sittings, and of photos, that is wide enough for a template of a face or a voice, and
# what it holds. Numbers, moments, keys and short words of ours are not.
OF_A_FACE = {
    "photo.file": "the name of a JPEG of our own making",
    "photo.digest": "SHA-256 of that file: another picture of the same face has another one",
    "sitting_photo.file": "as photo.file, until the scores are reported",
    "sitting_photo.digest": "as photo.digest",
}
OF_A_FACE_AND_A_VOICE = {"recording.reference": "the name of a file, deleted with it after 90 days"}
OF_NEITHER = {
    "sitting.timezone": "where the candidate's wall clock is",
    "sitting.words": "why it ended, in the words of who ended it",
    "sitting.sections": "names of skills",
    "sitting.test_password_seal": "of a password that we drew",
    "system_check.failed": "names of parts",
    "check_in_step.rules_text": "the rules as they were accepted",
    "sitting_message.text": "what two people wrote",
    "incident.text": "what a proctor wrote",
    "sitting_event.detail": "a step, a section, the key of a message, a reason",
    "sitting_recipient.consent_text": "a sentence of ours",
    "sitting_recipient.institution_name_shown": "a name",
    "appeal.text": "what the candidate wrote",
    "appeal.answer": "what the board wrote",
}
NARROW = ("uuid", "timestamp with time zone", "date", "boolean", "integer", "bigint", "smallint", "xid8")
SHORT = 40  # letters: names of states and the like
WIDE = """
    SELECT column_info.table_name || '.' || column_name AS name FROM information_schema.columns AS column_info
    WHERE table_schema = 'public' AND data_type <> ALL(:narrow)
    AND coalesce(character_maximum_length, 1000000) > :short AND table_name IN (
        SELECT 'sitting' UNION SELECT 'photo' UNION SELECT 'proctor_presence'
        UNION SELECT table_name FROM information_schema.columns
        WHERE table_schema = 'public' AND column_name = 'sitting_id')"""
PIXELS_ALONE = {0xD8, 0xE0, 0xDB, 0xC0, 0xC4, 0xDA, 0xD9}  # what decoding a JPEG needs, and its header
MEASURES = re.compile(r"biometr|embedding|landmark|similarit|liveness|faceprint|voiceprint|template.*(face|voice)")
LIBRARIES = re.compile(
    r"opencv|cv2|dlib|face|mediapipe|torch|tensorflow|onnx|keras|scikit|librosa|speech|whisper|vosk|webrtcvad"
)


async def test_columns_that_could_hold_a_face_or_a_voice_are_named_one_by_one(open_database: None) -> None:
    """A new one is added to one of the lists above by somebody who has thought about it."""
    wide = {row["name"] for row in await database.rows(WIDE, narrow=list(NARROW), short=SHORT)}
    assert wide == OF_A_FACE.keys() | OF_A_FACE_AND_A_VOICE.keys() | OF_NEITHER.keys()


async def test_a_whole_sitting_leaves_one_picture_with_nothing_but_pixels(
    app: Starlette, settings: Settings, world: World, clock: ControlledClock
) -> None:
    """Once the recording is gone, of which not even the name stays, the picture is all there is."""
    home = await Home.booked(world, clock)
    await home.taken()
    await photos.take(home.proctor, home.id, "", png_with_everything())
    await store.put("recording/all", b"pictures and sound")
    await recordings.name(home.proctor, home.id, "recording/all")
    await home.confirm(*STEPS)
    await check_ins.enter_test(home.viewer, home.id, home.released.test_id, home.released.password)
    await home.sections(4)
    await running.finish(home.viewer, home.id)
    await scores.report(home.viewer, home.id)
    await recordings.delete_due(clock() + timedelta(days=90))
    (file,) = kept(settings)
    assert markers(file.read_bytes()) <= PIXELS_ALONE
    assert await database.value("SELECT reference FROM recording") is None
    assert await database.value("SELECT file FROM photo") == f"photo/{file.name}"


def test_pixels_are_looked_at_by_one_module_which_only_makes_them_smaller() -> None:
    assert {name for name, tree in OURS.items() if "PIL" in imports(tree)} == {"engine.pictures"}
    of_pillow = (
        node for node in ast.walk(OURS["engine.pictures"]) if isinstance(node, ast.ImportFrom) and node.module == "PIL"
    )
    asked = {one.name for node in of_pillow for one in node.names}
    assert asked == {"Image", "ImageCms", "ImageOps"}


def test_no_library_is_there_that_measures_faces_or_voices() -> None:
    """One that is added for something else may be taken off the list, by somebody who has thought about it."""
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    needed = {line.split("==")[0] for line in lock.splitlines() if "==" in line and not line.startswith((" ", "#"))}
    assert "pillow" in {name.lower() for name in needed}
    assert {name for name in needed if LIBRARIES.search(name.lower())} == set()


def test_the_schema_has_no_word_for_a_measure_of_a_face_or_a_voice() -> None:
    words = {name for name, type_ in named_types().items() for name in (name, *getattr(type_, "fields", {}))}
    assert "photo" in words
    assert {word for word in words if MEASURES.search(word.lower())} == set()
