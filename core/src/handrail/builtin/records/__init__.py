"""What a journal knows of runs: for people to look at, and for packs that show them."""
