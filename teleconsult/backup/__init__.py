"""Backups: what cannot be made again, in one file, sealed to age recipients; made while the service runs.

Inside the age file is a tar file. `backup.json` comes first and names all others, with size and SHA-256:

| member | is |
|---|---|
| `database/sqlite.db`, or `database/postgresql.dump` | SQLite's own copy; `pg_dump --format=custom` |
| `keys/tokens.pem`, `keys/service.secret`, `keys/archive-signing.pem` | the service's keys |
| `ca/…`, `tls/…` | the hospital's certificate authority and the server's certificate, where they are ours |
| `settings.toml` | the configuration file, if one was named |

Archived consultations are not in it: they are sealed files already; copy their folder as it is. Neither are
files sent in chats: they are deleted a day after their consultation.
"""
