"""What candidates are told to do: where a part of the system check failed, and at each step of check-in (H1, H3)."""

from errors import Sentence
from models.sittings.check_in import Step
from models.sittings.proctoring import Part

# What to do where this part failed.
MENDS = {
    Part.CAMERA: Sentence.of(
        "Connect a camera that can be turned around the room, allow the browser to use it, and close other programs "
        "that use it."
    ),
    Part.MICROPHONE: Sentence.of("Connect a microphone, not of a headset, and allow the browser to use it."),
    Part.SPEAKER: Sentence.of("Connect a speaker, no headset, and turn it up until you hear the sound of the check."),
    Part.SCREEN: Sentence.of("Connect one screen only, and allow the browser to share it."),
    Part.NETWORK: Sentence.of(
        "Use a cable or move closer to the router, and let nobody else use the line; then check again."
    ),
    Part.BROWSER: Sentence.of("Install the newest version of the test browser, and check again with it."),
}

# What the candidate shows or does, for the proctor to confirm.
SHOWS = {
    Step.DOCUMENT: Sentence.of(
        "Hold your identity document up to the camera, open where your name and your photo are. The name must be the "
        "one of your account, exactly as spelled."
    ),
    Step.RULES: Sentence.of("Read the rules of the sitting, and tell the proctor that you accept them."),
    Step.SCREEN: Sentence.of("Give the proctor access to your screen, and close all other programs."),
    Step.MIRROR: Sentence.of("Show your own screen by a mirror or a phone, and put that away afterwards."),
    Step.ROOM: Sentence.of("Turn the camera around the whole room, and show your desk from above and below."),
    Step.BROWSER: Sentence.of("Start the test browser, and leave it open."),
    Step.PASSWORD: Sentence.of("Wait until the proctor gives you test ID and test password, and enter both."),
}
