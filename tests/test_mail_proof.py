"""No letter is lost and none is sent twice without need, whatever the mail server does and whoever is killed (N4)."""

from pathlib import Path

import pytest

from engine import database
from tests.mail_proof import FEW_MOODS, prove


@pytest.mark.usefixtures("open_database")
async def test_every_letter_arrives_though_workers_are_killed_and_the_server_is_moody(
    database_url: str, tmp_path: Path
) -> None:
    """N4: at least once each; again, with the same Message-ID, only where the server's answer was lost."""
    proof = await prove(database_url, tmp_path, count=150, kills=5)
    assert (proof.lost, proof.unexcused, proof.unfinished) == (0, 0, 0)
    assert len(proof.kills) == 5
    assert proof.moods.total() > FEW_MOODS
    assert proof.refused
    assert proof.marked_refused == len(proof.refused)
    assert await database.value("SELECT count(*) FROM letter WHERE sent_at IS NOT NULL") == 150 - len(proof.refused)
