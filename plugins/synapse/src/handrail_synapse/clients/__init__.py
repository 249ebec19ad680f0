"""The clients of the service: what plugins reach by `ctx.client`, and its configuration."""
