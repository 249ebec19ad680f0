"""What a journal in an SQL database is made of; SQLite and PostgreSQL are two dialects of it."""
