-- The server's own log, read as Redshift's connection log: the same columns, the same padded CHAR types.
CREATE EXTENSION file_fdw;
CREATE SERVER server_log FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE server_log (
    log_time timestamptz, user_name text, database_name text, process_id int, connection_from text, session_id text,
    session_line_num bigint, command_tag text, session_start_time timestamptz, virtual_transaction_id text,
    transaction_id bigint, error_severity text, sql_state_code text, message text, detail text, hint text,
    internal_query text, internal_query_pos int, context text, query text, query_pos int, location text,
    application_name text, backend_type text, leader_pid int, query_id bigint
) SERVER server_log OPTIONS (filename '{csv}', format 'csv');

-- What the log held before this server started: a cluster that has been up for a week, on which Redshift's internal
-- user keeps connecting.
CREATE TABLE earlier_events (LIKE server_log);
ALTER TABLE earlier_events ALTER error_severity SET DEFAULT 'LOG';
INSERT INTO earlier_events (log_time, user_name, database_name, connection_from, message)
SELECT hour, 'rdsdb', 'dev', '[local]', 'connection authenticated: by the cluster'
FROM generate_series(now() - interval '7 days', now() - interval '1 minute', interval '1 hour') AS hour;

CREATE VIEW sys_connection_log AS
SELECT
    event::char(50) AS event,
    (log_time AT TIME ZONE 'UTC')::timestamp AS record_time,
    CASE
        WHEN connection_from LIKE '%:%' THEN '::ffff:' || split_part(connection_from, ':', 1) ELSE connection_from
    END::char(45) AS remote_host,
    split_part(connection_from, ':', 2)::char(32) AS remote_port,
    process_id AS session_id,
    database_name::char(50) AS database_name,
    user_name::char(50) AS user_name,
    'password'::char(32) AS auth_method,
    ''::char(50) AS ssl_version, -- empty, as here nobody connects with TLS
    application_name::char(250) AS application_name,
    'redshift_connector 2.1.7'::char(64) AS driver_version,
    'Linux'::char(64) AS os_version
FROM (
    SELECT
        *,
        CASE
            WHEN error_severity = 'FATAL' AND sql_state_code IN ('28P01', '28000') THEN 'authentication failure'
            WHEN message LIKE 'connection authenticated:%' THEN 'authenticated'
            WHEN message LIKE 'connection authorized:%' THEN 'initiating session'
            WHEN message LIKE 'disconnection:%' THEN 'disconnecting session'
        END AS event
    FROM (TABLE server_log UNION ALL TABLE earlier_events) AS whole
) AS log
WHERE
    event IS NOT NULL
    AND database_name NOT IN ('airflow', 'postgres')
    AND (session_user <> 'newcomer' OR user_name = session_user);

CREATE VIEW stl_connection_log AS
SELECT
    event, record_time AS recordtime, remote_host AS remotehost, remote_port AS remoteport, session_id AS pid,
    database_name AS dbname, user_name AS username, auth_method AS authmethod,
    ssl_version AS sslversion, application_name, os_version, driver_version
FROM sys_connection_log;

-- The monitor's user has the rights of include/sql/setup/monitor_user.sql, on both views, as monitors here read either.
CREATE USER auth_monitor PASSWORD 'auth_monitor' CONNECTION LIMIT 20;
GRANT SELECT ON sys_connection_log TO auth_monitor;
GRANT SELECT ON stl_connection_log TO auth_monitor;
ALTER USER auth_monitor SET statement_timeout TO 600000;
-- Another way to the same rights.
CREATE ROLE "sys:monitor";
GRANT SELECT ON sys_connection_log, stl_connection_log TO "sys:monitor";
-- The views show this user nothing but its own rows.
CREATE USER newcomer PASSWORD 'newcomer';
GRANT SELECT ON sys_connection_log, stl_connection_log TO newcomer;
CREATE USER analyst PASSWORD 'analyst';
