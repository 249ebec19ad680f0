"""What `handrail new` renders."""
