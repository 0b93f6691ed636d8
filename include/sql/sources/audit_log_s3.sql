{#-
  Provisioned clusters, as far back as audit logging to S3 was on. Read through Athena from the table of
  setup/audit_log_s3.sql. Its rows are whole lines:

    authentication failure |Mon, 21 May 2018 05:20:10:123|::ffff:10.49.42.138 |49152 |1234|dev |analyst |password |0|…

  Split here and not by the table, because lines have 9 to 21 fields or more, and database and user name are what
  somebody typed: time and host stand before them, so a `|` or a line break in a name moves neither. The names end where
  an authentication method and a duration follow. The last field before that is the user, all the rest the database: a
  database may be called anything, to hide who is tried, but hardly a user that exists has a `|` in its name. A name
  that imitates a method and a duration cannot be told apart. In a line that a line break cut short, each name has one
  field; the rest of such a line, and whatever else has no time and host, comes with occurred_at NULL, to be counted as
  unreadable.
-#}
{%- macro field(number) -%} RTRIM(COALESCE(SPLIT_PART(line, '|', {{ number }}), '')) {%- endmacro -%}
{#- What follows the user name is counted from the authentication method, which a duration follows. -#}
{%- macro after_user(number) -%}
    RTRIM(
        SPLIT_PART(
            REGEXP_EXTRACT(line, '(?s)^(?:[^|]*[|]){6}.*?[|]([^|]*[|]\s*\d+\s*(?:[|].*)?)$', 1), '|', {{ number }}
        )
    )
{%- endmacro -%}
{#- Database and user name, with the last bar between them. #}
{%- set names -%}
    COALESCE(
        NULLIF(REGEXP_EXTRACT(line, '(?s)^(?:[^|]*[|]){5}(.*?[|][^|]*)[|][^|]*[|]\s*\d+\s*(?:[|]|$)', 1), ''),
        {{ field(6) }} || '|' || {{ field(7) }}
    )
{%- endset -%}
{%- set days = evaluation.scanned_days -%}
{%- set cluster = evaluation.settings.cluster -%}
SELECT
    {{ field(1) }} AS event,
    TRY(
        DATE_PARSE(
            REGEXP_EXTRACT(line, '^[^|]*[|]\s*\w+, (\d+ \w+ \d+ [\d:]+)\s*[|][^|]*[|]', 1), '%d %b %Y %H:%i:%s:%f'
        )
    ) AS occurred_at,
    {{ field(3) }} AS raw_host,
    RTRIM(REGEXP_EXTRACT({{ names }}, '([^|]*)$', 1)) AS raw_user,
    RTRIM(REGEXP_EXTRACT({{ names }}, '(?s)^(.*)[|]', 1)) AS raw_database,
    {{ after_user(1) }} AS client_method,
    {{ after_user(11) }} AS client_driver,
    {{ after_user(9) }} AS client_application,
    {{ after_user(10) }} AS client_system,
    {{ after_user(3) }} AS client_tls
FROM redshift_audit_log
WHERE
    day BETWEEN '{{ days[0].strftime("%Y/%m/%d") }}' AND '{{ days[1].strftime("%Y/%m/%d") }}'
    AND STRPOS("$path", '_{{ cluster ~ "_" if cluster }}connectionlog_') > 0
    AND line <> ''
