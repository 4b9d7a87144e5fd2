"""Who asks, and what of a scene they see by all ways together: nothing else, and nothing less."""

from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette

from tests.client import Client
from tests.scene import Asker, Said, Scene, everything_told


@dataclass(frozen=True)
class Situation:
    """Who asks, what they see of the scene, and what of it they must not."""

    asker: Asker
    seen: frozenset[str]


async def asks(scene: Scene, name: str, *seen: str, **asker: Any) -> Situation:
    """The situation of whoever has this session."""
    return Situation(Asker(scene.tokens[name], **asker), frozenset(seen))


async def check(scene: Scene, situation: Situation, app: Starlette, client: Client) -> None:
    """What the asker must not see comes out of no way in; what is theirs comes out of some."""
    told = await everything_told(scene, app, client, situation.asker)
    seen = {name: scene.among(answer) for name, answer in told.items()}
    too_much = {name: more for name, found in seen.items() if (more := found - situation.seen)}
    assert too_much == {}, too_much
    too_little = situation.seen - set().union(*seen.values())
    assert too_little == set(), too_little


Told = dict[str, list[Said]]


async def told_to(scene: Scene, app: Starlette, client: Client, askers: dict[str, str]) -> Told:
    """What these askers, one after the other, are told by each way, with the passwords that they know."""
    told: Told = {name: [] for name in scene.ways}
    for name, knows in askers.items():
        asker = Asker(scene.tokens[name], frozenset({knows}))
        for way, answer in (await everything_told(scene, app, client, asker)).items():
            told[way].append(answer)
    return told


def without_rows(scene: Scene, told: Told) -> set[str]:
    """The ways by which nobody was told anything of the scene."""
    return {way for way, answers in told.items() if not any(scene.among(answer) for answer in answers)}


def untold(scene: Scene, told: Told) -> set[str | int]:
    """The texts of the scene that nobody was told by any way; of keys, only ids that are made of them are ever told."""
    texts = {text for some in scene.texts.values() for text in some} - {str(row.pk) for row in scene.rows.values()}
    return {text for text in texts if not any(one.holds(text) for all in told.values() for one in all)}


def edges(told: Told) -> set[str]:
    """Every field with something in it, as `Type.field`."""
    objects = [
        one for answers in told.values() for answer in answers for one in answer.objects() if "__typename" in one
    ]
    return {f"{one['__typename']}.{name}" for one in objects for name, value in one.items() if value not in (None, [])}
