"""At-home sittings, from booking to report or cancel (H1-H11); `moves` is the one way in which one changes."""
