{#- A hundred of the log's users are enough to find one that is not the monitor's own: it may read others' events. -#}
{%- set evaluation = run() -%}
SELECT DISTINCT COALESCE(RTRIM(raw_user), '') AS user_name
FROM ({% include 'sql/sources/' ~ evaluation.settings.source ~ '.sql' %}) AS connection_log
WHERE occurred_at IS NOT NULL
LIMIT 100
