{#-
  Provisioned clusters in one Availability Zone, about 7 days. CHAR values come padded, and are cast before any function
  touches them: a name need not be ASCII, and Redshift's functions refuse such text in a CHAR (error 8001). The event is
  Redshift's own word: it is compared as it is, which is quick.
-#}
SELECT
    event,
    recordtime AS occurred_at,
    pid AS session_id,
    CAST(remotehost AS VARCHAR(45)) AS raw_host,
    CAST(username AS VARCHAR(50)) AS raw_user,
    CAST(dbname AS VARCHAR(50)) AS raw_database,
    CAST(authmethod AS VARCHAR(32)) AS client_method,
    CAST(driver_version AS VARCHAR(64)) AS client_driver,
    CAST(application_name AS VARCHAR(250)) AS client_application,
    CAST(os_version AS VARCHAR(64)) AS client_system,
    CAST(sslversion AS VARCHAR(50)) AS client_tls
FROM stl_connection_log
