{#- Some of the users that the log shows. -#}
{%- set evaluation = run() -%}
SELECT DISTINCT COALESCE(RTRIM(raw_user), '') AS user_name
FROM ({% include 'sql/sources/' ~ evaluation.settings.source ~ '.sql' %}) AS connection_log
WHERE occurred_at IS NOT NULL
LIMIT 100
