#!/bin/sh
# Brings Temporal's two databases to this version's schema; run again, it changes nothing.
set -eu
SQL_PASSWORD=$(cat /run/secrets/postgres_password)
export SQL_PASSWORD
for name in temporal visibility; do
	database=temporal
	[ "$name" = temporal ] || database=temporal_visibility
	tool="temporal-sql-tool --plugin postgres12 --endpoint postgres --port 5432 --user temporal --database $database"
	$tool setup-schema --version 0.0
	$tool update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/$name/versioned"
done
