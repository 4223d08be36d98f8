"""What `charts/platform` runs around MLflow's server: prepare its database, back it up, restore it, check it.

PostgreSQL is found the way of libpq (`PGHOST`, `PGDATABASE`, `PGUSER`, `PGPASSWORD`, …), S3 the way of boto3. Runs and
users live in two schemas of one database, so that one dump holds both as they were at one moment.
"""
