"""What becomes of sittings when their candidate closes the account (G2).

What is booked or runs is cancelled, and whoever watches is free. What is over stays as it is: nothing is reported
without the candidate's word, and a result that is reported is held and released as the record, and sent to nobody.
"""

from models.viewer import Viewer
from resolvers.sittings.moves import cancel_if_open, held_all


async def cancel_open(viewer: Viewer) -> None:
    """Cancel those of a candidate's sittings that are not over, in the surrounding transaction."""
    for sitting in await held_all(viewer):
        await cancel_if_open(sitting)
