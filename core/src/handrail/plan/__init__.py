"""From the edits of an action, its packs and the project to one frozen Plan. Pure."""
