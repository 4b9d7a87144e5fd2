"""Downloads: from what is chosen to the file, its progress and its history (D3-D6)."""
