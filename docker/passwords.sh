#!/usr/bin/env bash
# Gives the roles of a new database their passwords; PostgreSQL's entry point runs it once, after
# the statements that make the roles.
set -euo pipefail

psql --set ON_ERROR_STOP=1 --quiet --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set owner="${POSTGRES_DB}_owner" --set prefix="${POSTGRES_DB}\\_%" <<'SQL'
\getenv owner_password OWNER_PASSWORD
\getenv role_password ROLE_PASSWORD
SELECT format(
  'ALTER ROLE %I PASSWORD %L',
  rolname,
  CASE rolname WHEN :'owner' THEN :'owner_password' ELSE :'role_password' END
)
FROM pg_catalog.pg_roles
WHERE rolname LIKE :'prefix'
\gexec
SQL
