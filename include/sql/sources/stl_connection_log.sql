{#- Provisioned clusters, about 7 days. CHAR values come padded; their NULLs and blanks form one group, ''. -#}
SELECT
    RTRIM(event) AS event,
    recordtime AS occurred_at,
    COALESCE(TRIM(remotehost), '') AS remote_address,
    COALESCE(RTRIM(username), '') AS user_name,
    COALESCE(RTRIM(dbname), '') AS database_name
FROM stl_connection_log
