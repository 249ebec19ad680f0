"""What comes with the kernel in the same wheel, behind the doors that every pack uses."""
