{#-
  Provisioned clusters and Serverless, about 7 days. AWS recommends it over STL_CONNECTION_LOG. CHAR values are
  cast for the same reason as there.
-#}
SELECT
    event,
    record_time AS occurred_at,
    session_id,
    CAST(remote_host AS VARCHAR(45)) AS raw_host,
    CAST(user_name AS VARCHAR(50)) AS raw_user,
    CAST(database_name AS VARCHAR(50)) AS raw_database,
    CAST(auth_method AS VARCHAR(32)) AS client_method,
    CAST(driver_version AS VARCHAR(64)) AS client_driver,
    CAST(application_name AS VARCHAR(250)) AS client_application,
    CAST(os_version AS VARCHAR(64)) AS client_system,
    CAST(ssl_version AS VARCHAR(50)) AS client_tls
FROM sys_connection_log
