"""The commands of Handrail, one file each; a file is imported only when its command is called."""
