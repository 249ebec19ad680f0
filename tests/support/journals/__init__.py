"""The contract that every journal must satisfy (`journals.contract`), and its helpers."""
