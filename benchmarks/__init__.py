"""`make bench`: how fast the service answers, beside the least that the same answer could cost."""
