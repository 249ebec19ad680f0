"""Plans: from the edits of an action, its packs and the project to a frozen Plan. Pure."""
