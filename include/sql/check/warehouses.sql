{#- What the scanned days show of each warehouse of a fleet. -#}
{%- set evaluation = run() -%}
SELECT COALESCE(RTRIM(raw_warehouse), '') AS warehouse, MAX(occurred_at) AS newest_event_at
FROM ({% include 'sql/sources/' ~ evaluation.settings.source ~ '.sql' %}) AS connection_log
GROUP BY COALESCE(RTRIM(raw_warehouse), '')
ORDER BY warehouse
LIMIT 10000
