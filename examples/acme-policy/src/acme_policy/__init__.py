"""What every upload at ACME has to have; see handrail-policy.toml beside this file."""
