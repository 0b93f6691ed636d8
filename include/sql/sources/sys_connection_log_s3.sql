{#-
  Provisioned clusters and Serverless, one warehouse or many, since Redshift has published its SYS_CONNECTION_LOG to S3
  Tables. Read through Athena from the Iceberg table that AWS keeps, so there is no table to set up.

  The partition columns are compared as numbers, whether they are numbers or text: Athena then opens only the files of
  the scanned days.
-#}
{%- set cluster = evaluation.settings.cluster -%}
SELECT
    RTRIM(event) AS event,
    CAST(record_time AS TIMESTAMP(6)) AS occurred_at,
    warehouse_name AS raw_warehouse,
    remote_host AS raw_host,
    user_name AS raw_user,
    database_name AS raw_database,
    auth_method AS client_method,
    driver_version AS client_driver,
    application_name AS client_application,
    os_version AS client_system,
    ssl_version AS client_tls
FROM "{{ evaluation.settings.catalog }}"."{{ evaluation.settings.namespace }}"."sys_connection_log"
WHERE
    (
        {%- for first, last in evaluation.scanned_months %}
        (
            CAST(year AS INTEGER) = {{ first.year }} AND CAST(month AS INTEGER) = {{ first.month }}
            AND CAST(day AS INTEGER) BETWEEN {{ first.day }} AND {{ last.day }}
        ){{ " OR" if not loop.last }}
        {%- endfor %}
    )
    {%- if cluster %}
    AND RTRIM(warehouse_name) = '{{ cluster }}'
    {%- endif %}
