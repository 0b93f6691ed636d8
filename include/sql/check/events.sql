{#- The names of the log's events, the most frequent first. -#}
{%- set evaluation = run() -%}
SELECT RTRIM(CAST(event AS VARCHAR(50))) AS event, COUNT(*) AS number
FROM ({% include 'sql/sources/' ~ evaluation.settings.source ~ '.sql' %}) AS connection_log
WHERE occurred_at IS NOT NULL
GROUP BY RTRIM(CAST(event AS VARCHAR(50)))
ORDER BY number DESC
LIMIT 100
