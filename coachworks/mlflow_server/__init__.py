"""Programs that `charts/platform` runs beside MLflow's server: prepare its database, back it up, restore it, check it.

They run as `python -m coachworks.mlflow_server COMMAND`; no other module imports them. PostgreSQL is configured by
libpq's environment (`PGHOST`, `PGDATABASE`, `PGUSER`, `PGPASSWORD`, …), S3 as boto3 does. Runs and users are in two
schemas of one database, so that one dump holds both as of the same moment.
"""
