"""Jobs: enqueued in the transaction that causes them, run after it by whichever worker is free, at least once.

pgqueuer keeps them. A worker that dies leaves what it had begun to the next one, once its heartbeats have stopped for
a while: so a job may run twice, and its effects must be keyed.
"""

from engine.jobs.queue import LATER, enqueue, enqueue_all
from engine.jobs.worker import Job, Schedule, Worker

__all__ = ["LATER", "Job", "Schedule", "Worker", "enqueue", "enqueue_all"]
