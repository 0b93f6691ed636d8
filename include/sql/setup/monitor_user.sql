CREATE USER auth_monitor PASSWORD DISABLE CONNECTION LIMIT 20;
GRANT SELECT ON sys_connection_log TO auth_monitor;
ALTER USER auth_monitor SET statement_timeout TO 600000;
ALTER USER auth_monitor SET enable_result_cache_for_session TO false;
-- The monitor's user. Run this file once as a superuser, in the database that the connection's schema field names.
--
-- The user's name and password follow from the way to sign in (docs/credentials.md):
--   IAM, provisioned cluster: as it stands. The name is the template's DbUser and the connection's login.
--   IAM, Serverless:          replace auth_monitor with "IAMR:ROLE" in all four lines; ROLE is the name of the
--                             execution role. If the role has signed in before, the user is there: leave the first
--                             line out.
--   password:                 replace DISABLE with '<password>'. Redshift locks the user after 5 wrong ones in a row.
--
-- GRANT: the one view that the monitor's source names. For source stl_connection_log, which only a provisioned cluster
-- in one Availability Zone has, grant that one instead. SYSLOG ACCESS does not open either view.
-- CONNECTION LIMIT: a monitor opens at most 4 sessions at a time, each for one statement. 20 is enough for five
-- monitors.
-- statement_timeout: in milliseconds, waiting in a queue included. The package sets 9 minutes for its own sessions.
-- enable_result_cache_for_session: a cleared run must read the log again, and not an earlier run's answer.
--
-- With these rights the user reads who connected, and whether they could. It reads no table, no other user's queries
-- and no other log; it unlocks nobody and ends no session. What PUBLIC may do it may do too: by default, create tables
-- in the schema public and temporary tables. REVOKE CREATE ON SCHEMA public FROM PUBLIC takes that from all users.
