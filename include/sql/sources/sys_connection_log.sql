{#- Provisioned clusters and Serverless, about 7 days. AWS recommends it over STL_CONNECTION_LOG. -#}
SELECT
    RTRIM(event) AS event,
    record_time AS occurred_at,
    COALESCE(TRIM(remote_host), '') AS remote_address,
    COALESCE(RTRIM(user_name), '') AS user_name,
    COALESCE(RTRIM(database_name), '') AS database_name
FROM sys_connection_log
