-- A role that may read training_performance and do nothing else. To be run with psql, in the database of the table, by
-- its owner or a superuser, as often as one likes:
--
--     LENS_PERF_ROLE_PASSWORD=... psql -X -d lens -v role=lens_reader -f config/roles.sql
--
-- The password comes from the environment, which other users of the machine do not see, as they do a command line.
-- Without one the role's password stays what it is. Further variables: schema (public), and connections (40), which is
-- to be at least instances * workers * pool.size.

\set ON_ERROR_STOP on
\if :{?role} \else \set role lens_reader \endif
\if :{?schema} \else \set schema public \endif
\if :{?connections} \else \set connections 40 \endif
\getenv password LENS_PERF_ROLE_PASSWORD

BEGIN;

-- The server's log is no place for a password; only a superuser may say so.
SELECT set_config('log_statement', 'none', true), set_config('log_min_duration_statement', '-1', true)
FROM pg_roles
WHERE rolname = current_user AND rolsuper
\g /dev/null

SELECT format('CREATE ROLE %I', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role')
\gexec

ALTER ROLE :"role" LOGIN CONNECTION LIMIT :connections;
\if :{?password}
ALTER ROLE :"role" PASSWORD :'password';
\endif

-- The service bounds its own statements; these are for whatever else uses the role.
ALTER ROLE :"role" IN DATABASE :"DBNAME" SET default_transaction_read_only = on;
ALTER ROLE :"role" IN DATABASE :"DBNAME" SET statement_timeout = '60s';
ALTER ROLE :"role" IN DATABASE :"DBNAME" SET idle_in_transaction_session_timeout = '60s';

REVOKE ALL ON ALL TABLES IN SCHEMA :"schema" FROM :"role";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA :"schema" FROM :"role";
REVOKE ALL ON SCHEMA :"schema" FROM :"role";
REVOKE ALL ON DATABASE :"DBNAME" FROM :"role";
GRANT CONNECT ON DATABASE :"DBNAME" TO :"role";
GRANT USAGE ON SCHEMA :"schema" TO :"role";
GRANT SELECT ON :"schema".training_performance TO :"role";

COMMIT;

-- What PUBLIC has, the role has too; to take it away would concern everybody.
SELECT 'may create tables in ' || :'schema' || ', as everybody may: REVOKE CREATE ON SCHEMA ... FROM PUBLIC' AS warning
WHERE has_schema_privilege(:'role', :'schema', 'CREATE')
UNION ALL
SELECT 'may create temporary tables, as everybody may: REVOKE TEMPORARY ON DATABASE ... FROM PUBLIC'
WHERE has_database_privilege(:'role', current_database(), 'TEMPORARY')
UNION ALL
SELECT 'may read ' || oid::regclass || ', as everybody may'
FROM pg_class
WHERE relnamespace = to_regnamespace(quote_ident(:'schema')) AND relkind IN ('r', 'p', 'v', 'm', 'f')
AND relname <> 'training_performance' AND has_table_privilege(:'role', oid, 'SELECT');
